"""A RUN that mounts a directory, with the single files mounted that it reads."""

from __future__ import annotations

import posixpath
import re

from ..dockerfile.instructions import mounts
from ..regexes import regex
from .effects import effects_of
from .site import Site

__all__ = ["narrowed"]

_MOUNT = regex(r"--mount=(\S+)")


def narrowed(site: Site, position: int) -> tuple[str, tuple[str, ...]] | None:
    """The source of a RUN that mounts only its inputs of the context, and their paths.

    None where it mounts no directory of the context, or reads more than single files of it.
    """
    step = site.steps[position]
    own = site.views[position].own.at
    effects = effects_of(site, position)
    if not own or effects.unknown or effects.projects:
        return None
    wide = [
        mount
        for mount in mounts(step.instruction)
        if mount.type == "bind" and not mount.origin and not _is_file(site, mount.source)
    ]
    if len(wide) != 1:
        return None
    target = posixpath.normpath(posixpath.join(step.workdir, wide[0].target))
    # A directory that is mounted for writing, or written to, is not there with its files alone.
    if re.search(r"--mount=\S*\b(rw|readwrite)\b", step.instruction.text):
        return None
    if any(_meets(path, target) for path in (*effects.writes.trees, *effects.writes.files)):
        return None
    if any(_meets(tree, target) for tree in (*effects.reads.trees, *effects.directories)):
        return None
    read = sorted(place for place in effects.inputs if place in own and _meets(place, target))
    if not read or any(re.search(r"[\s,\"]", place + own[place]) for place in read):
        return None
    made = " \\\n    ".join(
        f"--mount=type=bind,source={own[place]},target={_shown(place, step.workdir)}"
        for place in read
    )
    source = site.sheet.source(step.line)
    for found in _MOUNT.finditer(source):
        options = found[1].split(",")
        is_bind = "type=bind" in options or not any(item.startswith("type=") for item in options)
        named = [item.partition("=")[2] for item in options if item.startswith(("source=", "src="))]
        if is_bind and (named or [""])[0] == wide[0].source and "from=" not in found[1]:
            return source[: found.start()] + made + source[found.end() :], tuple(
                own[place] for place in read
            )
    return None


def _is_file(site: Site, source: str) -> bool:
    entry = site.snapshot.tree.entries.get(posixpath.normpath(source).lstrip("/"))
    return entry is not None and entry.kind == "file"


def _meets(path: str, target: str) -> bool:
    return path == target or path.startswith(target.rstrip("/") + "/")


def _shown(place: str, workdir: str) -> str:
    inside = workdir != "/" and place.startswith(workdir.rstrip("/") + "/")
    return posixpath.relpath(place, workdir) if inside else place
