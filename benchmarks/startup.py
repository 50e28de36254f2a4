"""The cost of the plugin while it is off: ``pytest --collect-only`` of one test, with and without.

All sides import from a directory of links to the packages installed here, so that they differ in
nothing else; other plugins are left out. Counted is CPU time, user and system, of the whole
process.

- A: pytest, pytest-dockercache and its dependencies, as pip installs a wheel. pytest reads the list
  of the installed files of every distribution that has a plugin (``RECORD``), and looks whether
  each file is there.
- B: the same, but with a list of two modules alone: A - B is what reading the list costs.
- C: pytest and the dependencies: B - C is the plugin's own part, which has a target.
- D: pytest alone, which reads the entry points of every installed distribution.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from _measure import Claim, Timing, arguments, interleaved, report

LIMIT = 3.0
"""Milliseconds of CPU that the plugin may add."""

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "pytest_dockercache"
PLUGIN = "pytest-dockercache"


def main() -> int:
    """Measure, print, and return 0 if the target is met."""
    options = arguments(__doc__, rounds=60).parse_args()
    with tempfile.TemporaryDirectory(prefix="dockercache-startup-") as name:
        directory = Path(name)
        project = directory / "project"
        project.mkdir()
        (project / "test_one.py").write_text("def test_one(): pass\n")
        needed = ["pytest", *(_required(text) for text in metadata.requires(PLUGIN) or ())]
        packages = {
            "A  installed from a wheel, off": _linked(directory / "wheel", *needed),
            "B  with a short list of its files": _linked(directory / "short", *needed),
            "C  its dependencies installed": _linked(directory / "without", *needed),
            "D  pytest alone": _linked(directory / "alone", "pytest"),
        }
        wheel, short, *_ = packages.values()
        _add_plugin(wheel, [name for file in _modules() for name in _installed(file)])
        _add_plugin(short, ["pytest_dockercache/__init__.py", "pytest_dockercache/plugin.py"])
        sides = {name: _Side(project, path) for name, path in packages.items()}
        if [side.plugins() for side in sides.values()] != [[PLUGIN], [PLUGIN], [], []]:
            raise SystemExit("the sides do not differ in the plugin alone")
        for side in sides.values():  # the first run of each writes its bytecode
            side.collect()
        timings = interleaved(
            {name: side.collect for name, side in sides.items()}, options.rounds, unit="ms"
        )
    a, b, c, d = timings
    facts = {
        "pytest": metadata.version("pytest"),
        "A - B": f"{_between(a, b):.1f} ms",
        "A - D": f"{_between(a, d):.1f} ms",
    }
    claims = [Claim("B - C, median over the rounds", _between(b, c), LIMIT, "ms")]
    about = "pytest --collect-only of one test, CPU time"
    return report("startup", about, timings, claims, as_json=options.json, facts=facts)


def _between(more: Timing, less: Timing) -> float:
    """What one side takes more than another, round by round: rounds differ more than sides."""
    return statistics.median(x - y for x, y in zip(more.values, less.values, strict=True))


@dataclass(frozen=True)
class _Side:
    """A Python that can import the modules of one directory, besides the standard library."""

    project: Path
    packages: Path

    def collect(self) -> float:
        """Collect the test once; return the CPU time in milliseconds."""
        process = subprocess.Popen(
            [*self._python(), "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
            cwd=self.project,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"pytest ended with {process.returncode} in {self.packages}")
        return (usage.ru_utime + usage.ru_stime) * 1000

    def plugins(self) -> list[str]:
        """The installed distributions that have a pytest plugin, as this side sees them."""
        code = (
            "from importlib.metadata import distributions as d\n"
            "print(*sorted({x.name for x in d() "
            "for e in x.entry_points if e.group == 'pytest11'}))"
        )
        done = subprocess.run(
            [*self._python(), "-c", code],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    def _python(self) -> list[str]:
        # Without site, a virtual environment's own packages are out of reach.
        return [sys.executable, "-S"]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "PYTHONPATH": str(self.packages)}


def _linked(directory: Path, *names: str) -> Path:
    """A directory with links to some distributions and to everything that they require."""
    directory.mkdir()
    for name in sorted(_closure(names)):
        distribution = metadata.distribution(name)
        for entry in _entries(distribution):
            link = directory / entry.name
            if not link.exists():
                link.symlink_to(entry)
    return directory


def _add_plugin(directory: Path, files: list[str]) -> None:
    """Add the plugin to a directory of packages, with this list of its files."""
    (directory / "pytest_dockercache").symlink_to(PACKAGE)
    distribution = metadata.distribution(PLUGIN)
    info = f"pytest_dockercache-{distribution.version}.dist-info"
    (directory / info).mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (directory / info / name).write_text(distribution.read_text(name) or "")
    listed = [*files, *(f"{info}/{name}" for name in ("METADATA", "RECORD", "entry_points.txt"))]
    (directory / info / "RECORD").write_text("".join(f"{name},,\n" for name in listed))


def _modules() -> list[Path]:
    return sorted(file.relative_to(PACKAGE.parent) for file in PACKAGE.rglob("*.py"))


def _installed(module: Path) -> tuple[str, str]:
    """The two files of a module that pip lists: its source, and the bytecode that pip makes."""
    bytecode = f"{module.stem}.{sys.implementation.cache_tag}.pyc"
    return str(module), str(module.parent / "__pycache__" / bytecode)


def _closure(names: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = _normal(pending.pop())
        if name in found:
            continue
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another Python or system
        found.add(name)
        pending += [_required(text) for text in requirements if "extra ==" not in text]
    return found


def _required(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        raise SystemExit(f"not a requirement: {requirement}")
    return match[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _entries(distribution: metadata.Distribution) -> Iterator[Path]:
    """The files of a distribution, as entries of the directory it is installed in."""
    for file in distribution.files or ():
        top = file.parts[0]
        if top not in ("..", "__pycache__") and not top.endswith(".pth"):
            yield Path(str(distribution.locate_file(top)))


if __name__ == "__main__":
    raise SystemExit(main())
