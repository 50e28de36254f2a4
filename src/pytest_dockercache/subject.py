"""Build, edit, build again, compare, without pytest.

A :class:`Subject` is one Dockerfile under judgement within a run. Each distinct build of a run
happens once, in the process that asks first; its record, or its failure, is shared through the
run's directory.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from .cache import (
    can_be_repeated,
    confirmed,
    doubt_repeated_edits,
    explain,
    unexplained_misses,
)
from .cache_home import cache_home, make_directory, writing
from .context import Patch, StagedContext, normalised, stage
from .dockerfile import Dockerfile, plan, read_dockerfile, reparsed
from .engines import BuildRequest, Engine
from .errors import ConfigError, DockerCacheError, EngineUnavailable, Unverifiable
from .jsonable import to_jsonable
from .model import Build, BuildSpec, Edit, Roles, Step
from .project import Project, Settings, Siblings, require_declared, roles_by_line
from .records import BuildRecord, Durations, failure_of, read_record, write_record
from .runs import (
    RUN_LABEL,
    Run,
    builder_lock,
    digest,
    in_turn,
    read_json,
    staging_lock,
    write_json,
)
from .stopping import Stop, decided
from .values import dataclass

if TYPE_CHECKING:
    from .cache import Forecast

__all__ = ["WAITING", "Observe", "Subject", "copying", "locked"]

WAITING = "waits for another build on this builder"
"""The text in place of a build's name while the build cannot begin."""


Observe = Callable[[str, Sequence[Step]], None]
"""Called with the name of a build (``first build``, an edit) and with its steps so far."""


@dataclass
class Subject:
    """One Dockerfile under judgement: its builds in this run, and their results.

    ``observe`` is called with the news of every running build.
    """

    spec: BuildSpec
    settings: Settings
    run: Run
    observe: Observe | None = None
    siblings: Siblings = field(default_factory=Siblings, repr=False, compare=False)
    _made: dict[str, Build] = field(default_factory=dict, repr=False)
    _records: dict[str, BuildRecord] = field(default_factory=dict, repr=False)

    @cached_property
    def project(self) -> Project:
        """The Dockerfile, its steps and its context: all facts that need no build.

        Raises ConfigError.
        """
        try:
            every_stage = self.engine.builds_every_stage
        except EngineUnavailable:
            every_stage = False
        return Project.read(
            self.spec, self.settings, every_stage=every_stage, siblings=self.siblings
        )

    @cached_property
    def engine(self) -> Engine:
        """The engine that judges; each process has one for each name and builder.

        Raises EngineUnavailable, ConfigError.
        """
        return self.run.connect(self.settings.engine, self.settings.builder, self.settings.timeout)

    @property
    def predicts(self) -> bool:
        """Whether verdicts are predictions, because the engine builds nothing."""
        return self.engine.info.predicts

    @property
    def judge_row(self) -> str:
        """The engine that judged: the last line of a failure."""
        return f"engine {self.engine.info}"

    @property
    def built_here(self) -> bool:
        """True: this run builds the image."""
        return True

    @property
    def has_dockerfile(self) -> bool:
        """A subject always has a Dockerfile: there is nothing else to build."""
        return True

    @property
    def base_image(self) -> str | None:
        """None: the Dockerfile names the base image, and the user need not."""
        return None

    def first(self) -> Build:
        """The build of the unedited project.

        Raises BuildFailed, BuildTimeout, EngineUnavailable.
        """
        return self._obtain((), None)

    def after(self, edits: Sequence[Edit], stop: Stop | None = None) -> Build:
        """The build after some edits; the unedited project is built first.

        ``edits`` are all made before the one build. ``stop`` says when the build may end early;
        None lets the build run to its end. A complete build with these edits in this run answers
        for a build that may stop early.

        Raises BuildFailed, BuildTimeout, EngineUnavailable, and ConfigError for
        an edit that cannot be made.
        """
        self.first()
        context = os.path.abspath(self.spec.context)
        return self._obtain(tuple(normalised(edit, context) for edit in edits), stop)

    def image(self) -> str:
        """The reference of the image that content checks look into: the first build's.

        Raises Unverifiable if that build left no image, and the errors of :meth:`first`.
        """
        found = self.first().image
        if found is None:
            raise Unverifiable("the build left no image to look into")
        return found

    def project_of(self, image: str) -> Project:
        """The project with the Dockerfile and the build arguments that an image was built from.

        Where an edited build of this run made the image, the Dockerfile and the
        arguments are the edited ones; the files are always the unedited ones.
        """
        record = read_json(self._origin(image))
        if record is None or image == self.first().image:
            return self.project
        arguments = tuple((name, value) for name, value in record["build_args"])
        spec = replace(self.spec, build_args=arguments)
        dockerfile = reparsed(self.project.dockerfile, record["dockerfile"])
        return replace(self.project, spec=spec, dockerfile=dockerfile)

    def _origin(self, image: str) -> Path:
        return self.run.directory / "origins" / f"{digest(self._prefix(), image)}.json"

    def builds(self) -> tuple[Build, ...]:
        """Every build of this spec that the run has made so far, the first build first.

        A build that failed or took too long has neither steps nor seconds.
        """
        found = []
        prefix = self._prefix()
        place = self.run.directory / "builds"
        for name in sorted(_names_in(place)):
            if not name.startswith(f"{prefix}-") or not name.endswith(".json"):
                continue
            # A record is written once, and complete from the beginning.
            record = self._records.get(name) or read_record(place / name)
            if record is None:
                continue
            self._records[name] = record
            if record.build is not None:
                found.append((record.order, record.build))
            elif record.failure and record.failure.type in ("BuildFailed", "BuildTimeout"):
                found.append((record.order, Build(record.edits, "failed", 0.0, ())))
        return tuple(build for _, build in sorted(found, key=lambda item: item[0]))

    def seconds(self, step: Step) -> float | None:
        """The seconds of the last completed execution of a step, None if no execution was seen."""
        if step.status == "miss" and step.seconds is not None:
            return step.seconds
        twins = [item for item in self.project.steps if item.instruction.text == step.text]
        return self._durations.of(step, alone=len(twins) == 1)

    def _prefix(self) -> str:
        engine = self.engine.info
        settings = [self.settings.env_step or "", str(self.settings.timeout or "")]
        return digest(json.dumps(to_jsonable(self.spec)), engine.name, engine.builder, *settings)

    def _obtain(self, edits: tuple[Edit, ...], stop: Stop | None) -> Build:
        edits_key = json.dumps(to_jsonable(edits))
        # The nonce differs for each spec, engine, edit and stop rule, so that no build of
        # this run hits what another build of this run has cached.
        nonce = digest(self.run.nonce, self._prefix(), edits_key, repr(stop))
        complete = self._record_path(edits_key, None)
        path = self._record_path(edits_key, stop)
        for candidate in (complete, path):
            if candidate.name in self._made:
                return self._made[candidate.name]
        with locked(path.with_suffix(".lock")):
            record = read_record(complete) or read_record(path)
            if record is None:
                record = self._record(edits, stop, nonce)
                write_record(path, record)
                self._records[path.name] = record
        build = record.result()
        self._made[path.name] = build
        return build

    def _record_path(self, edits_key: str, stop: Stop | None) -> Path:
        name = f"{self._prefix()}-{digest(edits_key, repr(stop))}.json"
        return self.run.directory / "builds" / name

    def _record(self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str) -> BuildRecord:
        title = "first build" if not edits else "after " + ", ".join(map(str, edits))
        try:
            build = self._convincing(edits, stop, nonce, title)
        except DockerCacheError as problem:
            return BuildRecord(self._order(edits), edits, failure=failure_of(problem))
        return BuildRecord(self._order(edits), edits, build)

    def _order(self, edits: tuple[Edit, ...]) -> int:
        names = _names_in(self.run.directory / "builds") if edits else ()
        return sum(name.endswith(".json") for name in names) + 1 if edits else 0

    def _convincing(
        self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str, title: str
    ) -> Build:
        """A build; a build with an unexplained miss is made three times before it counts.

        The cache record of a step may have been removed, or another process may have built the step
        at that moment: the unedited build makes the record anew. Each edited build has a nonce of
        its own, because the steps of an earlier one are in the cache.

        Raises Unverifiable where an unedited build runs the same steps again: then their records do
        not stay in the cache, which says nothing about the edit.
        """
        build, surprises = self._build(edits, stop, nonce, title)
        if not surprises:
            return build
        lines = ", ".join(f"line {step.line}" for step in surprises)
        bases = self._bases()
        note = f"{lines} ran again once although nothing explains it, so the build was made again"
        for attempt in ("again", "a third time"):
            unedited, _ = self._build((), None, nonce, "unedited build once more")
            before = surprises
            build, surprises = self._build(
                edits, stop, digest(nonce, attempt), f"{title}, {attempt}"
            )
            if not surprises:
                return replace(build, warnings=(note,))
            _require_kept((*before, *surprises), unedited)
            self._require_same_bases(bases)
        return replace(build, steps=confirmed(build.steps, surprises), warnings=(note,))

    def _bases(self) -> dict[str, str]:
        """The IDs of the base images that the daemon can tell, by their names."""
        stages = [step.stage for step in self.project.steps]
        names = {stage.base for stage in stages if stage.parent is None} - {"scratch"}
        found = {}
        for name in sorted(names):
            with contextlib.suppress(DockerCacheError):
                found[name] = str(self.engine.image_config(name).get("Id"))
        return found

    def _require_same_bases(self, before: dict[str, str]) -> None:
        """Raise Unverifiable if a name of a base image stands for another image than before."""
        for name, image in self._bases().items():
            if before.get(name, image) != image:
                raise Unverifiable(
                    f"the base image {name} was replaced while the tests ran",
                    fix="keep others from tagging it meanwhile, then run again",
                )

    def _build(
        self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str, title: str
    ) -> tuple[Build, tuple[Step, ...]]:
        """One build, and its unexplained misses."""
        engine = self.engine
        if engine.info.predicts:
            return self._predicted(edits, stop, nonce, title), ()
        identity = engine.info.builder
        where = (
            cache_home()
            / "staging"
            / digest(str(self.spec.context), str(self.spec.dockerfile), identity)
        )
        spec = self.project.spec_after(edits, nonce)
        with (
            in_turn(builder_lock(identity), lambda: self._tell(WAITING, ())),
            locked(staging_lock(where)),
        ):
            self.run.note("staging", str(where))
            with copying(where):
                staged = stage(spec, where, edits, nonce=nonce)
            dockerfile = self.project.dockerfile
            roles = self.project.roles
            _require_unchanged(staged, dockerfile)
            if staged.patch is not None and staged.patch.dockerfile_text is not None:
                dockerfile = reparsed(dockerfile, staged.patch.dockerfile_text)
                roles = self._roles(dockerfile, spec)
            require_declared(edits, dockerfile)
            request = BuildRequest(
                spec=spec,
                dockerfile=dockerfile,
                staged=staged,
                edits=edits,
                labels=((RUN_LABEL, self.run.id),),
                timeout=self.settings.timeout,
                roles=roles,
                meanwhile=_import_cache_model,
            )
            try:
                build = engine.build(request, self._watch(stop, title))
            finally:
                # Not only after edits: an upload over the Engine API leaves its context behind.
                traces = engine.traces()
                if traces:
                    self.run.note("traces", [engine.info.name, identity, traces])
                    engine.remove_soon(traces)
        if edits and build.image is not None:
            made_from = {"dockerfile": dockerfile.text, "build_args": spec.build_args}
            write_json(self._origin(build.image), made_from)
        built = plan(dockerfile, spec.target, dict(spec.build_args), all_stages=True)
        # The forecast is made at most once, because it may have to look at thousands of files.
        forecast = lru_cache(1)(lambda: self._forecast(spec, staged.patch))
        explained = explain(build, built, forecast)
        changed = unchanged = frozenset[int]()
        if staged.patch is not None and (
            staged.patch.dockerfile is not None
            or not staged.patch.ignore.says_the_same(self.project.ignore)
            or any(map(can_be_repeated, edits))
        ):
            changed = frozenset(item.step.line for item in forecast() if item.status == "miss")
            unchanged = frozenset(item.step.line for item in forecast() if item.status == "hit")
        build = doubt_repeated_edits(explained, built, changed, unchanged - changed)
        self._durations.remember(build.steps)
        return build, unexplained_misses(build, forecast)

    def _predicted(
        self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str, title: str
    ) -> Build:
        """The build that the model predicts; nothing is staged and no lock is taken."""
        spec = self.project.spec_after(edits, nonce)
        before = self.project.snapshot
        after = before.after(spec, edits, nonce=nonce) if edits else before
        changed = after.dockerfile is not before.dockerfile
        require_declared(edits, after.dockerfile)
        request = BuildRequest(
            spec=spec,
            dockerfile=after.dockerfile,
            staged=StagedContext(spec.context, spec.dockerfile, self.project.ignore),
            edits=edits,
            timeout=self.settings.timeout,
            roles=self._roles(after.dockerfile, spec) if changed else self.project.roles,
            snapshots=(before, after),
        )
        return self.engine.build(request, self._watch(stop, title))

    def _forecast(self, spec: BuildSpec, patch: Patch | None) -> tuple[Forecast, ...]:
        """The model's prediction of an edited build, for the reasons of its misses."""
        from .cache import predict

        before = self.project.snapshot
        try:
            after = before if patch is None else before.patched(spec, patch)
            return predict(before, after, self.engine.dialect)
        except DockerCacheError:
            # The builder has spoken; a model that cannot follow has nothing to add.
            return ()

    def _roles(self, dockerfile: Dockerfile, spec: BuildSpec) -> Roles:
        steps = plan(dockerfile, spec.target, dict(spec.build_args), all_stages=True)
        return roles_by_line(steps, self.settings.env_step, self.project.files)

    def _watch(self, stop: Stop | None, title: str) -> Callable[[Sequence[Step]], bool]:
        def watch(steps: Sequence[Step]) -> bool:
            self._tell(title, steps)
            return decided(steps, stop, self.project.ancestors)

        return watch

    def _tell(self, title: str, steps: Sequence[Step]) -> None:
        if self.observe is not None:
            self.observe(title, steps)

    @property
    def _durations(self) -> Durations:
        """The seconds of this project's steps, for each engine and platform."""
        names = [str(self.spec.context), str(self.spec.dockerfile), self.engine.info.name]
        # Emulated, a step takes many times as long.
        name = digest(*names, *([self.spec.platform] if self.spec.platform else []))
        return Durations(cache_home() / "durations" / f"{name}.json")


def _require_kept(surprises: Sequence[Step], unedited: Build) -> None:
    """Raise Unverifiable if an unedited build had not all of these steps in the cache."""
    missed = {step.line for step in unedited.with_status("miss")}
    lost = sorted({step.line for step in surprises} & missed)
    if lost:
        lines = ", ".join(f"line {line}" for line in lost)
        raise Unverifiable(
            f"the build cache does not keep what was just built: {lines} ran again in an "
            "unedited build too",
            why="something removes its records while the tests run (docker builder prune, "
            "docker image prune, a limit of its size), or replaces a base image",
            fix="keep others from that meanwhile, then run again",
        )


def _require_unchanged(staged: StagedContext, dockerfile: Dockerfile) -> None:
    """Raise DockerCacheError if the copied Dockerfile is not the one that the run has read.

    The steps of another Dockerfile would be taken for those of this one.
    """
    if staged.patch is not None and staged.patch.dockerfile is not None:
        return
    try:
        same = read_dockerfile(staged.dockerfile).text == dockerfile.text
    except ConfigError:
        same = False
    if not same:
        raise DockerCacheError(
            f"{dockerfile.path.name} was changed while the tests ran",
            fix="run again; nothing is judged of a mixture of two Dockerfiles",
        )


def _names_in(directory: Path) -> Sequence[str]:
    """The names of the files in a directory; none where it is not there yet."""
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return ()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock below the cache directory.

    Raises ConfigError if that directory cannot be written.
    """
    lock = FileLock(path)
    with writing(path):
        make_directory(path.parent)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def copying(root: Path) -> Iterator[None]:
    """Turn an OSError while a context is copied below ``root`` into a ConfigError."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            with writing(root):
                raise
        place = problem.filename or root
        why = problem.strerror or problem
        raise ConfigError(f"the build context cannot be copied: {place}: {why}") from None


def _import_cache_model() -> None:
    """Import the cache model and PyYAML while the builder starts up: ``explain`` needs both."""
    import yaml  # noqa: F401

    from .cache import forecast  # noqa: F401
