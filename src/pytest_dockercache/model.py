"""The nouns of the product: frozen values that every room shares; standard library only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from .regexes import regex

__all__ = [
    "Build",
    "BuildSpec",
    "Edit",
    "EditKind",
    "EngineInfo",
    "FileGroup",
    "FileRole",
    "Finding",
    "Fix",
    "Outcome",
    "Reason",
    "Role",
    "Roles",
    "Row",
    "SkipKind",
    "Status",
    "Step",
    "command_first",
    "context_top",
    "megabytes",
    "named_step",
    "shortened",
    "top_of",
]

Status = Literal["hit", "miss", "unknown", "not-reached"]
"""The report of a build about one step; ``unknown`` is never rounded to ``hit``."""

Outcome = Literal["built", "stopped", "failed", "predicted"]
"""How a build ended; ``stopped`` means that the verdict was in before the image was."""

Role = Literal["base", "environment", "source", "other"]
"""The purpose of a step: ``base`` is FROM, ``source`` copies from the build context,
``environment`` installs dependencies from a manifest or by name."""

Roles = Mapping["int | tuple[int, str]", Role]
"""Roles of steps, by the first line of the instruction. The key of an ONBUILD trigger is that line
and the text of the triggered instruction, because several triggers share the line of one FROM."""

FileRole = Literal["input", "needed", "source"]
"""The purpose of a context file: an environment step reads an ``input``; without a ``needed`` file
a step at or above an environment step would not work; every other file is ``source``."""

SkipKind = Literal["does-not-apply", "not-verified"]
"""Why a check is skipped: there is nothing to judge, or the answer cannot be known."""

Changed = Literal["content", "mode", "type", "link", "added", "removed", "renamed"]
"""The attribute of a context file that changed."""

EditKind = Literal[
    "append",
    "replace",
    "create",
    "delete",
    "rename",
    "chmod",
    "touch",
    "build-arg",
    "dockerfile",
    "base",
]

UNIQUE_KINDS: frozenset[str] = frozenset({"append", "replace", "create"})
"""Edits whose result carries the run's nonce, so that no earlier build can have had the result."""


@dataclass(frozen=True)
class BuildSpec:
    """The specification of a build: one Dockerfile, one context, one target.

    Paths are absolute. ``build_args``, ``secrets``, ``ssh`` and ``cache_from``
    keep the order of the command line; ``secrets``, ``ssh`` and ``cache_from``
    are buildx's own strings (``id=token,src=…``, ``default``, ``type=local,src=…``).
    ``contexts`` are named contexts: a name, and the path of a directory or what buildx resolves
    (``docker-image://debian``). ``run_options`` are the options of ``docker buildx build`` that say
    where its RUNs run: ``network``, ``add-host``, ``shm-size``, ``ulimit`` and ``allow``, with
    their values. ``uncached`` are the stages that every build runs anew, ``"*"`` for all, and
    ``uncached_by`` is the place that says so. ``inside`` is the file that holds the Dockerfile's
    text, where it has no file of its own; lines are then told as that file counts them.
    """

    dockerfile: Path
    context: Path
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    platform: str | None = None
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    run_options: tuple[tuple[str, str], ...] = ()
    uncached: tuple[str, ...] = ()
    uncached_by: str = ""
    inside: Path | None = None

    @property
    def written_in(self) -> Path:
        """The file that people write the Dockerfile in: itself, or the file that holds its text."""
        return self.inside or self.dockerfile

    def with_build_args(self, changes: Mapping[str, str]) -> BuildSpec:
        """Return the same build with some build arguments set anew."""
        merged = {**dict(self.build_args), **changes}
        return replace(self, build_args=tuple(merged.items()))

    @property
    def context_tops(self) -> tuple[tuple[str, str], ...]:
        """Each named context with the first part of its files' paths, "" if no directory."""
        directories = self.directories
        return tuple(
            (name, top if (top := context_top(name)) in directories else "")
            for name, _ in self.contexts
        )

    @property
    def directories(self) -> dict[str, Path]:
        """The named contexts that are directories, by the first part of their files' paths."""
        return {
            context_top(name): Path(value)
            for name, value in self.contexts
            if not _RESOLVED.match(value)
        }

    def root_of(self, path: str) -> tuple[Path, str]:
        """The directory of the context, main or named, that holds a path, and the path in it."""
        top = top_of(path)
        directory = self.directories.get(top) if top else None
        return (self.context, path) if directory is None else (directory, path[len(top) + 1 :])

    def place(self, path: str) -> Path:
        """Where a path of the build context, or of a named context, lies on disk."""
        root, rest = self.root_of(path)
        return root / rest


_RESOLVED = regex(r"[a-z][a-z0-9+.-]*://|git@")
"""A context that only buildx resolves: an image, a repository, an archive."""


def context_top(name: str) -> str:
    """The first part of the paths of a named context's files: ``shared:`` in ``shared:/a.py``."""
    return name.replace("/", "+") + ":"


def top_of(path: str) -> str:
    """The named context of a path (``shared:``), "" for a path of the main context."""
    if ":" not in path:
        return ""
    top = path.partition("/")[0]
    return top if top[-1:] == ":" else ""


@dataclass(frozen=True)
class Edit:
    """One controlled change to the context, a build argument or the Dockerfile.

    Make an edit with one of the constructors below. Paths are POSIX paths relative to the build
    context. An edit that writes file content also writes a comment that is unique to the run,
    because a change that was built yesterday would be cached today.
    """

    kind: EditKind
    path: str | None = None
    text: str | None = None
    old: str | None = None
    mode: int | None = None

    @classmethod
    def append(cls, path: str, text: str | None = None) -> Edit:
        """Append ``text`` (default: one comment line in the file's own syntax)."""
        return cls("append", path=path, text=text)

    @classmethod
    def replace(cls, path: str, old: str, new: str) -> Edit:
        """Replace every occurrence of ``old`` by ``new``; ``old`` must occur."""
        return cls("replace", path=path, text=new, old=old)

    @classmethod
    def create(cls, path: str, text: str | None = None) -> Edit:
        """Create a new file, and the directories above it."""
        return cls("create", path=path, text=text)

    @classmethod
    def delete(cls, path: str) -> Edit:
        """Delete a file, or a directory with all files below it."""
        return cls("delete", path=path)

    @classmethod
    def rename(cls, path: str, to: str) -> Edit:
        """Rename a file or directory to ``to``, which is relative to the context too."""
        return cls("rename", path=path, text=to)

    @classmethod
    def chmod(cls, path: str, mode: int) -> Edit:
        """Set the permission bits, for example ``0o755``."""
        return cls("chmod", path=path, mode=mode)

    @classmethod
    def touch(cls, path: str) -> Edit:
        """Change the modification time of a file and nothing else."""
        return cls("touch", path=path)

    @classmethod
    def build_arg(cls, name: str, value: str | None = None) -> Edit:
        """Give a build argument another value (default: a value that is unique to the run)."""
        return cls("build-arg", path=name, text=value)

    @classmethod
    def dockerfile(cls, text: str) -> Edit:
        """Build with this text instead of the Dockerfile's."""
        return cls("dockerfile", text=text)

    @classmethod
    def base(cls, image: str) -> Edit:
        """Build on ``image`` instead of the base image of the built stage."""
        return cls("base", text=image)

    @property
    def context_path(self) -> str | None:
        """The context path that the edit changes; None for arguments and Dockerfile text."""
        return None if self.kind in ("build-arg", "dockerfile", "base") else self.path

    @property
    def detail(self) -> str:
        """The change in a few words, as messages and the report show it."""
        if self.kind == "append":
            return "+1 comment line" if self.text is None else f"+{_line_count(self.text)}"
        if self.kind == "replace":
            return f"{_short(self.old or '')} → {_short(self.text or '')}"
        if self.kind == "rename":
            return f"renamed to {self.text}"
        if self.kind == "chmod":
            return f"mode {self.mode:04o}"
        if self.kind == "build-arg":
            return "another value" if self.text is None else f"={_short(self.text)}"
        if self.kind == "base":
            return f"base image {self.text}"
        return {
            "create": "new file",
            "delete": "deleted",
            "touch": "modification time only",
            "dockerfile": "another Dockerfile text",
        }[self.kind]

    def __str__(self) -> str:
        name = {"dockerfile": "Dockerfile", "base": "FROM"}.get(self.kind, self.path or "")
        prefix = "--build-arg " if self.kind == "build-arg" else ""
        return f"{prefix}{name} ({self.detail})"


def megabytes(size: int) -> str:
    """A number of bytes as people read it, in powers of ten like docker's own sizes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def shortened(text: str, width: int) -> str:
    """A text of at most ``width`` characters: the end of a longer one is an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _line_count(text: str) -> str:
    lines = max(1, len(text.splitlines()))
    return f"{lines} line" if lines == 1 else f"{lines} lines"


def _short(text: str, width: int = 30) -> str:
    first = text.splitlines()[0] if text else ""
    return shortened(first if first == text else f"{first}…", width)


@dataclass(frozen=True)
class Reason:
    """The reason for a step's miss.

    ``kind`` is one of ``content``, ``parent``, ``argument``, ``text``, ``base``, ``unexplained``.
    ``line`` is the line of the root cause (1-based), ``paths`` are the context paths that changed.
    ``argument`` is the name of the build argument that changed, and ``changed`` the attribute that
    changed in the first of ``paths``; both are None if unknown, or not the reason.
    """

    kind: str
    message: str
    line: int | None = None
    paths: tuple[str, ...] = ()
    argument: str | None = None
    changed: Changed | None = None


@dataclass(frozen=True)
class Step:
    """One Dockerfile instruction as the builder ran it.

    ``line`` is 1-based and the first line of the instruction; ``stage`` its name, or its 0-based
    index as text; ``text`` the instruction on one line. ``end_line`` is the last line of the
    instruction, 0 where it is not known. ``seconds`` is the duration of an execution in this build,
    None for a hit. ``note`` remarks on an unusual observation, for example an ambiguous mapping of
    the builder's step to the Dockerfile. ``running`` is True while the step executes; only the
    watcher of a build sees such steps.
    """

    line: int
    stage: str
    instruction: str
    text: str
    role: Role = "other"
    status: Status = "not-reached"
    seconds: float | None = None
    reason: Reason | None = None
    end_line: int = 0
    note: str | None = None
    running: bool = False


_FLAGS = regex(r"(?s)(\S+\s+)((?:--[a-z][a-z-]*(?:=(?:\"[^\"]*\"|'[^']*'|\S+))?\s+)+)(\S.*)")
"""An instruction's keyword, its flags (``--mount=…``), and its command."""
_ORIGIN = regex(r"(?:^|(?<=\s))--from=\S+\s*")
"""The flag of a COPY that names the stage or image whose files it takes."""


def command_first(text: str) -> str:
    """An instruction with its flags behind its command, so that a shortened text shows the command.

    ``RUN --mount=type=cache,target=/root/.cache uv sync`` becomes
    ``RUN uv sync [--mount=type=cache,target=/root/.cache]``. The stage that a COPY
    takes from stays where it is: it belongs to what the instruction does.
    """
    found = _FLAGS.fullmatch(text)
    if found is None:
        return text
    keyword, flags, command = found.groups()
    origin = _ORIGIN.search(flags)
    if origin is not None:
        flags = flags.replace(origin[0], "", 1)
        command = f"{origin[0].strip()} {command}"
    behind = f" [{' '.join(flags.split())}]" if flags.strip() else ""
    return f"{keyword}{command.rstrip()}{behind}"


def named_step(step: Step, width: int = 40) -> str:
    """The text of a step, shortened to ``width`` characters."""
    return on_one_line(command_first(step.text), width)


def on_one_line(text: str, width: int | None = None) -> str:
    """A text with its white space made single blanks, of at most ``width`` characters if given."""
    text = " ".join(text.split())
    return text if width is None else shortened(text, width)


_TEXT_WIDTH = 36
"""Columns of a row's middle, the instruction; a longer text is cut."""
_LEAST_TEXT = 20, 30
"""The least columns of an instruction beside a long remark: at 60 columns, and from 80 on."""

PREDICTED = "predicted: "
"""How a verdict begins that no builder gave."""


@dataclass(frozen=True)
class Row:
    """One line of a finding's evidence: a step or a layer, its status, and a remark.

    ``place`` is a line number, or ``base`` or ``#3`` for a layer without a line. A row without a
    place is only a remark, shown unchanged. ``columns`` is how much of ``text`` is shown.
    """

    note: str = ""
    place: str = ""
    text: str = ""
    status: str = ""
    columns: int = _TEXT_WIDTH

    def __str__(self) -> str:
        if not self.place:
            return self.note
        text = on_one_line(self.named, self.columns)
        return f"{self.place:>4}  {text:<{self.columns}} {self.remark}".rstrip()

    @property
    def named(self) -> str:
        """The whole text on one line, with the command first."""
        return on_one_line(command_first(self.text))

    @property
    def remark(self) -> str:
        """The text beside the instruction: status and note."""
        status = f"{self.status:<5} " if self.status else ""
        return f"{status}{self.note}"


@dataclass(frozen=True)
class Fix:
    """A change to make, in words, and as a patch where a patch was tried.

    ``patch`` is a unified diff (for ``patch -p1`` or ``git apply``); the cache
    model says that the check holds for the patched project. ``proven`` is True if
    the patched project was built, and the check held.
    """

    text: str
    patch: str | None = None
    proven: bool = False

    def __str__(self) -> str:
        if self.patch is None:
            return self.text
        return f"{self.text} ({'proven' if self.proven else 'predicted'})"


@dataclass(frozen=True)
class Finding:
    """The result of a judgement: the verdict first, then what, where, why, and the fix.

    ``line`` is the 1-based Dockerfile line to blame. ``rows`` are the evidence, ``log`` the end of
    what the failed step has written, and ``cause`` the reason of the first miss, from which the
    others follow. ``predicted`` is True where no builder was asked. ``judge`` names the source of
    the verdict (an engine, an image that was read). ``str()`` gives the whole text of the failure.
    """

    verdict: str
    line: int | None = None
    edits: tuple[Edit, ...] = ()
    rows: tuple[Row, ...] = ()
    why: str | None = None
    fix: Fix | None = None
    cause: Reason | None = None
    predicted: bool = False
    judge: str | None = None
    log: str = ""

    def __str__(self) -> str:
        lines = [self.said]
        lines += [f"  edit   {edit}" for edit in self.edits]
        lines += map(str, self.rows)
        if self.why:
            lines.append(f"  why    {self.why}")
        if self.log:
            lines += ["  log", *(f"    {line}" for line in self.log.splitlines())]
        if self.fix is not None:
            lines.append(f"  fix    {self.fix}")
        if self.judge:
            lines.append(f"  {self.judge}")
        return "\n".join(lines)

    @property
    def said(self) -> str:
        """The verdict as people read it."""
        return as_said(self.verdict, predicted=self.predicted)

    def within(self, width: int) -> Finding:
        """The finding for a terminal of ``width`` columns: rows show as much text as fits.

        Remarks are never cut: a row whose remark is long may be wider.
        """
        named = [row for row in self.rows if row.place]
        if not named:
            return self
        room = width - len("1234  ") - 1 - max(len(row.remark) for row in named)
        narrow, usual = _LEAST_TEXT
        least = max(narrow, min(usual, width - 50))
        longest = max(_TEXT_WIDTH, *(len(row.named) for row in named))
        columns = max(least, min(room, longest))
        return replace(self, rows=tuple(replace(row, columns=columns) for row in self.rows))

    def with_texts(self, shown: Callable[[str], str]) -> Finding:
        """The finding with each text replaced by ``shown(text)``."""
        return replace(
            self,
            verdict=shown(self.verdict),
            rows=tuple(
                replace(row, note=shown(row.note), text=shown(row.text)) for row in self.rows
            ),
            why=None if self.why is None else shown(self.why),
            fix=None if self.fix is None else replace(self.fix, text=shown(self.fix.text)),
            judge=None if self.judge is None else shown(self.judge),
            log=shown(self.log),
        )


def as_said(verdict: str, *, predicted: bool) -> str:
    """A verdict as people read it: a predicted verdict says so first."""
    return f"{PREDICTED}{verdict}" if predicted else verdict


@dataclass(frozen=True)
class FileGroup:
    """Context files that the same steps take, and whether an edit of one of them reinstalls.

    ``steps`` are the lines of those steps, ``count`` is the number of files, ``examples`` are a few
    of their paths, the representative first. ``reinstalls`` is None where it is not known.
    """

    steps: tuple[int, ...]
    role: FileRole
    count: int
    examples: tuple[str, ...]
    reinstalls: bool | None = None


@dataclass(frozen=True)
class EngineInfo:
    """The engine that judged: name, version, the server's version, and the reason for the choice.

    ``builder`` identifies the daemon and the builder instance that hold the build
    cache: builds with the same ``builder`` run one after the other. ``predicts``
    is True for an engine that builds nothing.
    """

    name: str
    version: str
    server: str
    why: str
    builder: str
    predicts: bool = False

    def __str__(self) -> str:
        if self.name == "buildx":
            return f"buildx {self.version}, Docker Engine {self.server}"
        return f"{self.name}, Docker Engine {self.server}" if self.server else self.name


@dataclass(frozen=True)
class CacheImport:
    """A build cache that a builder was to import: where it lies, and the error, "" if it was read.

    ``source`` is the builder's word for it: a registry's reference, or the
    name of the backend with a number (``local:1772``).
    """

    source: str
    error: str = ""


@dataclass(frozen=True)
class Build:
    """One build of a spec: the steps of every reachable stage, in Dockerfile order.

    ``edits`` is empty for the first build. ``image`` is an image ID, None
    unless the build ran to its end. ``seconds`` is wall time. ``warnings`` are
    remarks about the build for the reports. ``imports`` are the caches that the
    builder has looked for.
    """

    edits: tuple[Edit, ...]
    outcome: Outcome
    seconds: float
    steps: tuple[Step, ...]
    image: str | None = None
    warnings: tuple[str, ...] = field(default=())
    imports: tuple[CacheImport, ...] = ()

    def with_role(self, role: Role) -> tuple[Step, ...]:
        """The steps that have this role."""
        return tuple(step for step in self.steps if step.role == role)

    def with_status(self, status: Status) -> tuple[Step, ...]:
        """The steps with this status."""
        return tuple(step for step in self.steps if step.status == status)


Watch = Callable[[Sequence[Step]], bool]
"""Called with all steps of a build at every news of the builder; True stops the build."""
