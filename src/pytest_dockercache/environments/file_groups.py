"""The context's files in groups: the same steps take all files of a group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..context.comments import is_source_code
from ..context.named import at_top
from ..model import FileRole, top_of
from ..values import dataclass
from .file_roles import FileRoles
from .flow import StepView
from .ground import Ground

__all__ = ["Group", "directories_of", "group_files", "preferred", "representative", "tops_of"]


@dataclass(frozen=True)
class Group:
    """Context files of one role that the same steps take.

    ``lines`` are the first lines of the steps whose COPY, ADD or bind mount takes these files, from
    the context or out of another stage, in Dockerfile order; ``paths`` are sorted; ``stands_on``
    says whether an environment step depends on one of these steps.
    """

    lines: tuple[int, ...]
    role: FileRole
    paths: tuple[str, ...]
    stands_on: bool


def group_files(
    views: Sequence[StepView],
    grounds: Sequence[Ground],
    roles: FileRoles,
    candidates: Collection[str],
) -> tuple[Group, ...]:
    """Group the ``candidates`` that steps take, by the steps and the role.

    ``views`` are the views of all steps of the plan, in its order. The groups
    are ordered by their lines. Files that no step takes are in no group.
    """
    taking: dict[str, tuple[int, ...]] = {}
    for view in views:
        taking.update(_with_line(view.step.line, view.own.present, taking))
    wanted = candidates if isinstance(candidates, (set, frozenset)) else set(candidates)
    alike: dict[tuple[int, ...], list[str]] = {}
    for path, lines in taking.items():
        if path in wanted:
            alike.setdefault(lines, []).append(path)
    special = roles.inputs.keys() | roles.needed.keys()
    grouped: dict[tuple[tuple[int, ...], FileRole], list[str]] = {}
    for lines, paths in alike.items():
        if special.isdisjoint(paths):
            grouped[lines, "source"] = paths
            continue
        for path in paths:
            grouped.setdefault((lines, roles.of(path)), []).append(path)
    ground = {step.line for one in grounds for step in one.steps}
    return tuple(
        Group(lines, role, tuple(sorted(paths)), not ground.isdisjoint(lines))
        for (lines, role), paths in sorted(grouped.items())
    )


def _with_line(
    line: int, paths: Collection[str], taking: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The lines that take each path, one more each; files of one past share one tuple."""
    longer: dict[tuple[int, ...], tuple[int, ...]] = {}
    found: dict[str, tuple[int, ...]] = {}
    for path in paths:
        before = taking.get(path, ())
        if before not in longer:
            longer[before] = before if before[-1:] == (line,) else (*before, line)
        found[path] = longer[before]
    return found


def preferred(path: str) -> tuple[bool, bool, bool, str]:
    """The order in which files stand for their group; the first one does.

    Files of dot directories come last, code before other files, package
    markers behind real modules.
    """
    hidden = "/." in path or path[:1] == "."
    marker = path.endswith(_MARKERS) and path.rpartition("/")[2] in _MARKERS
    return (hidden, not is_source_code(path), marker, path)


_MARKERS = ("__init__.py", "__main__.py")


def representative(
    group: Group, programs: Collection[str], changes: Callable[[], Mapping[str, int]]
) -> str:
    """The file whose edit stands for an edit of any file of the group.

    The representative is the program of CMD or ENTRYPOINT; else the file with the most commits
    (``changes`` counts commits by path); else the first file by :func:`preferred`.
    """
    for path in group.paths:
        if path in programs:
            return path
    if len(group.paths) == 1:
        return group.paths[0]
    counts = changes()
    if counts.keys().isdisjoint(group.paths):
        return min(group.paths, key=preferred)

    def order(path: str) -> tuple[bool, int, tuple[bool, bool, bool, str]]:
        own = preferred(path)
        return own[0], -counts.get(path, 0), own

    return min(group.paths, key=order)


def tops_of(
    paths: Iterable[str], named: Collection[str] = (), edited: Collection[str] = ()
) -> list[str]:
    """The top directories of some paths, and the files at the root.

    Directories of the ``edited`` files come first, then directories with code, then the one with
    the most files; hidden directories are left out unless there are only hidden ones. A file that
    the Dockerfile names (``named``) stands for itself.
    """
    return [
        top if count > 1 or top in named or "/" not in top else _top(top)
        for top, count in _by_top(list(paths), edited)
    ]


def directories_of(paths: Iterable[str], edited: Collection[str] = (), limit: int = 3) -> str:
    """Files as a reader would name them: ``app/ (10 files), templates/ (3 files) and 2 more``.

    A directory with one file is named by the file. Hidden files are only
    counted, unless there are no others. The order is that of :func:`tops_of`.
    """
    listed = list(paths)
    shown = _by_top(listed, edited)[:limit]
    named = [top if count == 1 else f"{top} ({count} files)" for top, count in shown]
    rest = len(listed) - sum(count for _, count in shown)
    text = ", ".join(named)
    return text if not rest else f"{text} and {rest} more"


def _top(path: str) -> str:
    """The top directory of a file, with the name of its context; a file at the root is its own."""
    context = top_of(path)
    inside = path[len(context) + 1 :] if context else path
    top, slash, _ = inside.partition("/")
    return at_top(context, f"{top}/" if slash else top)


def _by_top(paths: Sequence[str], edited: Collection[str]) -> list[tuple[str, int]]:
    tops: dict[str, list[str]] = {}
    for path in sorted(path for path in paths if not preferred(path)[0]) or sorted(paths):
        tops.setdefault(_top(path), []).append(path)

    def order(item: tuple[str, list[str]]) -> tuple[bool, bool, bool, int, str]:
        top, below = item
        code = any(map(is_source_code, below))
        at_root = top[-1:] != "/"
        return edited_in.isdisjoint(below), not code, at_root, -len(below), top

    edited_in = set(edited)
    return [
        (below[0] if len(below) == 1 else top, len(below))
        for top, below in sorted(tops.items(), key=order)
    ]
