"""Which file the source edit changes."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..context.comments import comment_syntax, is_binary, is_source_code
from ..context.edits import context_path
from ..context.entries import ContextEntry
from ..context.ignore import IgnoreRules
from ..context.missing import alike, is_there
from ..dockerfile.stages import contributing_stages
from ..dockerfile.syntax import PlannedStep
from ..errors import ConfigError, Unverifiable
from .files import EnvironmentFile
from .flow import Files, StepView, follow_files
from .tools import is_manifest_name

__all__ = ["Choice", "choose_source", "is_manifest", "named_source"]


@dataclass(frozen=True)
class Choice:
    """The file that the source edit changes, and why this one, in a few words for the header."""

    path: str
    why: str


def named_source(
    path: str,
    entries: Iterable[ContextEntry],
    environment: Sequence[EnvironmentFile],
    *,
    context: Path,
    dockerfile: Path,
    ignore: IgnoreRules,
) -> Choice:
    """The file of ``--dockercache-edit``, relative to the context.

    Raises ConfigError for what no edit of can reach the image, and for one of
    the ``environment`` files: an edit of it has to rebuild the environment.
    """
    option = f"--dockercache-edit={path}"
    try:
        cleaned = context_path(path, os.path.abspath(context))
    except ConfigError as error:
        raise ConfigError(f"{option}: {str(error).partition(': ')[2]}") from None
    known = {entry.path: entry for entry in entries}
    reader = next((file.why for file in environment if file.path == cleaned), None)
    if reader is not None:
        raise ConfigError(
            f"{option}: is an environment file ({reader}), an edit of which has to rebuild the "
            "environment; name a source file"
        )
    entry = known.get(cleaned)
    if entry is not None and entry.kind == "dir":
        raise ConfigError(f"{option}: is a directory; name a file in it")
    if entry is None and context / cleaned != dockerfile:
        if is_there(context, cleaned) and ignore.excludes(cleaned):
            raise ConfigError(
                f"{option}: is kept out of the build context by {ignore.deciding_line(cleaned)}, "
                "so no edit of it reaches the image; name a file that the image holds"
            )
        meant = alike(cleaned, known)
        hint = f"perhaps {meant} is meant" if meant else "paths are relative to the context"
        raise ConfigError(f"{option}: no such file in the build context {context}; {hint}")
    return Choice(cleaned, "named with --dockercache-edit")


_NO_SOURCE_NAME = re.compile(
    r"""(
      .*\.lock | .*lock\.(json|ya?ml) | \.python-version
    | (dockerfile|containerfile)(\..*)? | .*\.(dockerfile|containerfile)
    | .*\.dockerignore | \.(docker|git|container|npm|prettier|eslint)ignore
    | \.git(attributes|modules) | (docker-)?compose.*\.ya?ml
    )""",
    re.VERBOSE | re.IGNORECASE,
)

_TEST = re.compile(
    r"(^|/)(tests?|testing|__tests__|spec)/|(^|/)(test_[^/]*|[^/]*_test\.[^/]*|conftest\.py)$"
)

# Tests, and what a project is installed with before its code is there.
_BESIDE_THE_CODE = re.compile(
    rf"{_TEST.pattern}|(^|/)(__(init|about|version)__|_?version|versioneer)\.py$"
)

_DATA_SUFFIXES = """
csv tsv tab psv json ipynb jsonl ndjson geojson lock pem crt key pub
"""
_WITHOUT_COMMENTS = frozenset(_DATA_SUFFIXES.split())


def is_manifest(path: str) -> bool:
    """Whether the name is that of an environment, lock, Dockerfile or ignore file."""
    return (
        is_manifest_name(path)
        or _NO_SOURCE_NAME.fullmatch(posixpath.basename(path)) is not None
        or ("/requirements/" in f"/{path}" and path.endswith((".txt", ".in")))
    )


def choose_source(
    plan: Sequence[PlannedStep],
    entries: Iterable[ContextEntry],
    environment_lines: Collection[int],
    *,
    exclude: Collection[str] = (),
    context: Path | None = None,
) -> Choice:
    """Choose the file whose edit stands for "somebody changed the code".

    First source code that an environment step stands on although neither a
    command up to it nor an environment file names it: whatever is copied
    later cannot show what an edit of that costs. Next what a stage takes of
    which an environment step copies something made. Else a source file that
    only steps after the environment copy; else the file of CMD or ENTRYPOINT;
    else the first sorted source file, then the first file that takes a
    comment, outside tests, that any COPY, ADD or bind mount takes.
    ``environment_lines`` are the first lines of the environment steps,
    ``exclude`` the environment files; no manifest, lock, Dockerfile or ignore
    file is ever chosen. With ``context`` files are looked into, and binary
    ones passed over.

    Raises Unverifiable when no file qualifies.
    """
    known = {entry.path: entry for entry in entries}
    views, ends = follow_files(plan, known)
    late, early = _around_environment(views, environment_lines)
    excluded = set(exclude)

    def qualifies(path: str) -> bool:
        entry = known.get(path)
        return (
            entry is not None
            and entry.kind == "file"
            and path not in excluded
            and not is_manifest(path)
            and _commentable(path, context)
        )

    program = _program(plan, ends, known)
    runnable = program[0] if program is not None and qualifies(program[0]) else None
    above = _above_environment(views, environment_lines, excluded, known, context)
    made = _made_into_environment(views, environment_lines)
    for standing_on, where in (
        (above, "before the environment"),
        (made, "into a stage that the environment stands on"),
    ):
        for path in sorted(standing_on, key=lambda path: (path != runnable, _preference(path))):
            if (
                is_source_code(path) and not _BESIDE_THE_CODE.search(path) and qualifies(path)
            ) or _is_notebook(path, known):
                return Choice(path, f"line {standing_on[path]} copies it {where}")
    after = sorted(late.keys() - early.keys(), key=_preference)
    if runnable in after and runnable is not None:
        return Choice(runnable, f"line {late[runnable]} copies it after the environment")
    for path in after:
        if is_source_code(path) and not _TEST.search(path) and qualifies(path):
            return Choice(path, f"line {late[path]} copies it after the environment")
    anywhere = {**late, **early}
    if runnable is not None and program is not None:
        return Choice(runnable, f"line {program[1]} runs it")
    by_name = sorted(anywhere)
    for paths, code, tests in (
        (sorted(anywhere, key=_preference), True, False),
        (after, False, False),
        (by_name, False, False),
        (by_name, False, True),
    ):
        for path in paths:
            if (
                (is_source_code(path) or not code)
                and (tests or not _TEST.search(path))
                and qualifies(path)
            ):
                when = " after the environment" if path in after and environment_lines else ""
                return Choice(path, f"line {anywhere[path]} copies it{when}")
    raise Unverifiable(
        "no file of the build context that a comment could be added to reaches the image: "
        "name one with --dockercache-edit=PATH"
    )


def _around_environment(
    views: Mapping[int, StepView], environment_lines: Collection[int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Context files taken after, and before, the last environment step: path to line.

    A step is after it when it runs on top of it or in a stage that no
    environment step runs on; before it when an environment step can see what
    it brings.
    """
    late: dict[str, int] = {}
    early: dict[str, int] = {}
    seen_by_environment: set[str] = set()
    last = max(environment_lines, default=None)
    for view in views.values():
        if view.step.line in environment_lines:
            seen_by_environment |= view.before.present | view.own.present
    for view in views.values():
        context_transfers = [t for t in view.step.transfers if t.origin == "context"]
        if not context_transfers:
            continue
        for path in view.own.present:
            if path in seen_by_environment or last is None or view.step.line < last:
                early.setdefault(path, view.step.line)
            else:
                late.setdefault(path, view.step.line)
    return late, early


def _above_environment(
    views: Mapping[int, StepView],
    environment_lines: Collection[int],
    environment: Collection[str],
    known: Mapping[str, ContextEntry],
    context: Path | None,
) -> dict[str, int]:
    """Context files that an environment step stands on without a known need: path to line.

    A need is known for what a command or a SHELL up to that step names, and
    for the local packages of an ``environment`` file.
    """
    needed = _local_packages(environment, known, context)
    found: dict[str, int] = {}
    for below in _chains(views, environment_lines):
        words, patterns = _names_said(view.step for view in below)
        for view in below:
            named = {
                path
                for place, path in view.own.at.items()
                if posixpath.basename(place) in words
                or any(fnmatchcase(place, pattern) for pattern in patterns)
            }
            for path in view.own.present - named:
                if posixpath.basename(path) not in words and not path.startswith(needed):
                    found.setdefault(path, view.step.line)
    return found


def _made_into_environment(
    views: Mapping[int, StepView], environment_lines: Collection[int]
) -> dict[str, int]:
    """Context files of other stages with a RUN, of which an environment step copies: path to line.

    What such a RUN makes of them cannot be followed from file to file.
    """
    found: dict[str, int] = {}
    steps = [view.step for view in views.values()]
    for below in _chains(views, environment_lines):
        origins = [t.origin for view in below for t in view.step.transfers]
        stages = contributing_stages(steps, (index for index in origins if isinstance(index, int)))
        others = stages - {view.step.stage.index for view in below}
        inside = [view for view in views.values() if view.step.stage.index in others]
        if any(view.step.instruction.keyword == "RUN" for view in inside):
            for view in inside:
                for path in view.own.present:
                    found.setdefault(path, view.step.line)
    return found


def _chains(
    views: Mapping[int, StepView], environment_lines: Collection[int]
) -> Iterator[list[StepView]]:
    """For each environment step the steps that it runs on top of, and itself."""
    parents = {view.step.stage.index: view.step.stage.parent for view in views.values()}
    for last, environment in views.items():
        if environment.step.line not in environment_lines:
            continue
        chain: list[int] = []
        stage: int | None = environment.step.stage.index
        while stage is not None and stage not in chain:
            chain.append(stage)
            stage = parents.get(stage)
        yield [
            view
            for position, view in views.items()
            if position <= last and view.step.stage.index in chain
        ]


# Commands that name a file without a need for what is in it.
_CARELESS = re.compile(r"\b(ch(mod|own|grp)|rm|ls|mkdir)\b[^;&|\n]*")


def _names_said(steps: Iterable[PlannedStep]) -> tuple[frozenset[str], frozenset[str]]:
    """The words of the commands and shells among the steps, and their container path patterns."""
    words: set[str] = set()
    patterns: set[str] = set()
    for step in steps:
        if step.instruction.keyword in ("RUN", "SHELL"):
            said = _CARELESS.sub("", step.instruction.text)
            words.update(re.findall(r"[\w.+-]+", said))
            for word in re.findall(r"""[^\s;&|()'"=]*[*?][^\s;&|()'"]*""", said):
                patterns.add(posixpath.normpath(posixpath.join(step.workdir or "/", word)))
    return frozenset(words), frozenset(patterns)


def _is_notebook(path: str, known: Mapping[str, ContextEntry]) -> bool:
    """Whether it is a notebook, which is somebody's code although it takes no comment."""
    entry = known.get(path)
    return path.endswith(".ipynb") and entry is not None and entry.kind == "file"


def _local_packages(
    environment: Collection[str], known: Mapping[str, ContextEntry], context: Path | None
) -> tuple[str, ...]:
    """The directories, with a slash at the end, that environment files install packages from."""
    found = set()
    for manifest in environment:
        if context is None:
            continue
        try:
            text = (context / manifest).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for word in re.findall(r"(?:-e|--editable)[ =]*(\S+)|([\w.-]*/\S*)", text):
            place = (word[0] or word[1]).removeprefix("file:").partition("[")[0].strip("\"'")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(manifest), place))
            entry = known.get(path)
            if entry is not None and entry.kind == "dir":
                found.add(path + "/")
    return tuple(sorted(found))


def _preference(path: str) -> tuple[bool, bool, str]:
    """Python before other languages, and real modules before package markers."""
    name = posixpath.basename(path)
    return (not name.endswith(".py"), name in ("__init__.py", "__main__.py"), path)


def _commentable(path: str, context: Path | None) -> bool:
    """Whether a comment can be added without changing what the file says."""
    suffix = posixpath.basename(path).lower().rpartition(".")[2]
    if suffix in _WITHOUT_COMMENTS:
        return False
    if context is None:
        return comment_syntax(path) is not None
    try:
        with open(context / path, "rb") as file:
            start = file.read(1 << 16)
    except OSError:
        return False
    return not is_binary(start) and comment_syntax(path, start) is not None


def _program(
    plan: Sequence[PlannedStep], ends: Mapping[int, Files], known: Mapping[str, ContextEntry]
) -> tuple[str, int] | None:
    """The context file that ENTRYPOINT or CMD of the last stage runs, and that line."""
    if not plan:
        return None
    parents = {step.stage.index: step.stage.parent for step in plan}
    stage: int | None = plan[-1].stage.index
    files = ends.get(plan[-1].stage.index, Files())
    chain: list[int] = []
    while stage is not None and stage not in chain:
        chain.append(stage)
        stage = parents.get(stage)
    for keyword in ("ENTRYPOINT", "CMD"):
        for index in chain:
            steps = [
                step
                for step in plan
                if step.stage.index == index and step.instruction.keyword == keyword
            ]
            if not steps:
                continue
            found = _first_file(steps[-1], files)
            if found is not None and known[found].kind == "file":
                return found, steps[-1].line
            break
    return None


def _first_file(step: PlannedStep, files: Files) -> str | None:
    words = step.instruction.exec_form
    if words is None:
        try:
            words = tuple(shlex.split(step.instruction.value))
        except ValueError:
            words = tuple(step.instruction.value.split())
    elif any(re.search(r"\s", word) for word in words):
        # ["sh", "-c", "exec python main.py"]
        words = tuple(part for word in words for part in word.split())
    workdir = step.workdir or "/"
    for word in words:
        place = posixpath.normpath(posixpath.join(workdir, word))
        if place in files.at:
            return files.at[place]
    for position, word in enumerate(words):
        module = word.partition(":")[0]
        after_m = position > 0 and words[position - 1] == "-m"
        if not (after_m or ":" in word) or not re.fullmatch(r"\w+(\.\w+)*", module):
            continue
        base = module.replace(".", "/")
        for ending in (f"{base}.py", f"{base}/__main__.py", f"{base}/__init__.py"):
            direct = files.at.get(posixpath.join(workdir, ending))
            if direct is not None:
                return direct
            matching = sorted(
                path for place, path in files.at.items() if place.endswith("/" + ending)
            )
            if matching:
                return matching[0]
    return None
