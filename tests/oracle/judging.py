"""Build a case twice on a real engine, and hold every step against the model's word."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import bases
import docker
from world import Case, write

from pytest_dockercache.cache import (
    BUILDKIT,
    BUILDKIT_OVER_API,
    CLASSIC,
    Dialect,
    Snapshot,
    predict,
)
from pytest_dockercache.context import apply_argument_edits, stage
from pytest_dockercache.dockerfile import BaseImage, read_dockerfile
from pytest_dockercache.engines import BuildRequest, Engine, create_engine
from pytest_dockercache.errors import BuildFailed, ConfigError
from pytest_dockercache.model import Build, BuildSpec, Step
from pytest_dockercache.runs import RUN_LABEL, builder_lock, in_turn

__all__ = ["Bench", "Finding", "InapplicableError", "Table", "bench"]


@dataclass(frozen=True)
class Finding:
    """One step: the builder's statuses and the model's predictions.

    ``verdict`` is ``agreed``, ``false hit``, ``false miss``, ``unknown`` or
    ``unknowable``: not known by the model, the last where the reference says
    that nobody can know.
    """

    step: Step
    real: str
    said: str
    verdict: str
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.verdict}: line {self.step.line} {self.step.text!r}: "
            f"the builder says {self.real}, the model {self.said}"
            + (f" ({self.note})" if self.note else "")
        )


@dataclass
class Table:
    """How often model and builder agreed, by instruction and kind of edit."""

    cells: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cases: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, findings: tuple[Finding, ...]) -> None:
        """Count one case."""
        self.cases += 1
        for item in findings:
            self.cells[item.step.instruction, kind, item.verdict] += 1

    def rows(self) -> list[list[str]]:
        """The table as text: one row an instruction and kind of edit, totals last."""
        verdicts = ("agreed", "false hit", "false miss", "unknown", "unknowable")
        header = ["instruction", "edit", "steps", *verdicts, "unknown share"]
        rows = [header]
        pairs = sorted({(name, kind) for name, kind, _ in self.cells})
        totals: Counter[str] = Counter()
        for name, kind in pairs:
            counts = Counter({v: self.cells[name, kind, v] for v in verdicts})
            totals.update(counts)
            rows.append(self._row(name, kind, counts, verdicts))
        rows.append(self._row("all", "", totals, verdicts))
        return rows

    def _row(
        self, name: str, kind: str, counts: Counter[str], verdicts: tuple[str, ...]
    ) -> list[str]:
        knowable = sum(counts.values()) - counts["unknowable"]
        share = f"{counts['unknown'] / knowable:.1%}" if knowable else "-"
        cells = [str(counts[verdict]) for verdict in verdicts]
        return [name, kind, str(sum(counts.values())), *cells, share]

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


@dataclass
class Bench:
    """An engine, the base images, and a label by which everything made here is removed."""

    engine: Engine
    folder: Path
    run: str
    known: Mapping[str, BaseImage]
    same: Mapping[str, str]
    dialect: Dialect
    made: int = 0
    _records: set[str] = field(default_factory=set)

    def judge(self, case: Case) -> tuple[Finding, ...]:
        """Every step of the second build against the model.

        Raises Inapplicable if the case cannot be built, or its edit not made.
        """
        self.made += 1
        nonce = f"{self.run}-{self.made}-{secrets.token_hex(4)}"
        home = self.folder / f"case-{self.made}"
        try:
            spec = write(case, home / "project", nonce)
            return self._judge(case, spec, home / "staged", nonce)
        finally:
            shutil.rmtree(home, ignore_errors=True)
            if self.made % 20 == 0:
                self.tidy()

    def _judge(self, case: Case, spec: BuildSpec, where: Path, nonce: str) -> tuple[Finding, ...]:
        try:
            dockerfile = read_dockerfile(spec.dockerfile)
            before = Snapshot.read(
                spec, dockerfile=dockerfile, bases=self.known, identities=self.same
            )
            changed = apply_argument_edits(spec, case.edits, nonce, {})
            after = before.after(changed, case.edits, nonce=nonce)
        except ConfigError as problem:
            raise InapplicableError(f"refused: {problem}") from None
        failure: BuildFailed | None = None
        try:
            said = predict(before, after, self.dialect)
            blind = predict(_blind(before), _blind(after), self.dialect)
        except BuildFailed as problem:
            said, blind, failure = (), (), problem
        except ConfigError as problem:
            raise InapplicableError(f"refused by the model: {problem}") from None
        where.mkdir(parents=True)
        with in_turn(builder_lock(self.engine.info.builder)):
            try:
                self._build(case, spec, spec, where, nonce, edited=False)
            except BuildFailed as problem:
                raise InapplicableError(f"first build: {problem}\n{problem.log}") from None
            try:
                real = self._build(case, spec, changed, where, nonce, edited=True)
            except ConfigError as problem:
                raise InapplicableError(f"refused by staging: {problem}") from None
            except BuildFailed as problem:
                if failure is not None:
                    return ()
                raise InapplicableError(f"second build: {problem}\n{problem.log}") from None
        if failure is not None:
            step = Step(failure.line or 0, "", "COPY", str(failure))
            return (Finding(step, "built", "fails", "false miss", str(failure)),)
        findings = list(_compare(real, said, self.dialect))
        # Without knowledge of the base, more is unknown, but nothing may be wrong.
        findings += [
            replace(item, note=f"blind: {item.note}")
            for item in _compare(real, blind, self.dialect)
            if item.verdict.startswith("false")
        ]
        return tuple(findings)

    def _build(
        self, case: Case, spec: BuildSpec, changed: BuildSpec, where: Path, nonce: str, *,
        edited: bool,
    ) -> Build:  # fmt: skip
        edits = case.edits if edited else ()
        built = changed if edited else spec
        staged = stage(built, where, edits, nonce=nonce)
        dockerfile = replace(read_dockerfile(staged.dockerfile), path=spec.dockerfile)
        request = BuildRequest(
            spec=built,
            dockerfile=dockerfile,
            staged=staged,
            edits=edits,
            labels=((RUN_LABEL, self.run),),
            timeout=120,
        )
        return self.engine.build(request, lambda steps: False)

    def tidy(self) -> None:
        """Remove the images and records that the cases so far left."""
        self.engine.remove_labelled(RUN_LABEL, self.run)
        self.engine.remove_traces(self.engine.traces())


class InapplicableError(Exception):
    """A case that says nothing: it does not build, or its edit cannot be made."""


def _blind(snapshot: Snapshot) -> Snapshot:
    """The prediction without the bases' configurations, as in a user's run."""
    return replace(snapshot, bases={})


def _compare(real: Build, said: tuple[object, ...], dialect: Dialect) -> Iterator[Finding]:
    forecasts = list(said)
    for step in real.steps:
        match = next(
            (
                item
                for item in forecasts
                if item.step.line == step.line  # type: ignore[attr-defined]
                and (item.step.instruction.text == step.text or step.instruction == "ONBUILD")  # type: ignore[attr-defined]
            ),
            None,
        )
        if match is None:
            yield Finding(step, step.status, "nothing", "false miss", "the model has no such step")
            continue
        if step.instruction != "ONBUILD" or dialect.name != "classic":
            forecasts.remove(match)
        status, note = match.status, match.note or ""  # type: ignore[attr-defined]
        if match.reason is not None:  # type: ignore[attr-defined]
            note = match.reason.message  # type: ignore[attr-defined]
        if step.status in ("unknown", "not-reached"):
            yield Finding(step, step.status, status, "unread", step.note or "")
        elif status == step.status:
            yield Finding(step, step.status, status, "agreed", note)
        elif status == "unknown":
            depends = ("stage", "runs on top of", "holds", "made anew")
            verdict = "unknowable" if any(text in note for text in depends) else "unknown"
            yield Finding(step, step.status, status, verdict, note)
        else:
            yield Finding(step, step.status, status, f"false {status}", note)


@contextlib.contextmanager
def bench(name: str = "buildx") -> Iterator[Bench]:
    """An engine to judge cases on; everything that they leave is removed at the end."""
    engine = create_engine(name)
    run = f"oracle-{secrets.token_hex(4)}"
    classic = engine.info.name == "classic"
    client = docker.from_env()
    bases.require_bases(client)
    major = int(engine.info.server.split(".")[0])
    dialects = {"classic": CLASSIC, "buildkit": BUILDKIT_OVER_API}
    dialect = replace(dialects.get(engine.info.name, BUILDKIT), engine=major)
    with tempfile.TemporaryDirectory(prefix="dockercache-oracle-") as folder:
        made = Bench(
            engine,
            Path(folder),
            run,
            bases.bases(client),
            bases.identities(client, classic=classic),
            dialect,
        )
        try:
            yield made
        finally:
            made.tidy()
            engine.close()
            client.close()
