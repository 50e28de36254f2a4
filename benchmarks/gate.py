"""The cost of the gate for a pull request: our cache checks against the same builds done by hand.

Side A is ``pytest --dockercache`` with the cache checks of a copy of ``fixtures/optimized``,
everything warm. Side B is an empty pytest run, and the builds that somebody would make by hand for
the same claims: as it is, one with every edit that must not matter to the environment, one with the
environment file edited, one with changes in ignored paths. The builds of the other side are made
with the docker CLI alone and stopped at the plugin's events, when the builder can end the running
command: a build is stopped when its docker process is gone. Beside them, B up to the events alone,
and all checks together.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from _docker import ROOT, Cli, Vertices, base_image, engine_facts, pytest_run, workshop
from _measure import Claim, Timing, arguments, interleaved, parts_of, report

CACHE_CHECKS = "builds or layer-cached or change-rebuilds or args-late or dockerignore"
COPY_ENVIRONMENT, RUN_ENVIRONMENT, COPY_SOURCE = (
    "COPY environment.yml ./",
    "conda env update --name app",
    "COPY src/ src/",
)
IGNORED = (".git", ".pytest_cache", "src/__pycache__")


def main() -> int:
    """Measure, print, and return 0 if both targets are met."""
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--base", metavar="IMAGE", help="the base image (default: the stand-in)")
    options = parser.parse_args()
    base = options.base or base_image()
    cli = Cli({"BASE": base})
    with workshop(cli.token, (COPY_ENVIRONMENT, RUN_ENVIRONMENT, COPY_SOURCE)) as directory:
        ours = _Ours(directory / "ours", base)
        by_hand = _ByHand(directory / "by-hand", cli)
        sides: dict[str, Callable[[], float]] = {
            "A  pytest --dockercache, cache checks": ours.cache_checks,
            "B  empty pytest run + builds by hand": by_hand.everything,
            "C  pytest --dockercache, all checks": ours.all_checks,
        }
        for warm_up in sides.values():
            warm_up()
        by_hand.rounds.clear()
        by_hand.to_events.clear()
        a, b, c = interleaved(sides, options.rounds)
    claims = [
        Claim("A / B, ratio of medians", a.median / b.median, 1.1),
        Claim("C, all checks together", c.median, 3.0, "s"),
    ]
    events = Timing("B up to the events, nothing stopped", tuple(by_hand.to_events))
    timings = [a, b, *parts_of(b.name, by_hand.rounds), events, c]
    about = "the checks of fixtures/optimized, everything warm"
    return report("gate", about, timings, claims, as_json=options.json, facts=engine_facts())


class _Ours:
    """Runs of the plugin in a copy of the sample, with a cache directory of their own."""

    def __init__(self, directory: Path, base: str) -> None:
        self._project = _sample(directory / "project")
        self._options = ["--dockercache", f"--dockercache-build-arg=BASE={base}"]
        self._environment = {"XDG_CACHE_HOME": str(directory / "cache")}

    def cache_checks(self) -> float:
        return self._run("-k", CACHE_CHECKS, passed=5)

    def all_checks(self) -> float:
        return self._run()

    def _run(self, *more: str, passed: int | None = None) -> float:
        return pytest_run(self._project, [*self._options, *more], self._environment, passed=passed)


@dataclass
class _ByHand:
    """The builds with the docker CLI, and the empty pytest run to which they are added."""

    directory: Path
    cli: Cli
    rounds: list[dict[str, float]] = field(default_factory=list)
    to_events: list[float] = field(default_factory=list)
    _lingering: float = 0.0

    def __post_init__(self) -> None:
        self._project = _sample(self.directory / "project")
        self._empty = self.directory / "empty"
        self._empty.mkdir()
        (self._empty / "test_nothing.py").write_text("def test_nothing():\n    pass\n")

    def everything(self) -> float:
        """One round, in seconds until the last docker process is gone.

        Its parts are kept in ``rounds``; ``to_events`` has the seconds up to the event at which
        each build is stopped.
        """
        self._lingering = 0.0
        parts = {"empty pytest run": pytest_run(self._empty, [], {}, passed=1)}
        parts["first build"] = self._build()
        # The sample declares no build argument that a step sees: the edit of a file is all.
        parts["after the harmless edits"] = self._edited(
            "src/main.py", lambda seen: seen.runs(COPY_SOURCE) and seen.hit(RUN_ENVIRONMENT)
        )
        parts["after the environment edit"] = self._edited(
            "environment.yml", lambda seen: seen.runs(RUN_ENVIRONMENT), RUN_ENVIRONMENT
        )
        parts["after changes in ignored paths"] = self._ignored()
        self.to_events.append(sum(parts.values()))
        parts["stopping the builds"] = self._lingering
        self.rounds.append(parts)
        return sum(parts.values())

    def _build(
        self, until: Callable[[Vertices], bool] | None = None, running: str | None = None
    ) -> float:
        built = self.cli.build(self._project, until, running)
        self._lingering += built.gone - built.seconds
        if until is None and built.seen.runs(COPY_SOURCE) and self.rounds:
            raise SystemExit("a step ran in a build that everything should have been cached for")
        return built.seconds

    def _edited(
        self, path: str, until: Callable[[Vertices], bool], running: str | None = None
    ) -> float:
        file = self._project / path
        before = file.read_text()
        file.write_text(f"{before}# {secrets.token_hex(6)}\n")
        try:
            return self._build(until, running)
        finally:
            file.write_text(before)

    def _ignored(self) -> float:
        probes = [self._project / path / "probe" for path in IGNORED]
        for probe in probes:
            probe.parent.mkdir(exist_ok=True)
            probe.write_text(secrets.token_hex(6))
        try:
            return self._build()
        finally:
            for probe in probes:
                shutil.rmtree(probe.parent)


def _sample(project: Path) -> Path:
    shutil.copytree(ROOT / "fixtures" / "optimized", project)
    return project


if __name__ == "__main__":
    sys.exit(main())
