"""Whether two steps may change places, and the conflict that forbids the exchange."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ..dockerfile import PlannedStep
from ..environments.tools import reads_variable
from ..regexes import regex
from ..values import dataclass
from .effects import effects_of
from .site import Site
from .touched import ENVIRONMENT, EVERYTHING, SYSTEM, USERS, Effects, Paths

__all__ = ["Conflict", "conflict"]

_TOOL_VARIABLE = regex(
    r"^(REQUESTS|SSL|CURL|NPM|NODE|LD|CC|CXX|CFLAGS|PYTHON\w*)(_|$)|GIT_(SSH|CONFIG|ASKPASS|DIR)|"
    r"^(PATH|HOME|USER|SHELL|LANG|LC_\w+|TMPDIR|DEBIAN_FRONTEND|SOURCE_DATE_EPOCH|BUILDKIT_\w+|"
    r"\w*_proxy|\w*_PROXY)$"
    r"|^(USE|WITH|ENABLE|DISABLE|SKIP|FORCE)_|_(ARGS|FLAGS|OPTS|OPTIONS)$|CUDA|ROCM|OPENMP|(^|_)MKL"
)
"""Variables that programs read by themselves, whatever the words of a RUN say.

The last ones are those by which the build of a package is told what to build in.
"""

_MOST_FILES = 400


@dataclass(frozen=True)
class Conflict:
    """Why a later step cannot stand above an earlier one.

    ``kind`` is ``reads`` where the later step reads what the earlier writes (the files ``needs``,
    if these are known one by one); ``writes`` where both write one file, or the later writes what
    the earlier reads; ``variable`` or ``state`` where the earlier sets what the later uses;
    ``unknown`` where the files of one step are not known. ``what`` names the file, variable or
    setting.
    """

    kind: Literal["reads", "writes", "variable", "state", "unknown"]
    what: str
    needs: frozenset[str] | None = None
    needed_trees: frozenset[str] = frozenset()


def conflict(site: Site, earlier: int, later: int) -> Conflict | None:
    """The conflict if the later step (by position) ran above the earlier one."""
    first, second = effects_of(site, earlier), effects_of(site, later)
    for setter, user, position in ((first, second, later), (second, first, earlier)):
        for name in sorted(setter.sets):
            if name in user.sets or _may_use(site, position, user, name):
                return Conflict("variable", name)
        changed = setter.state & (user.minds | user.state)
        if changed:
            return Conflict("state", min(changed))
    return _by_paths(site, earlier, later, first, second)


def _by_paths(
    site: Site, earlier: int, later: int, first: Effects, second: Effects
) -> Conflict | None:
    for one in (first, second):
        if one.unknown and _touches(site, earlier if one is second else later):
            needs = None
            if one is second and one.projects:
                return Conflict("reads", f"{one.projects[0][0]} ({one.projects[0][1]})", needs)
            return Conflict("unknown", one.unknown)
    if second.projects and _touches(site, earlier):
        manifest, words = second.projects[0]
        return Conflict("reads", f"{manifest} ({words})", None)
    # An additional user changes no other user: the users that a step names existed before.
    written = second.writes.without(USERS)
    met = written.meeting(first.reads) or _shared(written, first.reads)
    if met:
        return Conflict("writes", met)
    both = _both_write(site, earlier, later, first, second)
    if both is not None:
        return both
    brought = first.content if _minds_no_owner(site, later, first, second) else first.writes
    met = brought.meeting(second.reads) or _shared(brought, second.reads)
    return Conflict("reads", met, *_needed(brought, second.reads)) if met else None


def _minds_no_owner(site: Site, later: int, first: Effects, second: Effects) -> bool:
    """Whether an installation reads its inputs as root, who may read them whosever they are."""
    if not first.marks or site.commands[later] is None:
        return False
    files, trees = _needed(first.marks, second.reads)
    is_root = site.steps[later].user.split(":")[0] in ("", "0", "root")
    return is_root and not trees and files is not None and files <= second.inputs


def _shared(one: Paths, other: Paths) -> str:
    return min((one.files & other.files) & {SYSTEM, ENVIRONMENT}, default="")


def _needed(written: Paths, read: Paths) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The written files that are read: single files, and trees that are read whole.

    None stands for the files if the reader needs a place that cannot be copied by itself.
    """
    if _shared(written, read):
        return None, frozenset()
    files = {
        path
        for path in read.files
        if path in written.files or any(_below(path, tree) for tree in written.trees)
    }
    trees = set()
    for tree in read.trees:
        if tree in written.files:
            files.add(tree)
            continue
        if written.files and any(_below(path, tree) for path in written.files):
            trees.add(tree)
        if any(_below(tree, other) for other in written.trees):
            trees.add(tree)
        elif any(_below(other, tree) for other in written.trees):
            return None, frozenset()
    return frozenset(files), frozenset(trees)


def _below(path: str, tree: str) -> bool:
    return tree == "/" or path == tree or path.startswith(tree + "/")


def _both_write(
    site: Site, earlier: int, later: int, first: Effects, second: Effects
) -> Conflict | None:
    met = first.writes.meeting(second.writes)
    shared = _shared(first.writes, second.writes)
    if met is None and not shared:
        return None
    one, other = site.steps[earlier], site.steps[later]
    if met is not None and _copies_the_same(site, earlier, later, one, other):
        return None
    return Conflict("writes", met or shared)


def _copies_the_same(
    site: Site, earlier: int, later: int, one: PlannedStep, other: PlannedStep
) -> bool:
    """Whether two COPYs of the context agree on every file that both of them bring."""
    copies = ("COPY", "ADD")
    if one.instruction.keyword not in copies or other.instruction.keyword not in copies:
        return False
    if any(
        one.instruction.flag(name) != other.instruction.flag(name) for name in ("chown", "chmod")
    ):
        return False
    origins = {transfer.origin for step in (one, other) for transfer in step.transfers}
    if origins != {"context"} or one.instruction.heredocs or other.instruction.heredocs:
        return False
    left, right = site.views[earlier].own.at, site.views[later].own.at
    return all(left[place] == right[place] for place in left.keys() & right.keys())


def _touches(site: Site, position: int) -> bool:
    """Whether a step can touch files, so that an unknown step conflicts with it."""
    return site.steps[position].instruction.keyword in ("RUN", "COPY", "ADD", "ONBUILD", "VOLUME")


def _may_use(site: Site, position: int, user: Effects, name: str) -> bool:
    if name in user.uses or EVERYTHING in user.uses:
        return True
    if site.steps[position].instruction.keyword != "RUN":
        return False
    if _TOOL_VARIABLE.search(name) or reads_variable(name):
        return True
    visible = site.visible(position)
    if user.unknown or user.projects:
        read = set(visible.values())
    else:
        read = {
            origin
            for place, origin in visible.items()
            if Paths(frozenset({place})).meeting(user.reads)
        }
    if len(read) > _MOST_FILES:
        return True
    # The Dockerfile names every argument, and nobody who reads it there is told a value.
    read.discard(_in_context(site, site.spec.dockerfile))
    word = re.compile(rf"\b{re.escape(name)}\b")
    return any(word.search(site.file(path) or "") for path in read)


def _in_context(site: Site, path: Path) -> str:
    context = site.spec.context
    return path.relative_to(context).as_posix() if path.is_relative_to(context) else ""
