"""All files of a build context: their roles, the steps that take them, and which stand for others.

The survey asks no builder. The survey says which edits could matter to the environment; the checks
make these edits and ask a builder.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path

from ..context.entries import ContextEntry
from ..context.tracked import (
    GitHistory,
    sources_among,
    virtual_environments,
)
from ..dockerfile.syntax import PlannedStep
from ..values import dataclass
from .argument_uses import BuildArguments, RunTexts, arguments_of, until_last_install
from .file_groups import Group, group_files, representative
from .file_roles import FileRoles, roles_of_files
from .files import EnvironmentFile
from .flow import Followed, StepView, follow_files
from .ground import Ground, grounds_of
from .reads import ReadText, uses_of_step
from .source_edit import Choice, program_of
from .steps import EnvironmentCommand, environment_commands
from .tools import reads_variable

__all__ = ["Survey"]


@dataclass(frozen=True)
class Survey:
    """The context files that the steps of a plan take, and their roles for the environment.

    ``entries`` are the context's entries after the ignore rules; ``own`` the
    context paths of the Dockerfile and its ignore file, whose edits are no
    edits of a source; ``read_text`` gives a file's text by its context path;
    ``followed`` is what :func:`follow_files` says of the plan, where that was
    asked already, and ``history`` what git says of the context.
    """

    plan: Sequence[PlannedStep]
    entries: Mapping[str, ContextEntry]
    commands: Sequence[EnvironmentCommand]
    environment_files: Sequence[EnvironmentFile]
    context: Path
    read_text: ReadText
    env_step: str | None = None
    own: frozenset[str] = field(default_factory=frozenset)
    followed: Followed | None = field(default=None, repr=False, compare=False)
    history: GitHistory | None = field(default=None, repr=False, compare=False)

    @cached_property
    def _followed(self) -> Followed:
        return self.followed or follow_files(self.plan, self.entries)

    @cached_property
    def views(self) -> tuple[StepView, ...]:
        """The view that each step of the plan has of the context, in the plan's order."""
        return tuple(self._followed[0].values())

    @cached_property
    def grounds(self) -> tuple[Ground, ...]:
        """The ground of each environment step, in Dockerfile order."""
        return grounds_of(self.plan, {command.line for command in self.commands})

    @cached_property
    def roles(self) -> FileRoles:
        """The roles of the context's files for the environment steps."""
        read = {
            file.path: f"line {(file.read_by or file.readers)[0]} reads it"
            for file in self.read_files
        }
        return roles_of_files(self.grounds, self.views, self.commands, read, self.read_text)

    def sees(self, line: int, path: str) -> bool:
        """Whether the RUN at ``line`` finds a context file in its root file system or mounts."""
        return any(
            path in view.before.present or path in view.own.present
            for view in self.views
            if view.step.line == line and view.step.instruction.keyword == "RUN"
        )

    @property
    def read_files(self) -> tuple[EnvironmentFile, ...]:
        """The environment files that an environment step can read."""
        return tuple(file for file in self.environment_files if file.readers)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The files that steps take and somebody may edit, grouped by steps and role.

        Only what git tracks, where there is a repository. Files in a virtual
        environment, in build output or in a tool's cache are left out.
        """
        files = [path for path, entry in self.entries.items() if entry.kind == "file"]
        environments = virtual_environments(self.entries.values())
        tracked = self._tracked
        candidates = sources_among(files, environments=environments, tracked=tracked) - self.own
        if tracked is not None and candidates & tracked:
            candidates &= tracked
        return group_files(self.views, self.grounds, self.roles, candidates)

    @property
    def source_groups(self) -> tuple[Group, ...]:
        """The groups that no environment step reads and no command above one needs."""
        return tuple(group for group in self.groups if group.role == "source")

    @cached_property
    def program(self) -> tuple[str, int] | None:
        """The context file that CMD or ENTRYPOINT runs, and the line that says so."""
        return program_of(self.plan, self._followed[1], self.entries)

    @property
    def _tracked(self) -> frozenset[str] | None:
        return self._git.tracked

    @property
    def _changes(self) -> Mapping[str, int]:
        return self._git.changes

    @cached_property
    def _git(self) -> GitHistory:
        return self.history or GitHistory(self.context)

    def representative(self, group: Group) -> str:
        """The file whose edit stands for an edit of any file of a group."""
        programs = () if self.program is None else (self.program[0],)
        return representative(group, programs, lambda: self._changes)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """For each source group the file that is edited, and why, in a few words.

        Groups that an environment step stands on come first, then the group
        of the program, then the larger before the smaller.
        """
        program = self.program[0] if self.program is not None else None

        def order(group: Group) -> tuple[bool, bool, int]:
            return not group.stands_on, program not in group.paths, -len(group.paths)

        return tuple(self._choice(group) for group in sorted(self.source_groups, key=order))

    def _choice(self, group: Group) -> Choice:
        path = self.representative(group)
        above = {step.line for ground in self.grounds for step in ground.steps}
        lines = [line for line in group.lines if line in above] or list(group.lines)
        chain = {step.line for ground in self.grounds for step in ground.chain}
        if not self.grounds:
            where = ""
        elif lines[0] in chain:
            where = " before the environment"
        elif lines[0] in above:
            where = " into a stage that the environment stands on"
        else:
            where = " after the environment"
        others = len(group.paths) - 1
        also = f", as {others} other file{'s' if others > 1 else ''}" if others else ""
        return Choice(path, f"line {lines[0]} copies it{where}{also}")

    @cached_property
    def arguments(self) -> BuildArguments:
        """The build arguments, by how the environment may depend on them."""
        lines = {command.line for command in self.commands}
        installing = {
            step.line: until_last_install(step, self._installs)
            for step in self.plan
            if step.line in lines and step.instruction.keyword == "RUN"
        }
        tools = frozenset(command.line for command in self.commands if command.tools_only)
        reading = RunTexts(self._read_by_line(), self.read_text, reads_variable, tools)
        return arguments_of(self.plan, self.grounds, installing, reading)

    def _installs(self, step: PlannedStep) -> bool:
        return environment_commands((step,), self.env_step)[0] is not None

    def _read_by_line(self) -> dict[int, Collection[str]]:
        """The inputs and scripts that each RUN reads, by the first line of the RUN."""
        lines = {command.line for command in self.commands}
        found: dict[int, Collection[str]] = {}
        for view in self.views:
            if view.step.instruction.keyword == "RUN":
                used = {use.path for use in uses_of_step(view, self.read_text)}
                if view.step.line in lines:
                    visible = view.before.present | view.own.present
                    used |= {path for path in self.roles.inputs if path in visible}
                found[view.step.line] = sorted(used)
        return found
