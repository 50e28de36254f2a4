"""A Dockerfile and its context: all facts that need no build."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path

from .cache import Snapshot, stage_ancestors
from .context import (
    ContextEntry,
    ContextTree,
    GitHistory,
    IgnoreRules,
    JoinedHistory,
    apply_argument_edits,
)
from .disk import read_inside, read_text
from .dockerfile import (
    Dockerfile,
    PlannedStep,
    declared,
    is_predefined,
    onbuild_trigger,
    plan,
    read_dockerfile,
    resolve_stage,
)
from .environments import (
    Choice,
    ContainerFiles,
    EnvironmentCommand,
    EnvironmentFile,
    Survey,
    Unrecognised,
    environment_commands,
    environment_files,
    named_source,
    roles_of,
    unrecognised_installs,
)
from .errors import ConfigError, Unverifiable
from .model import BuildSpec, Edit, Roles
from .patterns import Pattern
from .values import dataclass

__all__ = [
    "Project",
    "Settings",
    "Siblings",
    "require_declared",
    "roles_by_line",
]


_LARGEST_TEXT = 1_000_000
"""Bytes: no manifest or script that somebody wrote is larger, and reading costs time."""


@dataclass(frozen=True)
class Settings:
    """How a Dockerfile is built and read: the values of the options, checked.

    ``timeout`` is in seconds a build. ``env_step`` is a regular expression
    over the text of RUN instructions; ``environment`` and ``edit`` are context
    paths. ``root`` is the directory from which patches name their files.
    """

    engine: str = "auto"
    builder: str | None = None
    timeout: float | None = None
    edit: str | None = None
    env_step: str | None = None
    environment: tuple[str, ...] = ()
    root: Path | None = None


class Siblings:
    """What the images of one session share, read once: Dockerfiles, and the files of contexts.

    Values in here never change; a session judges its files as they were when it first looked.
    """

    def __init__(self) -> None:
        self._dockerfiles: dict[Path, Dockerfile] = {}
        self._histories: dict[Path, GitHistory] = {}
        self._trees: dict[tuple[Path, tuple[str, ...]], ContextTree] = {}

    def dockerfile(self, path: Path) -> Dockerfile:
        """A Dockerfile. Raises ConfigError."""
        found = self._dockerfiles.get(path)
        if found is None:
            found = self._dockerfiles[path] = read_dockerfile(path)
        return found

    def history(self, context: Path) -> GitHistory:
        """What git says of a context."""
        return self._histories.setdefault(context, GitHistory(context))

    def tree(self, context: Path, ignore: IgnoreRules) -> ContextTree:
        """The files of a context under some ignore rules. Raises ConfigError."""
        key = (context, tuple(line.text for line in ignore.lines))
        found = self._trees.get(key)
        if found is None:
            found = self._trees[key] = ContextTree.read(context, ignore)
        # The rules of another image say the same, and stand in a file of their own.
        return found if found.ignore is ignore else replace(found, ignore=ignore)


@dataclass(frozen=True)
class Project:
    """The facts about a spec that need no build: its Dockerfile, steps and files."""

    spec: BuildSpec
    settings: Settings
    dockerfile: Dockerfile
    ignore: IgnoreRules
    every_stage: bool = False
    siblings: Siblings = field(default_factory=Siblings, repr=False, compare=False)

    @classmethod
    def read(
        cls,
        spec: BuildSpec,
        settings: Settings,
        *,
        every_stage: bool = False,
        siblings: Siblings | None = None,
    ) -> Project:
        """Read the Dockerfile and the ignore rules of a spec.

        ``every_stage`` is True for a builder that also builds the stages that
        the target does not need. ``siblings`` has what other images of the session have read.

        Raises ConfigError for a Dockerfile, target or context that cannot be used.
        """
        if not spec.context.is_dir():
            raise ConfigError(
                f"build context {spec.context} is not a directory",
                fix="name an existing directory with --dockercache-context",
            )
        if settings.env_step is not None:
            Pattern(settings.env_step, f"--dockercache-env-step={settings.env_step}")
        known = siblings or Siblings()
        dockerfile = known.dockerfile(spec.dockerfile)
        if spec.contexts:
            dockerfile = replace(dockerfile, contexts=spec.context_tops)
        resolve_stage(dockerfile, spec.target)
        _refuse_replaced_stages(spec, dockerfile)
        ignore = IgnoreRules.of(spec)
        project = cls(spec, settings, dockerfile, ignore, every_stage, known)
        _ = project.steps  # refuses a Dockerfile that cannot be planned
        return project

    @cached_property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps that a build runs, FROM and settings included."""
        if self.every_stage:
            return self.all_steps
        spec = self.spec
        arguments = dict(spec.build_args)
        return plan(self.dockerfile, spec.target, arguments, platform=spec.platform)

    @cached_property
    def all_steps(self) -> tuple[PlannedStep, ...]:
        """The steps of all stages up to the target."""
        spec = self.spec
        arguments = dict(spec.build_args)
        return plan(
            self.dockerfile, spec.target, arguments, all_stages=True, platform=spec.platform
        )

    @property
    def final_stage(self) -> int:
        """The index of the stage that the image is made from."""
        return resolve_stage(self.dockerfile, self.spec.target).index

    @cached_property
    def entries(self) -> tuple[ContextEntry, ...]:
        """The entries of the build context that the ignore rules let in."""
        return tuple(self.snapshot.tree.entries.values())

    @cached_property
    def snapshot(self) -> Snapshot:
        """Everything that decides the cache keys of a build of the unedited project."""
        rules = self.ignore
        main = self.siblings.tree(
            self.spec.context, replace(rules, named={}) if rules.named else rules
        )
        named = {
            top: self.siblings.tree(directory, rules.named[top])
            for top, directory in self.spec.directories.items()
        }
        tree = ContextTree.joined(main, named)
        return Snapshot.of(self.spec, self.dockerfile, tree)

    def spec_after(self, edits: Sequence[Edit], nonce: str) -> BuildSpec:
        """The spec with the build arguments that some edits give."""
        defaults = _argument_defaults(self.dockerfile)
        return apply_argument_edits(self.spec, edits, nonce, defaults)

    @cached_property
    def commands(self) -> tuple[EnvironmentCommand, ...]:
        """The installation that each reachable environment step runs, in Dockerfile order."""
        pattern = self.settings.env_step
        found = environment_commands(self.steps, pattern, self.files)
        return tuple(command for command in found if command is not None)

    @cached_property
    def roles(self) -> Roles:
        """The role of every step."""
        return roles_by_line(self.all_steps, self.settings.env_step, self.files)

    @cached_property
    def unrecognised(self) -> tuple[Unrecognised, ...]:
        """The reachable RUNs that seem to install something and are not recognised."""
        return unrecognised_installs(self.steps, self.settings.env_step, self.files)

    @cached_property
    def files(self) -> ContainerFiles:
        """The texts of context files, by the paths under which the steps find them."""
        return ContainerFiles(lambda: self.entries, self.read_text)

    @cached_property
    def ancestors(self) -> Mapping[str, frozenset[str]]:
        """The labels of each stage's chain (the stage and those it is built FROM), by its label."""
        return stage_ancestors(self.all_steps)

    @cached_property
    def environment_files(self) -> tuple[EnvironmentFile, ...]:
        """The context files that environment steps read, and those that the user names.

        Raises ConfigError if a file is missing that the user or a COPY names.
        """
        return environment_files(
            self.steps,
            self.entries,
            self.commands,
            self.settings.environment,
            context=self.spec.context,
            ignore=self.ignore,
            beside=posixpath.dirname(next(self._own_files())),
            is_of_others=self._is_of_other_dockerfiles,
            followed=self.files.followed(self.steps),
        )

    def _is_of_other_dockerfiles(self, name: str) -> bool:
        """Whether another Dockerfile in this Dockerfile's directory names a file."""
        own = self.spec.dockerfile
        with contextlib.suppress(OSError):
            for other in sorted(own.parent.iterdir()):
                is_one = re.search(r"dockerfile|containerfile", other.name, re.IGNORECASE)
                if is_one and other.name != own.name and name in _text_of(other):
                    return True
        return False

    @cached_property
    def source(self) -> Choice:
        """The file that the source edit changes, with the reason for the choice.

        Raises Unverifiable if the project has no file to edit, and ConfigError if the file that the
        user names cannot be edited.
        """
        return self.sources[0]

    @cached_property
    def sources(self) -> tuple[Choice, ...]:
        """The files that stand for all source files, one for each group; at least one.

        The file of ``--dockercache-edit`` alone, where the user names one. Raises
        Unverifiable if no source file reaches the image, and ConfigError for a
        named file that cannot be edited.
        """
        if self.settings.edit is not None:
            found = named_source(
                self.settings.edit,
                self.entries,
                self.environment_files,
                context=self.spec.context,
                dockerfile=self.spec.dockerfile,
                ignore=self.ignore,
            )
            return (found,)
        if not self.survey.choices:
            raise Unverifiable(
                "no source file of the build context reaches the image",
                fix="name one with --dockercache-edit=PATH",
            )
        return self.survey.choices

    @cached_property
    def survey(self) -> Survey:
        """The context files in groups, by the steps that take them, and their roles."""
        return Survey(
            self.steps,
            self.snapshot.tree.entries,
            self.commands,
            self.environment_files,
            self.spec.context,
            self.read_text,
            self.settings.env_step,
            frozenset(self._own_files()),
            self.files.followed(self.steps),
            self._history,
        )

    @cached_property
    def _history(self) -> GitHistory:
        main = self.siblings.history(self.spec.context)
        named = {
            top: self.siblings.history(directory)
            for top, directory in self.spec.directories.items()
        }
        return JoinedHistory(main, named, self.snapshot.tree.entries) if named else main

    def _own_files(self) -> Iterator[str]:
        """The context paths of the Dockerfile and of the ignore files that belong to it."""
        root = os.path.abspath(self.spec.context)
        if self.spec.inside is not None:
            yield from ("Dockerfile", ".dockerignore")
            return
        dockerfile = os.path.relpath(os.path.abspath(self.spec.dockerfile), root)
        yield from (dockerfile, f"{dockerfile}.dockerignore", ".dockerignore")
        there = os.path.realpath(self.spec.dockerfile)
        for top, directory in self.spec.directories.items():
            yield f"{top}/.dockerignore"
            inside = os.path.relpath(there, os.path.realpath(directory))
            yield from (f"{top}/{inside}", f"{top}/{inside}.dockerignore")

    def read_text(self, path: str) -> str | None:
        """The text of a context file; None if the file is no text, or larger than 1 MB."""
        entry = self.snapshot.tree.entries.get(path)
        if entry is None or entry.kind != "file" or entry.size > _LARGEST_TEXT:
            return None
        content = read_inside(*self.spec.root_of(path))
        if content is None or b"\0" in content[:8192]:
            return None
        return content.decode("utf-8", "replace")

    @property
    def source_edit(self) -> Edit:
        """The controlled source edit."""
        return Edit.append(self.source.path)


def _refuse_replaced_stages(spec: BuildSpec, dockerfile: Dockerfile) -> None:
    """Refuse a named context that BuildKit takes in place of a stage: the steps would be others.

    Source: BuildKit 0.13 ``dockerfile2llb/convert.go``, which looks for a context of each stage's
    name.
    """
    names = {name.lower() for name, _ in spec.contexts}
    for stage in dockerfile.stages:
        if stage.name in names:
            raise Unverifiable(
                f"the named context {stage.name} takes the place of the stage {stage.name}, whose "
                "steps are then not built",
                fix="give the context another name, or judge the image without it",
            )


def _text_of(path: Path) -> str:
    """The text of a Dockerfile that is not judged, "" if it cannot be read or is large."""
    try:
        return read_text(path, errors="replace", limit=_LARGEST_TEXT)
    except (OSError, ConfigError):
        return ""


def roles_by_line(
    steps: Sequence[PlannedStep], pattern: str | None, files: ContainerFiles
) -> Roles:
    return {
        (step.line, step.instruction.text) if step.triggered else step.line: role
        for step, role in zip(steps, roles_of(steps, pattern, files), strict=True)
    }


def _declarations(dockerfile: Dockerfile) -> Iterator[tuple[str, str | None]]:
    """The declarations of a Dockerfile's ARGs, also in its ONBUILD triggers."""
    for instruction in dockerfile.instructions:
        if instruction.keyword == "ONBUILD" and instruction.value:
            instruction = onbuild_trigger(instruction)
        if instruction.keyword == "ARG":
            yield from declared(instruction)


def _argument_defaults(dockerfile: Dockerfile) -> dict[str, str]:
    defaults: dict[str, str] = {}
    for name, value in _declarations(dockerfile):
        if value is not None:
            defaults.setdefault(name, value.strip("\"'"))
    return defaults


def require_declared(edits: Sequence[Edit], dockerfile: Dockerfile) -> None:
    """Refuse another value of a build argument that no ARG declares: nothing would change."""
    names = {name: None for name, _ in _declarations(dockerfile)}
    for edit in edits:
        name = edit.path or ""
        if edit.kind == "build-arg" and name not in names and not is_predefined(name):
            listed = f"it declares {', '.join(names)}" if names else "it declares none"
            raise ConfigError(
                f"edit of build argument {name}: no ARG of {dockerfile.path.name} declares it; "
                f"{listed}"
            )
