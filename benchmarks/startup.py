"""The cost of the plugin while it is off: ``pytest --collect-only`` of one test, with and without.

Side A is pytest with pytest-dockercache and its dependencies installed, side B pytest with the
dependencies, side C pytest alone. All import from a directory of links to the packages installed
here, so that the sides differ in nothing else; other plugins are left out. Counted is CPU time,
user and system, of the whole process.

The plugin's own part is A - B. What B costs more than C is pytest's: it reads the entry points of
every installed distribution twice, whatever they are.
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

from _measure import Claim, arguments, interleaved, report

LIMIT = 3.0
"""Milliseconds of CPU that the plugin may add."""

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "pytest-dockercache"


def main() -> int:
    """Measure, print, and return 0 if the target is met."""
    options = arguments(__doc__, rounds=30).parse_args()
    with tempfile.TemporaryDirectory(prefix="dockercache-startup-") as name:
        directory = Path(name)
        project = directory / "project"
        project.mkdir()
        (project / "test_one.py").write_text("def test_one(): pass\n")
        alone = _Side(project, _linked(directory / "alone", "pytest"))
        needed = [_required(text) for text in metadata.requires(PLUGIN) or ()]
        without = _Side(project, _linked(directory / "without", "pytest", *needed))
        installed = _Side(project, _linked(directory / "with", "pytest", PLUGIN))
        if installed.plugins() != [PLUGIN] or without.plugins() or alone.plugins():
            raise SystemExit("the first two sides do not differ in the plugin alone")
        for side in (installed, without, alone):  # the first run of each writes its bytecode
            side.collect()
        a, b, c = interleaved(
            {
                "A  installed, off": installed.collect,
                "B  its dependencies installed": without.collect,
                "C  pytest alone": alone.collect,
            },
            options.rounds,
            unit="ms",
        )
    facts = {"pytest": metadata.version("pytest")}
    # Round by round, because what else the machine does weighs more than the plugin.
    added = statistics.median(x - y for x, y in zip(a.values, b.values, strict=True))
    claims = [Claim("A - B, median over the rounds", added, LIMIT, "ms")]
    about = "pytest --collect-only of one test, CPU time"
    return report("startup", about, [a, b, c], claims, as_json=options.json, facts=facts)


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
        if name == PLUGIN and not (directory / "pytest_dockercache").exists():
            # An editable installation has a .pth file, which is not read here.
            (directory / "pytest_dockercache").symlink_to(ROOT / "src" / "pytest_dockercache")
    return directory


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
