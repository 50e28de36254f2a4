"""A COPY that leaves files out: without a source, with ``--exclude``, or by the names of the rest.

``COPY --exclude`` is a part of the Dockerfile syntax 1.7-labs and of 1.19 (release notes of
``docker/dockerfile``); BuildKit before that refuses it, and so does the classic builder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from ..dockerfile import PlannedStep, Transfer
from ..errors import DockerCacheError
from ..regexes import regex
from ..values import dataclass
from .site import Site

__all__ = ["Narrowed", "knows_exclude", "leaving_out", "without_bytecode_of_image"]

_MOST_COPIES = 3
_NAMED_BY_NOBODY = frozenset({".git", ".pytest_cache", "__pycache__", "node_modules", ".venv"})


@dataclass(frozen=True)
class Narrowed:
    """Instructions in place of a COPY; ``words`` say what they do, with ``{line}`` for its line."""

    sources: tuple[str, ...]
    words: str


_FRONTEND = regex(
    r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::([\w.-]+))?(?:@sha256:[0-9a-f]{64})?"
)


def knows_exclude(site: Site) -> bool:
    """Whether the Dockerfile's syntax is known to have ``--exclude``: by its name, or by its use.

    Without a ``# syntax=`` line the builder has a syntax of its own, of a version that is not
    known here. A build argument BUILDKIT_SYNTAX stands above the line.
    """
    dockerfile = site.snapshot.dockerfile
    if any(step.instruction.flag("exclude") for step in site.steps):
        return True
    syntax = dict(site.spec.build_args).get("BUILDKIT_SYNTAX")
    if syntax is None:
        syntax = dict(dockerfile.directives).get("syntax", "")
    found = _FRONTEND.fullmatch(syntax.strip())
    if found is None or ("@" in syntax and found[1] is None):
        return False
    version = re.fullmatch(r"(?:(\d+)(?:\.(\d+)(?:\.\d+)?)?|latest|labs|)(-labs)?", found[1] or "")
    if version is None or version[1] not in (None, "1"):
        return False
    # A tag without a minor version is kept at the newest one.
    labs = version[3] is not None or found[1] == "labs"
    return version[2] is None or int(version[2]) >= (7 if labs else 19)


def leaving_out(site: Site, line: int, gone: Sequence[str], excludes: bool) -> Narrowed | None:
    """A COPY at ``line`` without these container paths, which it brings, and all below them.

    ``excludes`` says that the builder may be given ``--exclude``. None where no instruction
    is known that brings exactly the other files.
    """
    step = site.steps[site.position(line)]
    if len(step.transfers) != 1 or step.instruction.heredocs or step.instruction.exec_form:
        return None
    transfer = step.transfers[0]
    if transfer.parents or transfer.kind == "add" or "$" in step.instruction.value:
        return None
    for made in (
        _without_source(site, step, transfer, gone),
        _excluding(site, step, transfer, gone) if excludes and knows_exclude(site) else None,
        _by_name(site, step, transfer, gone),
    ):
        if made is not None and _brings_the_rest(site, line, made, gone):
            return made
    return None


def without_bytecode_of_image(site: Site, line: int) -> Narrowed | None:
    """A COPY of another image's files without the ``.pyc`` among them; None without an option."""
    step = site.steps[site.position(line)]
    written = step.instruction.value.split()
    transfer = step.transfers[0] if len(step.transfers) == 1 else None
    if transfer is None or transfer.origin == "context" or isinstance(transfer.origin, int):
        return None
    plain = _plain(written) and len(written) == 2 and not written[0].endswith(".pyc")
    if not plain or transfer.parents or not knows_exclude(site):
        return None
    pattern = "--exclude=**/*.pyc"
    text = f"COPY {_flags(step)}{pattern} {' '.join(written)}"
    return Narrowed((text,), f"give line {{line}} {pattern}")


def _brings_the_rest(site: Site, line: int, made: Narrowed, gone: Sequence[str]) -> bool:
    """Whether the cache model finds the same files at the same places, without those gone."""
    position = site.position(line)
    if not any(site.views[position].own.at):
        return True  # What an image holds is not known here; the names are the author's own.
    wanted = {
        place: origin
        for place, origin in site.views[position].own.at.items()
        if not any(_within(place, path) for path in gone)
    }
    sheet = site.sheet.replaced(line, *made.sources)
    try:
        draft = site.rewritten(sheet.text)
    except DockerCacheError:
        return False
    new = {new for new, old in sheet.origins.items() if old in (line, 0)}
    found: dict[str, str] = {}
    for position, step in enumerate(draft.steps):
        if step.line in new:
            found |= draft.views[position].own.at
    return found == wanted


def _within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")


def _flags(step: PlannedStep) -> str:
    return "".join(
        f"--{flag.name}={flag.value} " if flag.value is not None else f"--{flag.name} "
        for flag in step.instruction.flags
    )


def _plain(words: Iterable[str]) -> bool:
    return not any(re.search(r"[\s$\[\]*?\\!\"']", word) for word in words)


def _without_source(
    site: Site, step: PlannedStep, transfer: Transfer, gone: Sequence[str]
) -> Narrowed | None:
    """The COPY without those of its sources that are files to be left out."""
    entries = site.snapshot.tree.entries
    written = step.instruction.value.split()
    if transfer.origin != "context" or transfer.context:
        return None
    if len(written) < 3 or not _plain(written):
        return None
    left = list(written[:-1])
    out: list[str] = []
    for path in gone:
        name = posixpath.basename(path)
        if posixpath.dirname(path) != posixpath.normpath(transfer.destination):
            return None
        found = [word for word in left if posixpath.basename(posixpath.normpath(word)) == name]
        if len(found) != 1:
            return None
        entry = entries.get(posixpath.normpath(found[0]).lstrip("/"))
        if entry is None or entry.kind != "file":
            return None
        left.remove(found[0])
        out += found
    if not left or not (written[-1].endswith("/") or written[-1] == "."):
        return None
    text = f"COPY {_flags(step)}{' '.join([*left, written[-1]])}"
    return Narrowed((text,), f"leave {_listed(out)} out of line {{line}}")


def _excluding(
    site: Site, step: PlannedStep, transfer: Transfer, gone: Sequence[str]
) -> Narrowed | None:
    patterns = _patterns(site, transfer, gone)
    written = step.instruction.value.split()
    if patterns is None or not _plain(written):
        return None
    flags = "".join(f"--exclude={pattern} " for pattern in patterns)
    text = f"COPY {_flags(step)}{flags}{' '.join(written)}"
    words = "give line {line} " + " ".join(f"--exclude={pattern}" for pattern in patterns)
    return Narrowed((text,), words)


def _patterns(site: Site, transfer: Transfer, gone: Sequence[str]) -> list[str] | None:
    """The paths to be left out, from the one directory that a COPY takes."""
    directory = _directory(site, transfer)
    if directory is None:
        return None
    destination = posixpath.normpath(transfer.destination)
    found = []
    for path in gone:
        if path == destination or not _within(path, destination):
            return None
        found.append(posixpath.relpath(path, destination))
    return found if _plain(found) and not any(item.startswith("#") for item in found) else None


def _directory(site: Site, transfer: Transfer) -> str | None:
    """The only source of a COPY, if it is a directory, or is written as one."""
    if len(transfer.sources) != 1 or re.search(r"[*?\[\\]|://", transfer.sources[0]):
        return None
    source = transfer.sources[0]
    path = posixpath.normpath(source).lstrip("/")
    if transfer.origin != "context":
        return path
    entry = site.snapshot.tree.entries.get(path)
    is_directory = path in (".", "") or (entry is not None and entry.kind == "dir")
    return path if is_directory else None


def _by_name(
    site: Site, step: PlannedStep, transfer: Transfer, gone: Sequence[str]
) -> Narrowed | None:
    """A COPY of a directory as one of its files and one of each of its directories."""
    directory = _directory(site, transfer)
    if transfer.origin != "context" or transfer.context:
        return None
    if directory is None or transfer.exclude:
        return None
    if _patterns(site, transfer, gone) is None or step.instruction.flag("link"):
        return None
    head = "" if directory in (".", "") else f"{directory}/"
    destination = posixpath.normpath(transfer.destination)
    outside = [posixpath.relpath(path, destination) for path in gone]
    entries = {
        path[len(head) :]: entry
        for path, entry in site.snapshot.tree.entries.items()
        if path.startswith(head) and "/" not in path[len(head) :] and path != directory
    }
    kept = {name: entry.kind for name, entry in entries.items() if name not in outside}
    # A directory that is copied by its name is made anew, with a mode of its own.
    modes = {entries[name].mode & 0o7777 for name, kind in kept.items() if kind == "dir"}
    if any("/" in path for path in outside) or not modes <= {0o755}:
        return None
    if not {*kept.values()} <= {"file", "dir"} or not _NAMED_BY_NOBODY.isdisjoint(kept):
        return None
    written = step.instruction.value.split()[-1].rstrip("/") or "/"
    into = "" if written == "." else f"{written.rstrip('/')}/"
    files = sorted(name for name, kind in kept.items() if kind == "file")
    folders = sorted(name for name, kind in kept.items() if kind == "dir")
    if not kept or not _plain((*kept, written)) or len(folders) + bool(files) > _MOST_COPIES:
        return None
    flags = _flags(step)
    texts = (
        [f"COPY {flags}{' '.join(head + name for name in files)} {into or './'}"] if files else []
    )
    texts += [f"COPY {flags}{head}{name}/ {into}{name}/" for name in folders]
    words = f"copy {_listed([*files, *(f'{name}/' for name in folders)])} by name in line {{line}}"
    return Narrowed(tuple(texts), f"{words} (what is new beside them has to be named too)")


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:5])
    if len(names) > 5:
        shown.append(f"{len(names) - 5} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
