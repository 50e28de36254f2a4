"""The heart: build, edit, build again, compare; no pytest in it.

A :class:`Subject` is one Dockerfile under judgement within a run. Each
distinct build of a run happens once, whichever process asks first; its
record, or its failure, is shared through the run's directory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock

from . import errors
from .cache import (
    BUILDKIT,
    CLASSIC,
    UPLOADED,
    Snapshot,
    can_be_repeated,
    doubt_repeated_edits,
    explain,
    stage_ancestors,
)
from .context import (
    ContextEntry,
    IgnoreRules,
    StagedContext,
    apply_argument_edits,
    stage,
)
from .dockerfile import (
    Dockerfile,
    PlannedStep,
    declared,
    is_predefined,
    parse_dockerfile,
    plan,
    read_dockerfile,
    resolve_stage,
)
from .engines import BuildRequest, Engine, create_engine, forget_answers
from .environments import (
    Choice,
    EnvironmentCommand,
    EnvironmentFile,
    choose_source,
    environment_commands,
    environment_files,
    named_source,
    roles_of,
)
from .errors import (
    BuildFailed,
    ConfigError,
    DockerCacheError,
    EngineUnavailable,
    Unverifiable,
)
from .model import (
    Build,
    BuildSpec,
    Edit,
    Role,
    Step,
    build_from_json,
    edit_from_json,
    to_jsonable,
)
from .runs import (
    RUN_LABEL,
    Leftovers,
    Run,
    builder_lock,
    cache_home,
    digest,
    in_turn,
    known_engines,
    read_json,
    staging_lock,
)
from .runs import write_json as _write_json

if TYPE_CHECKING:
    from .cache import Forecast

__all__ = [
    "RUN_LABEL",
    "Leftovers",
    "Project",
    "Run",
    "Settings",
    "Stop",
    "Subject",
    "decided",
    "find_steps",
    "forget_engines",
    "named_step",
]

StopRule = Literal["any-miss", "miss", "hit", "decided"]


@dataclass(frozen=True)
class Stop:
    """When a build may end before its image is made.

    ``any-miss``: as soon as any step misses. The others look at the steps
    with the first ``lines`` (None: the environment steps): ``miss`` ends when
    one of them misses, or all hit and something else missed; ``hit`` when one
    of them hits, or all miss; ``decided`` when each has hit or missed. A step
    below a RUN that missed counts as missed: it need not be waited for.
    """

    rule: StopRule
    lines: tuple[int, ...] | None = None


Observe = Callable[[str, Sequence[Step]], None]
"""Told what is being built (``first build``, an edit) and the steps as they stand."""


@dataclass(frozen=True)
class Settings:
    """How a Dockerfile is judged: the values of the options, checked.

    ``timeout`` is in seconds a build, ``max_hidden`` and ``max_size`` in
    bytes, ``min_saving`` a share between 0 and 1. ``env_step`` is a regular
    expression over the text of RUN instructions; ``environment`` and ``edit``
    are context paths. ``compare`` is the image whose environment the judged
    one must have: a daemon's, or the path of an archive or OCI directory.
    """

    engine: str = "auto"
    builder: str | None = None
    timeout: float | None = None
    keep: bool = False
    edit: str | None = None
    env_step: str | None = None
    environment: tuple[str, ...] = ()
    python: str | None = None
    base_layers: Literal["ignore", "check"] = "ignore"
    max_hidden: int = 10_000_000
    max_size: int | None = None
    min_saving: float | None = None
    compare: str | None = None


@dataclass(frozen=True)
class Project:
    """What can be known of a spec without building it: its Dockerfile, steps and files."""

    spec: BuildSpec
    settings: Settings
    dockerfile: Dockerfile
    steps: tuple[PlannedStep, ...]
    all_steps: tuple[PlannedStep, ...]
    ignore: IgnoreRules

    @classmethod
    def read(cls, spec: BuildSpec, settings: Settings) -> Project:
        """Read the Dockerfile and the ignore rules of a spec.

        Raises ConfigError for a Dockerfile, target or context that cannot be used.
        """
        if not spec.context.is_dir():
            raise ConfigError(
                f"build context {spec.context} is not a directory\n"
                "  fix    name an existing directory with --dockercache-context"
            )
        if settings.env_step is not None:
            _compiled(settings.env_step, "--dockercache-env-step")
        dockerfile = read_dockerfile(spec.dockerfile)
        resolve_stage(dockerfile, spec.target)
        steps, all_steps = _plans(spec, settings, dockerfile)
        ignore = IgnoreRules.load(spec.context, spec.dockerfile)
        return cls(spec, settings, dockerfile, steps, all_steps, ignore)

    @property
    def final_stage(self) -> int:
        """The index of the stage that the image is made from."""
        return resolve_stage(self.dockerfile, self.spec.target).index

    @cached_property
    def entries(self) -> tuple[ContextEntry, ...]:
        """What the build context holds after the ignore rules."""
        return tuple(self.snapshot.tree.entries.values())

    @cached_property
    def snapshot(self) -> Snapshot:
        """Everything that decides the cache keys of a build of the project as it is."""
        return Snapshot.read(self.spec, dockerfile=self.dockerfile)

    @cached_property
    def commands(self) -> tuple[EnvironmentCommand, ...]:
        """What the reachable environment steps run, in Dockerfile order."""
        pattern = self.settings.env_step
        found = environment_commands(self.steps, pattern)
        return tuple(command for command in found if command is not None)

    @cached_property
    def roles(self) -> Mapping[int, Role]:
        """The role of every step, by the first line of its instruction."""
        return _roles(self.all_steps, self.settings.env_step)

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """For each stage, by label: itself and the stages that it is built FROM."""
        return stage_ancestors(self.all_steps)

    @cached_property
    def environment_files(self) -> tuple[EnvironmentFile, ...]:
        """The context files that environment steps read, or ought to read."""
        return environment_files(
            self.steps,
            self.entries,
            self.commands,
            self.settings.environment,
            context=self.spec.context,
            ignore=self.ignore,
        )

    @cached_property
    def source(self) -> Choice:
        """The file that the source edit changes, and why this one.

        Raises Unverifiable, and ConfigError for one that is named and cannot be edited.
        """
        if self.settings.edit is not None:
            return named_source(
                self.settings.edit,
                self.entries,
                self.environment_files,
                context=self.spec.context,
                dockerfile=self.spec.dockerfile,
                ignore=self.ignore,
            )
        lines = tuple(command.line for command in self.commands)
        excluded = tuple(file.path for file in self.environment_files)
        return choose_source(
            self.steps, self.entries, lines, exclude=excluded, context=self.spec.context
        )

    @property
    def source_edit(self) -> Edit:
        """The controlled source edit."""
        return Edit.append(self.source.path)


_engines: dict[tuple[str, str | None], Engine] = {}


@dataclass
class Subject:
    """One Dockerfile under judgement: its builds in this run, and what they said.

    ``observe`` hears of every build as it goes on.
    """

    spec: BuildSpec
    settings: Settings
    run: Run
    observe: Observe | None = None
    _made: dict[str, Build] = field(default_factory=dict, repr=False)

    @cached_property
    def project(self) -> Project:
        """What can be known without a build. Raises ConfigError."""
        return Project.read(self.spec, self.settings)

    @cached_property
    def engine(self) -> Engine:
        """The engine that judges; one a process for each name and builder.

        Raises EngineUnavailable, ConfigError.
        """
        wanted = (self.settings.engine, self.settings.builder)
        if wanted not in _engines:
            engine = create_engine(self.settings.engine, builder=self.settings.builder)
            self.run.sweep()
            _engines[wanted] = engine
        engine = _engines[wanted]
        info = engine.info
        known_engines[info.builder] = engine
        self.run.note("engine", [info.name, self.settings.builder, info.builder])
        return engine

    @property
    def predicts(self) -> bool:
        """Whether verdicts are predictions, because the engine builds nothing."""
        return self.engine.info.predicts

    @property
    def judge_row(self) -> str:
        """Who says so, as the last line of a failure names it."""
        return f"engine {self.engine.info}"

    def first(self) -> Build:
        """The build of the project as it is.

        Raises BuildFailed, BuildTimeout, EngineUnavailable.
        """
        return self._obtain((), None)

    def after(self, edits: Sequence[Edit], stop: Stop | None = None) -> Build:
        """The build after some edits, made once the project itself has been built.

        A build that was made to its end in this run answers for one that may
        stop early.
        """
        self.first()
        return self._obtain(tuple(edits), stop)

    def image(self) -> str:
        """The reference of the image that content checks look into: the first build's.

        Raises Unverifiable if there is none, and what :meth:`first` raises.
        """
        found = self.first().image
        if found is None:
            raise Unverifiable("the build left no image to look into")
        return found

    def project_of(self, image: str) -> Project:
        """The project with the Dockerfile and the build arguments that an image was built from.

        Those of an edited build where one of this run made it; its files are the unedited ones.
        """
        record = read_json(self._origin(image))
        if record is None or image == self.first().image:
            return self.project
        arguments = tuple((name, value) for name, value in record["build_args"])
        spec = replace(self.spec, build_args=arguments)
        dockerfile = parse_dockerfile(record["dockerfile"], self.spec.dockerfile)
        steps, all_steps = _plans(spec, self.settings, dockerfile)
        return replace(
            self.project, spec=spec, dockerfile=dockerfile, steps=steps, all_steps=all_steps
        )

    def _origin(self, image: str) -> Path:
        return self.run.directory / "origins" / f"{digest(self._prefix(), image)}.json"

    def builds(self) -> tuple[Build, ...]:
        """Every build of this spec that the run has made so far, the first build first.

        Of a build that failed or took too long no steps and seconds are known.
        """
        found = []
        prefix = self._prefix()
        for path in sorted((self.run.directory / "builds").glob(f"{prefix}-*.json")):
            record = read_json(path)
            if record and "build" in record:
                found.append((record["order"], build_from_json(record["build"])))
            elif record and record["error"]["type"] in ("BuildFailed", "BuildTimeout"):
                edits = tuple(edit_from_json(edit) for edit in record["edits"])
                found.append((record["order"], Build(edits, "failed", 0.0, ())))
        return tuple(build for _, build in sorted(found, key=lambda item: item[0]))

    def seconds(self, step: Step) -> float | None:
        """How long the last completed execution of a step took, None if we never saw one."""
        if step.status == "miss" and step.seconds is not None:
            return step.seconds
        known = read_json(self._durations) or {}
        value = known.get(step.text)
        return float(value) if isinstance(value, (int, float)) else None

    def _prefix(self) -> str:
        engine = self.engine.info
        settings = [self.settings.env_step or "", str(self.settings.timeout or "")]
        return digest(json.dumps(to_jsonable(self.spec)), engine.name, engine.builder, *settings)

    def _obtain(self, edits: tuple[Edit, ...], stop: Stop | None) -> Build:
        edits_key = json.dumps(to_jsonable(edits))
        # What one build left in the cache must not answer for another: neither a
        # stopped one for a complete one, nor that of another spec or engine.
        nonce = digest(self.run.nonce, self._prefix(), edits_key, repr(stop))
        complete = self._record_path(edits_key, None)
        path = self._record_path(edits_key, stop)
        for candidate in (complete, path):
            if candidate.name in self._made:
                return self._made[candidate.name]
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            record = read_json(complete) or read_json(path)
            if record is None:
                record = self._record(edits, stop, nonce)
                _write_json(path, record)
        build = _revive(record)
        self._made[path.name] = build
        return build

    def _record_path(self, edits_key: str, stop: Stop | None) -> Path:
        name = f"{self._prefix()}-{digest(edits_key, repr(stop))}.json"
        return self.run.directory / "builds" / name

    def _record(self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str) -> dict[str, Any]:
        title = "first build" if not edits else "after " + ", ".join(map(str, edits))
        try:
            build = self._build(edits, stop, nonce, title)
        except DockerCacheError as problem:
            return {
                "order": self._order(edits),
                "edits": to_jsonable(edits),
                "error": _describe(problem),
            }
        return {"order": self._order(edits), "build": to_jsonable(build)}

    def _order(self, edits: tuple[Edit, ...]) -> int:
        return len(list((self.run.directory / "builds").glob("*.json"))) + 1 if edits else 0

    def _build(self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str, title: str) -> Build:
        engine = self.engine
        if engine.info.predicts:
            return self._predicted(edits, stop, nonce, title)
        identity = engine.info.builder
        where = (
            cache_home()
            / "staging"
            / digest(str(self.spec.context), str(self.spec.dockerfile), identity)
        )
        spec = apply_argument_edits(
            self.spec, edits, nonce, _argument_defaults(self.project.dockerfile)
        )
        where.parent.mkdir(parents=True, exist_ok=True)
        with (
            in_turn(builder_lock(identity), lambda: self._tell(f"{title} waits for another", ())),
            FileLock(staging_lock(where)),
        ):
            self.run.note("staging", str(where))
            staged = stage(spec, where, edits, nonce=nonce)
            dockerfile = self.project.dockerfile
            roles = self.project.roles
            if any(self.changes_dockerfile(edit) for edit in edits):
                dockerfile = replace(read_dockerfile(staged.dockerfile), path=self.spec.dockerfile)
                roles = self._roles(dockerfile, spec)
            _require_declared(edits, dockerfile)
            request = BuildRequest(
                spec=spec,
                dockerfile=dockerfile,
                staged=staged,
                edits=edits,
                labels=((RUN_LABEL, self.run.id),),
                timeout=self.settings.timeout,
                roles=roles,
                meanwhile=_load_model if edits else None,
            )
            try:
                build = engine.build(request, self._watch(stop, title))
            finally:
                # Not only after edits: an upload over the Engine API leaves its context behind.
                traces = engine.traces()
                if traces:
                    self.run.note("traces", [engine.info.name, identity, traces])
        if edits and build.image is not None:
            made_from = {"dockerfile": dockerfile.text, "build_args": spec.build_args}
            _write_json(self._origin(build.image), made_from)
        built = plan(dockerfile, spec.target, dict(spec.build_args), all_stages=True)
        # Asked at most once: it may have to look at thousands of files.
        forecast = lru_cache(1)(lambda: self._forecast(spec, edits, nonce))
        explained = explain(build, built, forecast)
        changed: frozenset[int] = frozenset()
        if any(can_be_repeated(edit) or self.changes_dockerfile(edit) for edit in edits):
            changed = frozenset(item.step.line for item in forecast() if item.status == "miss")
        build = doubt_repeated_edits(explained, built, changed)
        self._remember(build)
        return build

    def _predicted(
        self, edits: tuple[Edit, ...], stop: Stop | None, nonce: str, title: str
    ) -> Build:
        """What the model says; nothing is staged and nobody is waited for."""
        defaults = _argument_defaults(self.project.dockerfile)
        spec = apply_argument_edits(self.spec, edits, nonce, defaults)
        before = self.project.snapshot
        after = before.after(spec, edits, nonce=nonce) if edits else before
        changed = after.dockerfile is not before.dockerfile
        _require_declared(edits, after.dockerfile)
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

    def _forecast(
        self, spec: BuildSpec, edits: tuple[Edit, ...], nonce: str
    ) -> tuple[Forecast, ...]:
        """What the model expects of an edited build, for the reasons of its misses."""
        from .cache import predict

        before = self.project.snapshot
        dialects = {"classic": CLASSIC, "buildkit": UPLOADED}
        dialect = dialects.get(self.engine.info.name, BUILDKIT)
        try:
            return predict(before, before.after(spec, edits, nonce=nonce), dialect)
        except DockerCacheError:
            # The builder has spoken; a model that cannot follow has nothing to add.
            return ()

    def changes_dockerfile(self, edit: Edit) -> bool:
        """Whether an edit writes another Dockerfile."""
        if edit.kind in ("dockerfile", "base"):
            return True
        path = edit.context_path
        return path is not None and self.spec.context / path == self.spec.dockerfile

    def _roles(self, dockerfile: Dockerfile, spec: BuildSpec) -> dict[int, Role]:
        steps = plan(dockerfile, spec.target, dict(spec.build_args), all_stages=True)
        return _roles(steps, self.settings.env_step)

    def _watch(self, stop: Stop | None, title: str) -> Callable[[Sequence[Step]], bool]:
        def watch(steps: Sequence[Step]) -> bool:
            self._tell(title, steps)
            return decided(steps, stop, self.project.ancestors)

        return watch

    def _tell(self, title: str, steps: Sequence[Step]) -> None:
        if self.observe is not None:
            self.observe(title, steps)

    @property
    def _durations(self) -> Path:
        """Where the seconds of this project's steps are remembered, for each engine."""
        name = digest(str(self.spec.context), str(self.spec.dockerfile), self.engine.info.name)
        return cache_home() / "durations" / f"{name}.json"

    def _remember(self, build: Build) -> None:
        seen = {
            step.text: round(step.seconds, 2)
            for step in build.steps
            if step.status == "miss" and step.seconds is not None
        }
        if not seen:
            return
        path = self._durations
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            _write_json(path, {**(read_json(path) or {}), **seen})


def _load_model() -> None:
    """Import what will be asked why steps missed."""
    from .cache import forecast  # noqa: F401


def decided(
    steps: Sequence[Step], stop: Stop | None, ancestors: Mapping[str, frozenset[str]] | None = None
) -> bool:
    """Whether a build that has said this much may be stopped.

    ``ancestors`` maps the label of each stage to those it is built from,
    itself included.
    """
    missed = [step for step in steps if step.status == "miss"]
    if stop is None or not missed:
        return False
    if stop.rule == "any-miss":
        return True
    if stop.lines is None:
        wanted = [step for step in steps if step.role == "environment"]
    else:
        wanted = [step for step in steps if step.line in stop.lines]
    below = [step for step in wanted if _is_below(step, steps, ancestors or {})]
    hit = [step for step in wanted if step.status == "hit"]
    known_misses = [step for step in wanted if step.status == "miss" or step in below]
    if stop.rule == "miss":
        return bool(known_misses) or len(hit) == len(wanted)
    if stop.rule == "hit":
        return bool(hit) or len(known_misses) == len(wanted)
    return len(hit) + len(known_misses) == len(wanted)


def _is_below(step: Step, steps: Sequence[Step], ancestors: Mapping[str, frozenset[str]]) -> bool:
    if step.status != "not-reached":
        return False
    stages = ancestors.get(step.stage, frozenset({step.stage}))
    found = False
    for other in sorted(steps, key=lambda other: other.line):
        if other.stage not in stages or other.line > step.line:
            continue
        if _READS_CONTENT.search(other.text):
            # It hits if what the steps below it made anew is the same.
            found = False
        # Copying takes no time, so what stands below a COPY is waited for and
        # observed; a RUN may take minutes.
        if other.instruction == "RUN" and other.status == "miss" and other.line < step.line:
            found = True
    return found


_READS_CONTENT = re.compile(r"--mount=\S*\btype=[\"']?(secret|ssh)\b", re.IGNORECASE)
"""A RUN whose key on BuildKit holds the content of its root file system (see cache/prediction)."""


def find_steps(
    steps: Sequence[Step], wanted: str | int | None = None, *, role: str | None = None
) -> tuple[Step, ...]:
    """The steps that a line number, a part or regular expression of the text, or a role names.

    Raises ConfigError if there is none, or nothing was named.
    """
    if wanted is None and role is None:
        raise ConfigError("name a step: a line number, a part of its text, or role=")
    found = list(steps)
    if role is not None:
        roles = ("base", "environment", "source", "other")
        if role not in roles:
            raise ConfigError(f"role={role!r} is unknown; valid: {', '.join(roles)}")
        found = [step for step in found if step.role == role]
    if isinstance(wanted, int):
        found = [step for step in found if step.line <= wanted <= max(step.line, step.end_line)]
    elif wanted is not None:
        literal = [step for step in found if wanted in step.text]
        found = literal or [step for step in found if _compiled(wanted, "step").search(step.text)]
    if not found:
        name = f"role={role!r}" if wanted is None else repr(wanted)
        listing = "\n".join(f"  {step.line:>4}  {step.text[:70]}" for step in steps)
        raise ConfigError(f"no step of this build matches {name}; its steps are\n{listing}")
    return tuple(found)


def named_step(step: Step, width: int = 40) -> str:
    """The text of a step, shortened to ``width`` characters."""
    text = " ".join(step.text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _compiled(pattern: str, name: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as problem:
        raise ConfigError(f"{name} {pattern!r} is not a regular expression: {problem}") from None


def _plans(
    spec: BuildSpec, settings: Settings, dockerfile: Dockerfile
) -> tuple[tuple[PlannedStep, ...], tuple[PlannedStep, ...]]:
    """The steps that a build runs, and those of all stages up to the target."""
    arguments = dict(spec.build_args)
    up_to_target = plan(dockerfile, spec.target, arguments, all_stages=True)
    # The classic builder also builds the stages that the target does not need.
    if settings.engine == "classic":
        return up_to_target, up_to_target
    return plan(dockerfile, spec.target, arguments), up_to_target


def _roles(steps: Sequence[PlannedStep], pattern: str | None) -> dict[int, Role]:
    return {step.line: role for step, role in zip(steps, roles_of(steps, pattern), strict=True)}


def _argument_defaults(dockerfile: Dockerfile) -> dict[str, str]:
    defaults: dict[str, str] = {}
    for instruction in dockerfile.instructions:
        if instruction.keyword == "ARG":
            for name, value in declared(instruction):
                if value is not None:
                    defaults.setdefault(name, value.strip("\"'"))
    return defaults


def _require_declared(edits: Sequence[Edit], dockerfile: Dockerfile) -> None:
    """Refuse another value of a build argument that no ARG declares: nothing would change."""
    names = {
        name: None
        for instruction in dockerfile.instructions
        if instruction.keyword == "ARG"
        for name, _ in declared(instruction)
    }
    for edit in edits:
        name = edit.path or ""
        if edit.kind == "build-arg" and name not in names and not is_predefined(name):
            listed = f"it declares {', '.join(names)}" if names else "it declares none"
            raise ConfigError(
                f"edit of build argument {name}: no ARG of {dockerfile.path.name} declares it; "
                f"{listed}"
            )


def _describe(problem: DockerCacheError) -> dict[str, Any]:
    record: dict[str, Any] = {"type": type(problem).__name__, "message": str(problem)}
    if isinstance(problem, BuildFailed):
        record.update(line=problem.line, log=problem.log)
    if isinstance(problem, EngineUnavailable):
        record.update(absent=problem.absent)
    return record


def _revive(record: Mapping[str, Any]) -> Build:
    if "build" in record:
        return build_from_json(record["build"])
    described = dict(record["error"])
    kind = getattr(errors, described.pop("type"))
    message = described.pop("message")
    raise kind(message, **described)


def forget_engines() -> None:
    """Close the engines of this process."""
    while _engines:
        _engines.popitem()[1].close()
    known_engines.clear()
    forget_answers()
