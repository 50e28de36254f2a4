"""The entries of a build context that a build can see; links are not followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ConfigError
from .ignore import IgnoreRules, Matched

__all__ = ["ContextEntry", "Grown", "Kind", "context_files", "entry_of", "unreadable"]

Kind = Literal["file", "dir", "link", "fifo", "socket", "char", "block"]

_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One path of a build context as ``lstat`` sees it.

    ``path`` is POSIX and relative to the context (bytes that are not UTF-8
    are surrogate escapes); ``size`` is in bytes, 0 unless a file; ``mode``
    the permission bits with setuid, setgid and sticky; ``link`` a symbolic
    link's text; ``device`` is ``st_rdev`` of a device. ``same`` is the path by which the file of a
    named context is known, where it is a file of another context too; "" otherwise.
    """

    path: str
    kind: Kind
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    link: str | None = None
    device: int = 0
    same: str = ""


@dataclass(frozen=True, slots=True)
class Grown:
    """A large file's content after an edit: its first ``keep`` bytes on disk, then ``tail``."""

    keep: int
    tail: bytes

    def __len__(self) -> int:
        return self.keep + len(self.tail)


def entry_of(path: str, status: os.stat_result, link: str | None = None) -> ContextEntry:
    """Describe one ``lstat`` result; ``link`` is the text of a symbolic link."""
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    return ContextEntry(
        path,
        kind,
        status.st_size if kind == "file" else 0,
        stat.S_IMODE(status.st_mode),
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        link,
        status.st_rdev if kind in ("char", "block") else 0,
    )


def context_files(context: Path, ignore: IgnoreRules | None = None) -> Iterator[ContextEntry]:
    """Yield every entry below ``context`` that ``ignore`` lets in, directories first.

    Names are sorted within a directory. An excluded directory appears when a
    ``!`` line lets in something below it, as it does in Docker; others are
    not even opened. Raises ConfigError for a directory that cannot be read.
    """
    found: list[ContextEntry] = []
    rules = ignore if ignore is not None and ignore.lines else None
    try:
        _walk(os.fspath(context), "", None, [], rules, found)
    except RecursionError:
        raise ConfigError(
            f"build context {context}: has directories in each other, hundreds of levels deep; "
            "exclude them in .dockerignore"
        ) from None
    return iter(found)


def unreadable(full: str, error: OSError) -> ConfigError:
    """The refusal of a path of the context that cannot be read."""
    remedy = "exclude it in .dockerignore"
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = f"give it read permission or {remedy}"
    shown = full if len(full) <= 400 else f"{full[:200]}…{full[-100:]}"
    return ConfigError(
        f"{shown}: cannot be read ({error.strerror}): docker build fails on it too; {remedy}"
    )


def _walk(
    directory: str,
    prefix: str,
    parent: Matched | None,
    excluded_above: list[ContextEntry],
    rules: IgnoreRules | None,
    found: list[ContextEntry],
) -> None:
    """Append the entries below ``directory``; ``excluded_above`` waits for a first child let in."""
    try:
        with os.scandir(directory) as scan:
            listing = sorted(scan, key=_name)
    except (FileNotFoundError, NotADirectoryError):
        if not prefix:
            raise ConfigError(f"build context {directory}: is not a directory") from None
        return
    except OSError as error:
        if excluded_above:  # Docker, too, passes over an ignored directory that it may not read.
            return
        raise unreadable(directory, error) from error
    for item in listing:
        path = prefix + item.name
        excluded, matched = False, None
        is_dir = item.is_dir(follow_symlinks=False)
        if rules is not None:
            excluded, matched, _ = rules.match(path, parent)
            if excluded and not (is_dir and rules.may_reinclude_below(path)):
                continue
        try:
            status = item.stat(follow_symlinks=False)
            entry = entry_of(
                path, status, os.readlink(item.path) if stat.S_ISLNK(status.st_mode) else None
            )
        except FileNotFoundError:  # Removed since the directory was listed.
            continue
        except OSError as error:
            if excluded:
                continue
            raise unreadable(item.path, error) from error
        if excluded:
            excluded_above.append(entry)
            _walk(item.path, path + "/", matched, excluded_above, rules, found)
            if excluded_above and excluded_above[-1] is entry:
                excluded_above.pop()
            continue
        if excluded_above:
            found.extend(excluded_above)
            excluded_above.clear()
        found.append(entry)
        if is_dir:
            _walk(item.path, path + "/", matched, excluded_above, rules, found)


def _name(item: os.DirEntry[str]) -> str:
    return item.name
