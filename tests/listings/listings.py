"""The runs that README and docs show: each made from a sample, and each a block of a page.

    python tests/listings/listings.py [NAME…]

makes the runs on the Docker Engine that answers and writes what they print into
the pages. A block belongs to a run by the comment above it, ``<!-- example:
NAME -->``. Every run is one of a project that nobody has built before: its
working directory has a name of its own while it is built, as long as the one
that is shown.
"""

from __future__ import annotations

import re
import secrets
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))

from plugin_process import environment, run_pytest  # noqa: E402

PAGES = (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
COLUMNS = 92
WORKDIR = "/opt/app"

_BLOCK = re.compile(r"(?ms)^<!-- example: (?P<name>[\w-]+) -->\n```text\n(?P<text>.*?)^```$")
_FURNITURE = re.compile(r"(?m)^(platform |(plugins|rootdir|configfile|cachedir): ).*\n")
_RULE = re.compile(r"^(=|_)\1{3,}")


@dataclass(frozen=True)
class Listing:
    """A run of a sample, and what of its output is shown.

    ``edits`` are texts of the sample's files that are replaced first: path, old
    text, new text; an empty old text appends. ``part`` is ``run`` for everything,
    ``failure`` for the failing check with the tables, ``fixes`` for what was proven,
    else the ID of the check whose failure is shown.
    """

    sample: str
    part: str
    options: tuple[str, ...] = ()
    edits: tuple[tuple[str, str, str], ...] = field(default=())


_NO_CLEAN = ("Dockerfile", "    && conda clean --all --force-pkgs-dirs --yes \\\n", "")
_UNINSTALL = ("Dockerfile", "", "RUN pip uninstall --yes tabulate\n")

LISTINGS: Mapping[str, Listing] = {
    "run": Listing("optimized", "run"),
    "failure": Listing("broken-source-first", "failure", ("--dockercache-fix=fix.patch",)),
    "verdict": Listing("broken-source-first", "env-layer-cached"),
    "env-layer-cached": Listing("broken-source-first", "env-layer-cached"),
    "env-change-rebuilds": Listing("broken-environment-unread", "env-change-rebuilds"),
    "build-args-late": Listing("broken-build-arg-early", "build-args-late"),
    "builds": Listing("broken-does-not-build", "builds"),
    "ignored-file": Listing("optimized", "builds", edits=((".dockerignore", "", "*.yml\n"),)),
    "dockerignore-effective": Listing("broken-no-dockerignore", "dockerignore-effective"),
    "no-package-caches": Listing("broken-no-clean", "no-package-caches"),
    "no-bytecode": Listing("broken-bytecode-left", "no-bytecode"),
    "no-hidden-bytes": Listing("broken-clean-separate", "no-hidden-bytes"),
    "no-hidden-bytes-copy": Listing("broken-bytecode-after-copy", "no-hidden-bytes"),
    "python-version": Listing("broken-python-version", "python-version"),
    "environment-matches": Listing("optimized", "environment-matches", edits=(_UNINSTALL,)),
    "image-size": Listing("optimized", "image-size", ("--dockercache-max-size=200MB",)),
    "reshipped-bytes": Listing(
        "broken-source-first", "reshipped-bytes", ("--dockercache-max-reship=1MB",)
    ),
    "rebuild-saving": Listing(
        "broken-source-first", "rebuild-saving", ("--dockercache-min-saving=80%",)
    ),
    "context-first": Listing("broken-context-first", "env-layer-cached"),
    "fixes": Listing(
        "broken-context-first", "fixes", ("--dockercache-fix=fix.patch",), (_NO_CLEAN,)
    ),
}


def printed(name: str, base: str, scratch: Path) -> str:
    """What pytest prints in a run of a listing, on a base image, below ``scratch``."""
    listing = LISTINGS[name]
    project = scratch / name
    shutil.copytree(ROOT / "fixtures" / listing.sample, project, symlinks=True)
    for path, old, new in listing.edits:
        text = (project / path).read_text()
        assert old in text
        (project / path).write_text(text.replace(old, new) if old else text + new)
    own = "/" + "".join(secrets.choice(string.ascii_lowercase) for _ in WORKDIR[1:])
    dockerfile = project / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace(WORKDIR, own))
    only = listing.part in ("run", "failure", "fixes")
    ended = run_pytest(
        project,
        *("-p", "no:cacheprovider", "-p", "no:randomly", *listing.options),
        f"--dockercache-build-arg=BASE={base}",
        "Dockerfile" if only else f"Dockerfile::{listing.part}",
        env=environment(COLUMNS=str(COLUMNS), XDG_CACHE_HOME=str(scratch / f"{name}-cache")),
        stderr=subprocess.STDOUT,
    )
    return ended.stdout.replace(own, WORKDIR)


def shown(name: str, output: str) -> str:
    """The part of a run's output that the page shows."""
    part = LISTINGS[name].part
    lines = [line.rstrip() for line in _FURNITURE.sub("", output).splitlines()]
    if part == "run":
        found = lines
    elif part == "fixes":
        start = next(i for i, line in enumerate(lines) if line.startswith("fixes:"))
        rest = next(i for i, line in enumerate(lines) if i > start and not line.startswith(" "))
        found = lines[start:rest]
    elif part == "failure":
        start = next(i for i, line in enumerate(lines) if re.match(r"_+ Dockerfile::", line))
        found = lines[start : _index(lines, "short test summary")]
    else:
        start = next(i for i, line in enumerate(lines) if re.match(rf"_+ .*{part} _+$", line))
        end = next(i for i, line in enumerate(lines) if i > start and _RULE.match(line))
        found = lines[start + 1 : end]
    return "\n".join(found).strip("\n") + "\n"


def _index(lines: list[str], words: str) -> int:
    return next(number for number, line in enumerate(lines) if words in line)


def pages() -> Iterator[tuple[Path, str, str]]:
    """Every block of a page that is a listing: page, name and text."""
    for page in PAGES:
        for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
            yield page, found["name"], found["text"]


def lasting(text: str) -> list[str]:
    """The lines of a listing, sorted, without what is another at every run: times, sizes, versions.

    How far a row's text is cut depends on the width of the times beside it. Which steps
    a log names while they run depends on what the builder tells when, and so does the
    order in which a failed step's two streams come.
    """
    text = re.sub(r"buildx \d[\w.+~]*, Docker Engine \d[\w.+~]*", "ENGINE", text)
    text = re.sub(r"\b\d+ min \d+ s\b|\b\d+(\.\d+)? ?(s|B|kB|MB|GB|%)(?!\w)", "#", text)
    text = re.sub(r"\b\d+ (\.pyc file|file|of its files)", r"# \1", text)
    text = re.sub(r"(?m)\b\d+\.\d$", "#", text)  # the column of seconds
    text = re.sub(r"\b\d+\.\d of \d+\.\d step-", "# of # step-", text)
    text = re.sub(r"(?m)^(.{30}).*?…", r"\1…", text)
    lines = (re.sub(r"={2,}|_{3,}|\s{2,}", " ", line).strip() for line in text.splitlines())
    progress = ("first build: line", "after ", "Dockerfile .", "Dockerfile F")
    return sorted(
        line for line in lines if line not in ("", "Dockerfile") and not line.startswith(progress)
    )


def base_image() -> str:
    """The tag of the stand-in for the samples' base image, built if it is missing."""
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "miniconda-stand-in"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()


def main(names: list[str]) -> int:
    """Make the runs again and write them into the pages."""
    base = base_image()
    for name in names or LISTINGS:
        with tempfile.TemporaryDirectory() as scratch:
            text = shown(name, printed(name, base, Path(scratch)))
        for page in PAGES:
            before = page.read_text(encoding="utf-8")
            start = f"<!-- example: {name} -->\n```text\n"
            after = _BLOCK.sub(
                lambda found, name=name, text=text, start=start: (  # type: ignore[misc]
                    f"{start}{text}```" if found["name"] == name else found[0]
                ),
                before,
            )
            if after != before:
                page.write_text(after, encoding="utf-8")
                print(f"{name}: {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
