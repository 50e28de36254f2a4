"""The parts of a Dockerfile: instructions, flags, heredocs, stages, steps and transfers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..values import dataclass

__all__ = ["Dockerfile", "Flag", "Heredoc", "Instruction", "PlannedStep", "Stage", "Transfer"]


@dataclass(frozen=True)
class Flag:
    """``--name=value`` before an instruction's value; ``value`` is None for a bare ``--link``."""

    name: str
    value: str | None = None


@dataclass(frozen=True)
class Heredoc:
    """One here-document; ``expand`` is False for a quoted name, ``chomp`` True for ``<<-``."""

    name: str
    body: str
    expand: bool = True
    chomp: bool = False


@dataclass(frozen=True)
class Instruction:
    """One instruction as BuildKit's parser sees it.

    ``keyword`` is upper case; ``line`` and ``end_line`` are 1-based and inclusive (heredoc bodies
    included); ``text`` is the whole instruction on one line, continuations joined as BuildKit joins
    them; ``value`` is the text after keyword and flags; ``exec_form`` the words of the JSON array
    form, if the instruction has one; ``stage`` the 0-based stage index, None before the first FROM.
    """

    keyword: str
    line: int
    end_line: int
    text: str
    value: str
    flags: tuple[Flag, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    exec_form: tuple[str, ...] | None = None
    stage: int | None = None

    def flag(self, name: str) -> str | None:
        """The value of the last flag of that name; None if absent, "" if bare."""
        found = [flag.value or "" for flag in self.flags if flag.name == name]
        return found[-1] if found else None


@dataclass(frozen=True)
class Stage:
    """One FROM and the instructions after it.

    ``base`` is the expanded image name; ``parent`` the index of the stage it
    is built from, None when the base is an image; ``instructions`` excludes
    the FROM itself (``from_``).
    """

    index: int
    name: str | None
    from_: Instruction
    base: str
    parent: int | None
    platform: str | None
    instructions: tuple[Instruction, ...]

    @property
    def label(self) -> str:
        """The stage's name, or its index as text."""
        return self.name if self.name is not None else str(self.index)


@dataclass(frozen=True)
class Transfer:
    """The files that a COPY, ADD or ``RUN --mount=type=bind`` brings into a step.

    ``sources`` are as written after expansion (relative to the context or
    stage root, wildcards kept; URLs and git references too), without heredoc
    names; ``destination`` is absolute inside the container, with a trailing
    slash if it was written with one or must be a directory;
    ``origin`` is ``"context"``, a 0-based stage index, or an image or a named context that only
    buildx resolves. ``context`` is the named context that is a directory (``shared:``), "" for the
    main one; ``origin`` is then ``"context"`` too, and every source begins with it.
    """

    kind: Literal["copy", "add", "bind"]
    sources: tuple[str, ...]
    destination: str
    origin: int | str = "context"
    exclude: tuple[str, ...] = ()
    parents: bool = False
    context: str = ""

    @property
    def inside(self) -> tuple[str, ...]:
        """The sources as the Dockerfile can name them: without the named context."""
        return tuple(source.removeprefix(self.context) for source in self.sources)


@dataclass(frozen=True)
class PlannedStep:
    """One instruction of a reachable stage, as the builder will run it.

    ``ordinal`` is BuildKit's k in ``[stage k/n]`` (1 is FROM), None for instructions without a
    vertex (ENV, LABEL, …); ``expanded`` the text with variables replaced as BuildKit's vertex name
    shows it; ``workdir`` and ``environment`` (ENV and in-scope ARG values, in order) are those at
    the start of the step. ``declared_args`` are the names of the ARGs in scope.

    ``total`` is n in ``[stage k/n]`` and ``label`` the stage in it, "" when BuildKit leaves it out;
    ``shell`` the words that run a shell-form RUN; ``user`` the USER in force. ``triggered`` marks
    an ONBUILD trigger of the base, whose line is that of the FROM. ``known_base`` is False when the
    stage rests on an image whose environment, directory and shell are not known. ``escape`` is the
    Dockerfile's escape character. ``cwd`` is the working directory as a RUN gets it, and as it
    counts in the cache key of later RUNs: ``WORKDIR /w/`` is cleaned in ``workdir`` but not in
    ``cwd``.
    """

    instruction: Instruction
    stage: Stage
    ordinal: int | None
    expanded: str
    workdir: str
    environment: tuple[tuple[str, str], ...]
    transfers: tuple[Transfer, ...] = ()
    declared_args: tuple[str, ...] = ()
    total: int = 0
    label: str = ""
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    user: str = ""
    triggered: bool = False
    known_base: bool = True
    escape: str = "\\"
    cwd: str = "/"

    @property
    def line(self) -> int:
        """First line of the instruction, 1-based."""
        return self.instruction.line


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile that was read; ``directives`` holds syntax, escape and check.

    ``contexts`` are the named contexts of the build: pairs of a name, and the first part of its
    files' paths (``shared:``), "" for a context that is no directory.
    """

    path: Path
    text: str
    instructions: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    directives: tuple[tuple[str, str], ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
