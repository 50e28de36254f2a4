"""Some three hundred inputs that are broken, hostile or odd: what each is, and where it is tried.

Each is made in a small honest project. Nothing is built for most of them:
what a daemon says is not what they are about.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_dockercache.limits import STAGES
from tiny_image import TINY

__all__ = ["BadInput", "bad_inputs", "write_project"]

Change = Callable[[Path], None]

DOCKERFILE = f"""\
FROM {TINY}
WORKDIR /app
COPY environment.yml requirements.txt ./
RUN echo conda env update -f environment.yml && pip install -r requirements.txt || true
COPY src ./
"""


@dataclass(frozen=True)
class BadInput:
    """One input: what is changed in the project, the options, the environment.

    ``refused`` is True for what must not end green; ``builds`` for what only a
    builder refuses.
    """

    name: str
    change: Change = lambda project: None
    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False
    builds: bool = False


def write_project(project: Path) -> None:
    """The honest project."""
    (project / "src").mkdir(parents=True)
    (project / "Dockerfile").write_text(DOCKERFILE)
    (project / "environment.yml").write_text("name: a\ndependencies: [python=3.10]\n")
    (project / "requirements.txt").write_text("six==1.16.0\n")
    (project / "src" / "main.py").write_text("print()\n")
    (project / "pytest.ini").write_text("[pytest]\n")


def bad_inputs() -> tuple[BadInput, ...]:
    """All of them."""
    groups = (
        refused_dockerfiles,
        odd_dockerfiles,
        in_the_place_of_a_file,
        ignore_files,
        contexts,
        environment_files,
        options,
        settings,
        markers,
        cache_directories,
        surroundings,
    )
    found = tuple(item for group in groups for item in group())
    assert len({item.name for item in found}) == len(found)
    return found


def written(name: str, content: str | bytes) -> Change:
    """A change that writes a file."""

    def change(project: Path) -> None:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def placed(kind: str, name: str) -> Change:
    """A change that puts something in the place of a file."""

    def change(project: Path) -> None:
        path = project / name
        path.unlink(missing_ok=True)
        if kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a directory":
            path.mkdir()
        elif kind == "a socket":
            with socket.socket(socket.AF_UNIX) as made:
                here = os.getcwd()
                os.chdir(project)
                try:
                    made.bind(name)
                finally:
                    os.chdir(here)
        elif kind == "a link to itself":
            path.symlink_to(path.name)
        elif kind == "a link to nothing":
            path.symlink_to("nothing")
        elif kind == "an endless device":
            path.symlink_to("/dev/zero")
        elif kind == "a large file":
            with path.open("wb") as file:
                file.truncate(2 << 30)
        else:
            assert kind == "not UTF-8"
            path.write_bytes(b"\xff\xfe\x00a\x80\n" * 20)

    return change


# --- Dockerfiles --------------------------------------------------------------------------------


def refused_dockerfiles() -> Iterator[BadInput]:
    """Inputs that every builder refuses."""
    base = f"FROM {TINY}\n"
    texts: dict[str, str | bytes] = {
        "empty": "",
        "blank": "\n\n",
        "only a comment": "# FROM a\n",
        "only ARG": "ARG A=1\n",
        "no FROM": "RUN a\n",
        "a NUL": base + "RUN a\0b\n",
        "UTF-16": (base).encode("utf-16"),
        "a program": b"\x7fELF" + bytes(range(256)) * 40,
        "an endless heredoc": base + "RUN <<EOF\na\n",
        "an unknown instruction": base + "INSTALL numpy\n",
        "FROM without an image": "FROM\n",
        "FROM with four words": "FROM a b c d\n",
        "an empty base": "ARG B\nFROM $B\n",
        "a base in capitals": "FROM UPPER\n",
        "a base with blanks": 'FROM "a b"\n',
        "COPY of nothing": base + "COPY\n",
        "COPY of one": base + "COPY a\n",
        "COPY of a missing file": base + "COPY missing /\n",
        "COPY from a missing stage": base + "COPY --from=none:none /a /b\n",
        "COPY from itself": f"FROM {TINY} AS a\nCOPY --from=a /a /b\n",
        "COPY with an unknown flag": base + "COPY --nonsense=1 src /\n",
        "COPY out of the context": base + "COPY ../../etc/passwd /\n",
        "RUN with an unknown flag": base + "RUN --x=1 a\n",
        "a failing RUN": base + "RUN exit 3\n",
        "a RUN of no program": base + "RUN nothing-of-this-name\n",
        "WORKDIR without a path": base + "WORKDIR\n",
        "ENV without a value": base + "ENV A\n",
        "ENV with a bad name": base + "ENV =1\n",
        "LABEL without a value": base + "LABEL\n",
        "EXPOSE of letters": base + "EXPOSE abc\n",
        "USER of nobody": base + "USER nobody9\nRUN a\n",
        "a bad escape": "# escape=x\n" + base,
        "two escapes": "# escape=\\\n# escape=`\n" + base,
        "an unfinished substitution": base + "ENV A=${B\n",
        "a bad modifier": base + "ENV A=${B!c}\n",
        "an unfinished quote": base + 'ENV A="b\n',
        "a bad duration": base + "HEALTHCHECK --interval=x CMD a\n",
        "ONBUILD of ONBUILD": base + "ONBUILD ONBUILD RUN a\n",
        "ONBUILD of FROM": base + "ONBUILD FROM a\n",
        "a line too long": base + "RUN " + "a" * 70_000,
        "a bad stage name": "FROM a AS 1+1\n",
        "a bad mount": base + "RUN --mount=type=x true\n",
        "a bind of nothing": base + "RUN --mount=type=bind,source=none,target=/x true\n",
        "STOPSIGNAL of letters": base + "STOPSIGNAL abc\n",
        "a bad mode": base + "COPY --chmod=9 src /\n",
        "MAINTAINER alone": base + "MAINTAINER\n",
        "VOLUME of nothing": base + "VOLUME\n",
        "a bad SHELL": base + "SHELL /bin/sh\n",
    }
    for name, text in texts.items():
        yield BadInput(
            f"Dockerfile: {name}", written("Dockerfile", text), refused=True, builds=True
        )


def odd_dockerfiles() -> Iterator[BadInput]:
    """Odd inputs that builders read."""
    base = f"FROM {TINY}\n"
    stages = "".join(f"FROM {TINY} AS s{number}\nCOPY src /\n" for number in range(1000))
    chain = base.replace("\n", " AS s0\n") + "".join(
        f"FROM {TINY} AS s{number}\nCOPY --from=s{number - 1} / /\n" for number in range(1, 1000)
    )
    texts = {
        "a mark of order": "\ufeff" + DOCKERFILE,
        "CR LF": DOCKERFILE.replace("\n", "\r\n"),
        "CR alone": DOCKERFILE.replace("\n", "\r"),
        "lower case": DOCKERFILE.lower(),
        "a thousand stages": stages,
        "a chain of stages": chain,
        "a chain of as many stages as are compared": "FROM ".join(
            chain.split("FROM ")[: STAGES + 1]
        ),
        "stages that copy from two": "".join(
            f"FROM {TINY} AS s{n}\n"
            + ("COPY src /\n" if n < 2 else f"COPY --from=s{n - 1} / /\nCOPY --from=s{n - 2} / /\n")
            for n in range(STAGES)
        ),
        "a thousand RUNs": base + "COPY src /\n" + "RUN true\n" * 1000,
        "a thousand ARGs": base + "".join(f"ARG A{n}=1\n" for n in range(1000)) + "COPY src /\n",
        "a thousand variables": base + "".join(f"ENV A{n}=$A{n - 1}x\n" for n in range(1, 1000)),
        "doubling variables": base
        + "ENV A0=aaaaaaaaaa\n"
        + "".join(f"ENV A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 40))
        + "COPY src /\n",
        "a deep substitution": base + "ENV A=" + "${B:-" * 5000 + "}" * 5000 + "\n",
        "a deep command": base + "RUN " + "$(" * 5000 + ")" * 5000 + "\nCOPY src /\n",
        "deep brackets": base + "RUN " + "(" * 20_000 + ")" * 20_000 + "\nCOPY src /\n",
        "a long pipeline": base + "RUN a" + " | b" * 10_000 + "\nCOPY src /\n",
        "a large heredoc": base + "RUN <<E\n" + "pip install a\n" * 60_000 + "E\nCOPY src /\n",
        "loops in loops": base + "RUN " + "for a in 1 2 3; do " * 300 + "b" + "; done" * 300 + "\n",
        "functions that call each other": base
        + "RUN "
        + "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; }}; " for n in range(60))
        + "f0\n",
        "a script that runs itself": base + "COPY src /\nRUN sh /main.py\n",
        "terminal controls": base + "RUN echo '\x1b[2J\x1b]0;x\x07'\nCOPY src /\n",
        "a turned line": base + "RUN echo '\u202egnp'\nCOPY src /\n",
        "a password": base + "RUN pip install -i https://u:SECRETPW@h/s x || true\nCOPY src /\n",
        "a syntax of nobody": "# syntax=nobody/nothing:9\n" + DOCKERFILE,
        "a check": "# check=error=true\n" + DOCKERFILE,
        "a million comments": "# a\n" * 400_000 + DOCKERFILE,
        "wild cards": base + "COPY * ** [a-z]* ./\n",
        "COPY of all to all": base + "COPY / /\n",
        "ADD of URLs": base + "ADD https://u:SECRETPW@h/x https://h/y /z/\n",
        "JSON in odd forms": base + 'RUN ["a", "b" ]\nCMD [ "a" , 5 ]\nENTRYPOINT []\n',
        "a continued end": DOCKERFILE + "RUN a \\\n",
        "no line end": DOCKERFILE.rstrip("\n"),
        "FROM scratch alone": "FROM scratch\n",
        "a target of stages that are one": f"FROM {TINY} AS a\nFROM a AS a\nFROM a\nCOPY src /\n",
    }
    for name, text in texts.items():
        yield BadInput(f"Dockerfile: {name}", written("Dockerfile", text))


# --- files --------------------------------------------------------------------------------------

_PLACES = (
    "a pipe",
    "a directory",
    "a socket",
    "a link to itself",
    "an endless device",
    "a link to nothing",
    "a large file",
    "not UTF-8",
)


def in_the_place_of_a_file() -> Iterator[BadInput]:
    """Pipes, devices, loops and the like where a file is read."""
    for kind in _PLACES:
        for name in (
            "Dockerfile",
            ".dockerignore",
            "environment.yml",
            "requirements.txt",
            "Dockerfile.dockerignore",
            "compose.yaml",
            "src/main.py",
        ):
            yield BadInput(
                f"{name} is {kind}",
                placed(kind, name),
                refused=name == "Dockerfile",
                env={"DOCKER_HOST": "unix:///nobody"},
            )


def ignore_files() -> Iterator[BadInput]:
    """Ignore files."""
    texts: dict[str, str | bytes] = {
        "a lone mark": "!\n",
        "a bad class": "[a-\n",
        "a bad end": "a\\\n",
        "a bad range": "[z-a]\n",
        "a hundred thousand lines": "".join(f"a{n}*b{n}\n" for n in range(100_000)),
        "a hundred thousand stars": "".join(f"*a{n}*\n!*b[cd]{n}?\n" for n in range(50_000)),
        "nothing but wild cards": "".join(
            f"*{'?' * n}*{'/*' * m}\n" for n in range(150) for m in range(100)
        ),
        "a hundred thousand exceptions": "*\n" + "".join(f"!a{n}/**\n" for n in range(100_000)),
        "stars": "**/" + "a*" * 30 + "b\n",
        "many stars": "*" * 5000 + "\n",
        "NUL": b"a\0b\n",
        "a long line": "a" * 1_000_000 + "\n",
        "everything": "*\n",
        "everything twice": "**\n!**\n",
        "the Dockerfile": "Dockerfile\n",
        "questions": "?" * 2000 + "\n",
        "dots": "../../x\n./\n..\n",
        "classes": "[a-z]" * 1000 + "\n",
    }
    for name, text in texts.items():
        yield BadInput(f".dockerignore: {name}", written(".dockerignore", text))


def contexts() -> Iterator[BadInput]:
    """Directories."""

    def deep(project: Path) -> None:
        here = os.open(project / "src", os.O_RDONLY)
        for _ in range(30):
            os.mkdir("d" * 200, dir_fd=here)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(os.open("f", os.O_CREAT, 0o600, dir_fd=here))
        os.close(here)

    def names(project: Path) -> None:
        for name in (
            b"\xff\xfe",
            b"a\nb",
            b"-rf",
            b"\x1b[2J",
            "é".encode(),
            b" ",
            b"a" * 255,
            b"$(x)",
        ):
            (project / "src" / os.fsdecode(name)).write_text("x")

    def many(project: Path) -> None:
        for number in range(20_000):
            (project / "src" / f"f{number}.py").touch()

    def links(project: Path) -> None:
        for number in range(300):
            (project / "src" / f"l{number}").symlink_to(f"l{number + 1}")
        # Hidden: pytest itself follows links while it collects.
        (project / "src" / ".up").symlink_to("..")
        (project / "src" / "out").symlink_to("/etc/passwd")
        (project / "src" / ".root").symlink_to("/")

    def modes(project: Path) -> None:
        (project / "src" / "s").write_text("x")
        (project / "src" / "s").chmod(0o7777)
        (project / "src" / "none").write_text("x")
        (project / "src" / "none").chmod(0)
        (project / "src" / "closed").mkdir(mode=0)

    def hard(project: Path) -> None:
        os.link(project / "src/main.py", project / "src/again.py")

    def large(project: Path) -> None:
        with (project / "src" / "large").open("wb") as file:
            file.truncate(1 << 40)

    changes: dict[str, Change] = {
        "deeper than a path": deep,
        "odd names": names,
        "many files": many,
        "links": links,
        "odd modes": modes,
        "hard links": hard,
        "a terabyte of nothing": large,
        "git that is a file": written(".git", "gitdir: /nowhere\n"),
        "git that is a loop": written(".git", "gitdir: .git\n"),
        "git of nonsense": written(".git/HEAD", "ref: refs/heads/\x1b[2J\n"),
    }
    for name, change in changes.items():
        yield BadInput(f"context: {name}", change)
    for name, path in {
        "nothing": "none",
        "a file": "Dockerfile",
        "empty": "",
        "a device": "/dev",
        "processes": "/proc/self",
        "a loop": "loop",
        "long": "a" * 5000,
    }.items():
        yield BadInput(
            f"context is {name}",
            lambda project: (project / "loop").symlink_to("loop"),
            (f"--dockercache-context={path}",),
            refused=name not in ("empty",),
        )


def environment_files() -> Iterator[BadInput]:
    """Manifests and locks."""
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11)
    )
    texts: dict[str, tuple[str, str | bytes]] = {
        "laughs": ("environment.yml", laughs + "dependencies: [python]\n"),
        "itself": ("environment.yml", "dependencies: &a [*a]\n"),
        "a program": ("environment.yml", "dependencies: [!!python/object/apply:os.system [id]]\n"),
        "brackets": ("environment.yml", "[" * 100_000),
        "braces": ("environment.yml", "{" * 5000),
        "unfinished": ("environment.yml", "dependencies: [a\n"),
        "empty": ("environment.yml", ""),
        "a list": ("environment.yml", "- a\n"),
        "a word": ("environment.yml", "a"),
        "a number": ("environment.yml", "dependencies: 5\n"),
        "tabs": ("environment.yml", "\ta: 1\n"),
        "a mapping in it": ("environment.yml", "dependencies: [{a: 1}]\n"),
        "a bad spec": ("environment.yml", "dependencies: ['3.10=*=*']\n"),
        "brackets in specs": ("environment.yml", f"dependencies: ['{'[' * 50_000}']\n"),
        "controls": ("environment.yml", b"dependencies: ['\x1b[2J']\n"),
        "pip that is no list": ("environment.yml", "dependencies: [{pip: a}]\n"),
        "pip that leaves": ("environment.yml", "dependencies: [{pip: ['-r ../../etc/passwd']}]\n"),
        "keys twice": ("environment.yml", "dependencies: [a]\ndependencies: [b]\n"),
        "two documents": ("environment.yml", "dependencies: [a]\n---\ndependencies: [b]\n"),
        "out of it": ("requirements.txt", "-r ../../../../../../etc/passwd\n"),
        "absolute": ("requirements.txt", "-r /etc/passwd\n"),
        "of itself": ("requirements.txt", "-r requirements.txt\n"),
        "a NUL": ("requirements.txt", b"-r a\0b\n"),
        "nonsense": ("requirements.txt", "=== ???\n"),
        "a coding": ("requirements.txt", b"# coding: nothing\nsix\n"),
        "rot": ("requirements.txt", "# coding: rot13\nfvk\n"),
        "zip": ("requirements.txt", "# coding: zip\nsix\n"),
        "one line": ("requirements.txt", "a" * 3_000_000),
        "many lines": ("requirements.txt", "".join(f"a{n}==1\n" for n in range(50_000))),
        "continued": ("requirements.txt", "a \\\n" * 100_000),
        "a password": ("requirements.txt", "-i https://u:SECRETPW@h/s\nsix ==\n"),
        "many inclusions": ("requirements.txt", "-r r2.txt\n" * 5000),
    }
    for name, (file, text) in texts.items():
        yield BadInput(f"{file}: {name}", written(file, text))
    installs = {
        "uv.lock": "uv sync --frozen",
        "poetry.lock": "poetry install",
        "pdm.lock": "pdm sync",
        "Pipfile.lock": "pipenv sync",
        "pixi.lock": "pixi install --locked",
        "conda-lock.yml": "conda-lock install conda-lock.yml",
        "pylock.toml": "pip install -r pylock.toml",
        "pyproject.toml": "pip install .",
    }
    for lock, command in installs.items():
        for name, text in {
            "empty": "",
            "nonsense": "][",
            "brackets": "[" * 100_000,
            "a list": "[]",
            "packages of numbers": "package = [5]\n",
            "a number": "5",
        }.items():
            yield BadInput(f"{lock}: {name}", _locked(lock, command, text))


def _locked(lock: str, command: str, text: str) -> Change:
    def change(project: Path) -> None:
        (project / lock).write_text(text)
        (project / "Dockerfile").write_text(
            f"FROM {TINY}\nWORKDIR /a\nCOPY {lock} ./\nRUN {command}\nCOPY src ./\n"
        )

    return change


# --- how it is called ---------------------------------------------------------------------------


def options() -> Iterator[BadInput]:
    """Values of options that mean nothing."""
    for text in (
        "engine=docker",
        "engine=",
        "timeout=0",
        "timeout=-1",
        "timeout=soon",
        "timeout=nan",
        "timeout=1e400",
        "max-hidden=much",
        "max-hidden=-1",
        "max-size=1XB",
        "max-size=",
        "min-saving=2",
        "min-saving=-0.5",
        "min-saving=half",
        "python=three",
        "python=",
        "skip=nothing",
        "report=json",
        "report=xml:a",
        "report=json:",
        "report=json:../none/none/a.json",
        "report=json:/proc/none",
        "report=json:src",
        "base-layers=some",
        "env-step=(",
        "env-step=" + "(" * 5000,
        "env-step=(([a-z ./|-])+)+$9",
        "env-step=nothing-of-this",
        "environment=none.yml",
        "environment=src",
        "environment=/etc/passwd",
        "environment=",
        "environment=../x",
        "dockerfile=none",
        "dockerfile=src",
        "dockerfile=",
        "dockerfile=/dev/zero",
        "dockerfile=Dockerfile,context=none",
        "dockerfile=Dockerfile,nonsense=1",
        "target=none",
        "target=99999999999999999999",
        "build-arg==",
        "build-arg=",
        "edit=none.py",
        "edit=src",
        "edit=../x",
        "edit=/etc/passwd",
        "edit=.git/HEAD",
        "platform=-x",
        "platform=a/b/c/d/e",
        "builder=none",
        "secret=nonsense",
        "ssh=nonsense",
        "image=none.tar",
        "image=UPPER:a",
        "image=src",
        "image=Dockerfile",
        "image=",
        "base-image=none",
        "compare=none.tar",
        "fix=none/none/p.patch",
        "fix=src",
        "fix=",
    ):
        harmless = (
            "environment=",
            "build-arg=",
            "edit=",
            "builder=",
            "env-step=nothing",
            "python=",
            "target=",
            "secret=",
            "ssh=",
            "platform=",
            "base-image=",
            "compare=",
            "max-size=",
            "fix=",
            "engine=",
            "report=",
            "image=",
            "dockerfile=",
            "context=",
        )
        sure = not text.startswith(harmless)
        yield BadInput(
            f"--dockercache-{text[:40]}", options=(f"--dockercache-{text}",), refused=sure
        )


def settings() -> Iterator[BadInput]:
    """Values of ini files."""
    for text in (
        "dockercache_timeout = soon",
        "dockercache_engine = docker",
        "dockercache_nothing = 1",
        "dockercache_max_hidden = x",
        "dockercache_env_step = (",
        "dockercache_skip = none",
        "dockercache_report = xml:a",
        "dockercache_python = x",
        "dockercache_dockerfile = none",
        "dockercache_build_arg = =",
    ):
        yield BadInput(f"pytest.ini: {text}", written("pytest.ini", f"[pytest]\n{text}\n"))


def markers() -> Iterator[BadInput]:
    """Edits that cannot be made, each asserted about."""
    body = (
        "import pytest\nfrom pytest_dockercache import Edit\n\n"
        "@pytest.mark.dockercache(MARK)\ndef test_it(dockercache):\n    dockercache.assert_hit(2)\n"
    )
    for mark in (
        'edit="none.py"',
        'edit="../x"',
        'edit="/etc/passwd"',
        'edit="src"',
        'edit=""',
        "edit=5",
        'edit="a\\0b"',
        'edit="\\ud800"',
        'edit=Edit.replace("src/main.py", "\\ud800")',
        'edit=Edit.rename("src/main.py", "../x")',
        'edit=Edit.rename("src/main.py", "")',
        'edit=Edit.delete("none")',
        'edit=Edit.chmod("src/main.py", 0o77777)',
        'edit=Edit.create("a/../../x", "b")',
        'edit=Edit.create("Dockerfile/x", "b")',
        'edit=Edit.dockerfile("")',
        'edit=Edit.dockerfile("FROM")',
        'edit=Edit.dockerfile("\\ud800")',
        'edit=Edit.build_arg("NONE", "1")',
        'edit=Edit.base("")',
        'dockerfile="none"',
        "dockerfile=5",
        'target="none"',
        'engine="none"',
        'build_args={"=": "1"}',
        "build_args=5",
        "nonsense=1",
        'context="none"',
    ):
        yield BadInput(
            f"marker: {mark}"[:70],
            written("test_marked.py", body.replace("MARK", mark)),
            ("test_marked.py",),
            refused=True,
        )


def cache_directories() -> Iterator[BadInput]:
    """Bad files in the plugin's directory: another version, another tool, or malice left it."""
    run = "runs/0123456789ab"
    lines = (
        '["engine", 5]',
        '["engine", ["model", null, 5]]',
        "[]",
        "5",
        "null",
        "[" * 50_000,
        '["staging", "/etc"]',
        '["staging", "PRECIOUS"]',
        '["staging", "STAGING/../../precious"]',
        '["staging", "STAGING/.."]',
        '["staging", "STAGING/."]',
        '["traces", ["model", "", [[5]]]]',
        '["engine", ["none", "\\u0000", ""]]',
        '{"a": 1}',
        "\xff\xfe",
    )
    for number, line in enumerate(lines):
        yield BadInput(f"journal {number}: {line[:30]}", _kept(f"{run}/journal", line, run))
    for kind in _PLACES:
        for name in ("runs", "staging", "runs/sweep.lock", f"{run}/journal", "layers", "contexts"):
            yield BadInput(f"cache: {name} is {kind}", _put(kind, name, run))


def _kept(name: str, text: str, run: str) -> Change:
    def change(project: Path) -> None:
        home = project.parent / "cache" / "pytest-dockercache"
        (home / name).parent.mkdir(parents=True)
        (home / f"{run}.alive").touch()
        told = text.replace("STAGING", str(home / "staging"))
        (home / name).write_bytes(
            told.replace("PRECIOUS", str(project.parent / "precious")).encode("latin-1") + b"\n"
        )

    return change


def _put(kind: str, name: str, run: str) -> Change:
    def change(project: Path) -> None:
        home = project.parent / "cache" / "pytest-dockercache"
        (home / name).parent.mkdir(parents=True)
        if name.endswith("journal"):
            (home / f"{run}.alive").touch()
        placed(kind, (home / name).relative_to(project.parent).as_posix())(project.parent)

    return change


def surroundings() -> Iterator[BadInput]:
    """Variables of the environment."""
    for name, env in {
        "no home": {"HOME": ""},
        "a home that is none": {"HOME": "/nowhere"},
        "a relative cache": {"XDG_CACHE_HOME": "here"},
        "no cache": {"XDG_CACHE_HOME": ""},
        "a cache that is a file": {"XDG_CACHE_HOME": "/etc/passwd"},
        "a cache that is a device": {"XDG_CACHE_HOME": "/dev/null"},
        "a cache without end": {"XDG_CACHE_HOME": "/" + "a/" * 2500},
        "no columns": {"COLUMNS": "0"},
        "columns of letters": {"COLUMNS": "x"},
        "C": {"LC_ALL": "C"},
        "ASCII": {"PYTHONIOENCODING": "ascii"},
        "a narrow terminal": {"COLUMNS": "5"},
        "a bad host": {"DOCKER_HOST": "nonsense"},
        "a host of nothing": {"DOCKER_HOST": "tcp://"},
        "a bad port": {"DOCKER_HOST": "tcp://localhost:99999"},
        "ssh": {"DOCKER_HOST": "ssh://"},
        "a socket that is a file": {"DOCKER_HOST": "unix:///etc/passwd"},
        "a context of nobody": {"DOCKER_CONTEXT": "nobody", "DOCKER_HOST": ""},
        "a configuration that is a file": {"DOCKER_CONFIG": "/etc/passwd"},
        "TLS without keys": {"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "tcp://localhost:1"},
        "a bad time": {"SOURCE_DATE_EPOCH": "soon"},
        "a bad builder": {"BUILDX_BUILDER": "none"},
    }.items():
        yield BadInput(f"surroundings: {name}", env=env)
    for name, content in {
        "nonsense": "][",
        "a list": "[]",
        "numbers": '{"auths": 5, "proxies": 5}',
        "aliases": '{"aliases": {"builder": 5}}',
        "deep": "[" * 100_000,
        "a context": json.dumps({"currentContext": "../../x"}),
    }.items():
        yield BadInput(
            f"config.json: {name}",
            written("docker/config.json", content),
            env={"DOCKER_CONFIG": "DOCKER"},
        )


def _first(dockerfile: str, stages: int) -> str:
    """The first stages of a Dockerfile."""
    return "FROM ".join(dockerfile.split("FROM ")[: stages + 1])
