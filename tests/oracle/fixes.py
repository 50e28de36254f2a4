"""Good Dockerfiles, broken in one to three places, and the patches that are offered for them.

A generated project installs with a stand-in that checks every file it is
given, needs the project's own files where it installs the project, and writes
something new at each run. A patch is right if the patched project builds, if
an edit of every source file and every build argument leaves the installation
a hit, and if the image holds the same files with the same owners and modes as
the broken one's.
"""

from __future__ import annotations

import hashlib
import io
import random
import secrets
import shutil
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import bases
import docker
from judging import Bench

from pytest_dockercache.context import stage
from pytest_dockercache.dockerfile import read_dockerfile
from pytest_dockercache.engines import BuildRequest
from pytest_dockercache.errors import BuildFailed, DockerCacheError
from pytest_dockercache.fixing import keeping_the_environment
from pytest_dockercache.model import Build, BuildSpec, Edit, Fix
from pytest_dockercache.project import Project, Settings
from pytest_dockercache.runs import RUN_LABEL, builder_lock, in_turn

__all__ = ["Broken", "Figures", "broken_project", "judge", "require_installers"]

INSTALLERS = "pytest-dockercache/oracle:installers-1"

_STAND_IN = r"""#!/bin/sh
set -e
tool=${0##*/}
fail() { echo "$tool: $*" >&2; exit 2; }
need() { [ -e "$1" ] || fail "no such file: $1"; }
check() {
  need "$1"
  while read -r word rest || [ -n "$word" ]; do
    case "$word" in -r|-c) (check "${1%/*}/$rest") ;; -e) [ -d "$rest" ] || fail "no $rest" ;; esac
  done < "$1"
}
project() { [ -e src/main.py ] || fail "the project's source is not here"; }
whole=yes
for word in "$@"; do
  case "$word" in --no-root|--no-install-project|--no-self) whole=no ;; esac
done
case "$tool" in
  uv) need pyproject.toml; need uv.lock; [ $whole = no ] || project ;;
  poetry) need pyproject.toml; need poetry.lock; [ $whole = no ] || project ;;
  pdm) need pyproject.toml; need pdm.lock; [ $whole = no ] || project ;;
esac
while [ $# -gt 0 ]; do
  case "$1" in
    -r|-c|-f|--file) shift; case "$1" in */*) check "$1" ;; *) check "./$1" ;; esac ;;
    .|-e) project ;;
  esac
  shift
done
mkdir -p /opt/env
cat /proc/sys/kernel/random/uuid >> /opt/env/installed
"""

_PROGRAMS = "pip conda uv poetry pdm apt-get useradd"


def require_installers(client: docker.DockerClient) -> None:
    """Make the base image with the stand-in installers, once a run."""
    bases.require_bases(client)
    copies = " && ".join(f"cp /stand-in /bin/{name}" for name in _PROGRAMS.split())
    dockerfile = f"FROM {bases.PLAIN}\nCOPY --chmod=755 stand-in /stand-in\nRUN {copies}\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("Dockerfile", dockerfile), ("stand-in", _STAND_IN)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    subprocess.run(
        ["docker", "build", "-q", "-t", INSTALLERS, "-"],
        input=archive.getvalue(), check=True, capture_output=True,
    )  # fmt: skip


# -- good projects


@dataclass
class _Good:
    """A well ordered Dockerfile in parts: before the install, the install, after it."""

    files: dict[str, str]
    system: list[str]
    manifests: list[str]
    install: list[str]
    source: list[str]
    project: list[str]
    late: list[str]
    sources: list[str]
    arguments: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)


def _good(choose: random.Random) -> _Good:
    files = {"src/main.py": "print(1)\n", "src/lib/util.py": "x = 1\n", "README.md": "# a\n"}
    workdir = choose.choice(["/app", "/srv/app", "/opt/app"])
    made = _Good(
        files=files, system=[f"WORKDIR {workdir}"], manifests=[], install=[], source=[],
        project=[], late=[], sources=["src/main.py", "src/lib/util.py"],
    )  # fmt: skip
    manager = choose.choice(
        ["pip", "pip", "include", "conda", "conda", "uv", "poetry", "pdm", "both"]
    )
    _install_with(manager, made)
    whole = manager in ("uv", "poetry", "pdm", "both") or choose.random() < 0.5
    files["assets/logo.txt"] = "logo\n"
    made.source = ["COPY . ."] if whole else ["COPY src/ src/", "COPY assets assets/"]
    made.sources.append("assets/logo.txt")
    if whole:
        made.sources.append("README.md")
    _decorate(choose, made)
    return made


def _install_with(manager: str, made: _Good) -> None:
    files = made.files
    if manager in ("pip", "both"):
        files["requirements.txt"] = "click==8\n"
        made.manifests = ["COPY requirements.txt ./"]
        made.install = ["RUN pip install --no-cache-dir -r requirements.txt"]
        if manager == "both":
            files["setup.py"] = "\n"
            made.project = ["RUN pip install --no-deps -e ."]
    elif manager == "include":
        files["requirements/prod.txt"] = "-r base.txt\n-c limits.txt\n"
        files["requirements/base.txt"] = "click==8\n"
        files["requirements/limits.txt"] = "click<9\n"
        made.manifests = ["COPY requirements/ requirements/"]
        made.install = ["RUN pip install -r requirements/prod.txt"]
    elif manager == "conda":
        files["environment.yml"] = "name: app\ndependencies: [python=3.10]\n"
        made.manifests = ["COPY environment.yml ./"]
        made.install = ["RUN conda env update -n base -f environment.yml && conda clean -afy"]
    else:
        flags = {
            "uv": ("uv sync", "--no-install-project"),
            "poetry": ("poetry install", "--no-root"),
            "pdm": ("pdm sync", "--no-self"),
        }
        command, flag = flags[manager]
        files["pyproject.toml"] = '[project]\nname = "a"\nversion = "1"\ndependencies = []\n'
        files[f"{manager}.lock"] = "# lock\n"
        made.manifests = [f"COPY pyproject.toml {manager}.lock ./"]
        made.install = [f"RUN {command} {flag}"]
        made.project = [f"RUN {command}"]


def _decorate(choose: random.Random, made: _Good) -> None:
    """Further steps as people write them."""
    files = made.files
    if choose.random() < 0.3:
        made.head.append("ENV LANG=C.UTF-8 \\\n    PYTHONUNBUFFERED=1")
    if choose.random() < 0.3:
        made.system.append("# What wheels need.\nRUN apt-get update && apt-get install -y gcc")
    if choose.random() < 0.3:
        made.system.append("RUN mkdir -p /data && touch /data/.keep")
    if choose.random() < 0.25:
        files["scripts/system.sh"] = "#!/bin/sh\nset -e\napt-get update\nmkdir -p /var/lib/x\n"
        made.system += ["COPY scripts/system.sh scripts/", "RUN sh scripts/system.sh"]
    if choose.random() < 0.4:
        files["entrypoint.sh"] = '#!/bin/sh\nexec "$@"\n'
        made.sources.append("entrypoint.sh")
        made.late += ["COPY entrypoint.sh /entrypoint.sh\nRUN chmod +x /entrypoint.sh"]
        made.tail.append('ENTRYPOINT ["/entrypoint.sh"]')
    if choose.random() < 0.5:
        made.arguments.append("GIT_SHA")
        use = choose.choice(
            ["ENV VERSION=$GIT_SHA", "RUN echo $GIT_SHA > /version", "LABEL sha=$GIT_SHA"]
        )
        made.late.append(f"ARG GIT_SHA=dev\n{use}")
    if choose.random() < 0.25:
        made.arguments.append("BUILD_DATE")
        made.late.append("ARG BUILD_DATE=2020-01-01")
    if choose.random() < 0.3:
        made.tail.append("USER 1000")
    made.tail.append('CMD ["cat", "src/main.py"]')


# -- breaking them


@dataclass(frozen=True)
class Broken:
    """A project whose source edits or arguments reinstall, and how it was broken.

    ``stages`` are further stages whose images have to stay what they are.
    """

    files: Mapping[str, str]
    dockerfile: str
    how: tuple[str, ...]
    sources: tuple[str, ...]
    arguments: tuple[str, ...]
    stages: tuple[str, ...] = ()


def broken_project(seed: int) -> Broken:
    """The project of a seed."""
    choose = random.Random(seed)
    good = _good(choose)
    how: list[str] = []
    early: list[str] = []
    ways = ["source above", "argument above", "entrypoint above", "manifest merged", "flag removed",
            "runs merged", "argument in the install"]  # fmt: skip
    choose.shuffle(ways)
    count = choose.choice([1, 1, 2, 3])
    for way in ways:
        if len(how) < count and _break(way, good, early, choose):
            how.append(way)
    parts = [*good.head, *good.system]
    place = choose.randint(len(good.head) + 1, len(parts))
    parts[place:place] = early
    staged = choose.random() < 0.2
    lines = ["ARG BASE=" + INSTALLERS, "FROM ${BASE}" + (" AS ground" if staged else ""), *parts]
    lines += ["FROM ground"] if staged else []
    documented = choose.random() < 0.2
    install = [_documented(run) if documented else run for run in good.install]
    lines += [*good.manifests, *install, *good.source, *good.project, *good.late, *good.tail]
    text = "\n".join(lines) + "\n"
    if choose.random() < 0.15 and not documented:
        text = text.replace("\n", "\r\n")
    stages = ("ground",) if staged else ()
    return Broken(good.files, text, tuple(how), tuple(good.sources), tuple(good.arguments), stages)


def _documented(run: str) -> str:
    """A RUN of a chain as a RUN of a heredoc."""
    commands = run.removeprefix("RUN ").split(" && ")
    return "\n".join(["RUN <<EOF", "set -e", *commands, "EOF"])


def _break(way: str, good: _Good, early: list[str], choose: random.Random) -> bool:
    if way == "source above" and good.source:
        chosen = choose.sample(good.source, choose.randint(1, len(good.source)))
        early += [copy for copy in good.source if copy in chosen]
        good.source = [copy for copy in good.source if copy not in chosen]
        return True
    if way == "manifest merged" and good.source == ["COPY . ."] and good.manifests:
        good.manifests, good.source = ["COPY . ."], []
        return True
    if way == "flag removed" and good.project and good.source and "pip" not in good.project[0]:
        good.manifests, good.install = [*good.source], []
        good.source = []
        return True
    if way == "runs merged" and good.project and good.source and "pip" in good.project[0]:
        first = good.install[0]
        second = choose.choice([" -e .", " && pip install --no-deps -e ."])
        good.manifests, good.install = [*good.source], [first + second]
        good.source, good.project = [], []
        return True
    moving = {"argument above": "ARG ", "entrypoint above": "COPY entrypoint.sh"}.get(way)
    if moving is not None:
        found = [part for part in good.late if part.startswith(moving)]
        if found:
            early.append(found[0])
            good.late.remove(found[0])
            return True
    if way == "argument in the install" and good.install and "&& conda" not in good.install[0]:
        used = [part for part in good.late if part.startswith("ARG GIT_SHA")]
        if used:
            good.late.remove(used[0])
            early.append("ARG GIT_SHA=dev")
            good.install[0] += " && echo $GIT_SHA > /version"
            return True
    return False


# -- judging the patches


@dataclass
class Figures:
    """The outcomes of the projects."""

    asked: int = 0
    fine: int = 0
    offered: int = 0
    right: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    without: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        share = f"{self.offered / self.asked:.1%}" if self.asked else "-"
        lines = [
            f"{self.asked} broken projects ({self.fine} more were not broken): {self.offered} "
            f"patches offered ({share}), {self.right} right, {len(self.wrong)} wrong"
        ]
        lines += [f"  wrong  seed {seed}: {why}" for seed, why in self.wrong]
        lines += [f"  {count:>4}  {text}" for text, count in self.words.most_common(12)]
        return "\n".join(lines)


def judge(made: Bench, seed: int, figures: Figures) -> None:
    """Ask for the patch of one project, and try it on the builder."""
    broken = broken_project(seed)
    home = made.folder / f"fix-{seed}"
    try:
        root = home / "broken" / "project"
        _write(root, broken)
        edits = [Edit.append(path) for path in broken.sources]
        edits += [Edit.build_arg(name) for name in broken.arguments]
        project = Project.read(_spec(root), Settings(root=root))
        fix = _fix(project, broken, made)
        if fix is None:
            figures.fine += 1
            return
        figures.asked += 1
        if fix.patch is None:
            figures.words[fix.text] += 1
            figures.without.append(seed)
            return
        figures.offered += 1
        why = _tried(made, home, broken, fix, edits)
        if why:
            figures.wrong.append((seed, why))
        else:
            figures.right += 1
    finally:
        shutil.rmtree(home, ignore_errors=True)
        if figures.asked % 10 == 9:
            made.tidy()


def _fix(project: Project, broken: Broken, made: Bench) -> Fix | None:
    """One fix for sources and arguments together; None where nothing reinstalls."""
    edits = [Edit.append(path) for path in broken.sources if not _is_needed(broken, path)]
    edits += [Edit.build_arg(name) for name in broken.arguments]
    return keeping_the_environment(project, edits, made.dialect)


def _is_needed(broken: Broken, path: str) -> bool:
    return path.startswith("scripts/")


def _write(root: Path, broken: Broken) -> None:
    for path, text in broken.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "Dockerfile").write_bytes(broken.dockerfile.encode())
    (root / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")


def _spec(root: Path) -> BuildSpec:
    return BuildSpec(root / "Dockerfile", root)


def _tried(made: Bench, home: Path, broken: Broken, fix: Fix, edits: Sequence[Edit]) -> str:
    """Why a patch is wrong, "" if it is right."""
    patched = home / "patched" / "project"
    _write(patched, broken)
    applied = subprocess.run(
        ["patch", "-p1", "--batch"], cwd=patched, input=(fix.patch or "").encode(),
        capture_output=True, check=False,
    )  # fmt: skip
    if applied.returncode:
        return f"does not apply: {applied.stdout.decode(errors='replace').strip()[-200:]}"
    nonce = secrets.token_hex(8)
    project = Project.read(_spec(patched), Settings())
    installs = {command.line for command in project.commands}
    if not installs:
        return "no installation is left"
    with in_turn(builder_lock(made.engine.info.builder)):
        try:
            before = _built(made, home / "broken" / "project", home / "staged-a", (), nonce)
        except (BuildFailed, DockerCacheError) as problem:
            return f"the broken project does not build: {str(problem)[:300]}"
        try:
            first = _built(made, patched, home / "staged-b", (), nonce)
            second = _built(made, patched, home / "staged-b", edits, nonce)
        except (BuildFailed, DockerCacheError) as problem:
            return f"does not build: {str(problem)[:300]}"
        again = [
            step.line for step in second.steps if step.line in installs and step.status != "hit"
        ]
        if again:
            return f"line {again[0]} is not a hit"
        why = _difference(_files(before.image), _files(first.image))
        for stage_name in broken.stages:
            sides = [
                _built(made, root, home / f"staged-{side}", (), nonce, stage_name)
                for side, root in (("a", home / "broken" / "project"), ("b", patched))
            ]
            other = _difference(*(_files(side.image) for side in sides))
            why = why or (other and f"stage {stage_name}: {other}")
        return why


def _built(
    made: Bench,
    root: Path,
    where: Path,
    edits: Sequence[Edit],
    nonce: str,
    target: str | None = None,
) -> Build:
    project = Project.read(replace(_spec(root), target=target), Settings())
    spec = project.spec_after(edits, nonce)
    where.mkdir(parents=True, exist_ok=True)
    staged = stage(spec, where, edits, nonce=nonce)
    request = BuildRequest(
        spec=spec, dockerfile=read_dockerfile(root / "Dockerfile"), staged=staged,
        edits=tuple(edits), labels=((RUN_LABEL, made.run),), timeout=180,
    )  # fmt: skip
    return made.engine.build(request, lambda steps: False)


_Files = Mapping[str, tuple[str, int, int]]


def _files(image: str | None) -> _Files:
    """Every file of an image: what it holds, its mode, its owner. Not what installers write."""
    client = docker.from_env()
    container = client.containers.create(str(image), ["true"])
    try:
        content = b"".join(cast("Iterator[bytes]", container.export()))
    finally:
        container.remove(force=True)
        client.close()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for entry in tar:
            if not entry.isfile() or entry.name.startswith(("opt/env/", "bin/", "etc/", "dev/")):
                continue
            data = tar.extractfile(entry)
            digest = hashlib.sha256(data.read() if data else b"").hexdigest()[:12]
            found[entry.name] = (digest, entry.mode, entry.uid)
    return found


def _difference(before: _Files, after: _Files) -> str:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            return f"{path} is {after.get(path)}, was {before.get(path)}"
    return ""
