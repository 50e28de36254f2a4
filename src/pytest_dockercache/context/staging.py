"""A staged copy of the build context: synced from the user's tree, then patched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from ..disk import read_bytes, read_text
from ..errors import ConfigError
from ..model import BuildSpec, Edit
from ..values import dataclass
from .copying import copy_attributes, copy_bytes, listing, remove, same_bytes
from .entries import ContextEntry, Grown, context_files, entry_of, unreadable
from .ignore import IgnoreRules
from .patch import Patch, patch
from .tree import ContextTree

__all__ = ["StagedContext", "stage"]


@dataclass(frozen=True)
class StagedContext:
    """A context that is ready to be built.

    ``root`` is the directory to hand to a builder as its context and ``dockerfile`` the absolute
    path of the staged Dockerfile, with its ignore file beside it. ``ignore`` holds the rules after
    the edits; code that sends the context to a builder has to apply them (:func:`upload` does).
    ``patch`` is the difference that the edits made in the context, None without edits.
    ``contexts`` are the copies of the named contexts that are directories: pairs of the first part
    of their files' paths (``shared:``), and a directory.
    """

    root: Path
    dockerfile: Path
    ignore: IgnoreRules
    patch: Patch | None = None
    contexts: tuple[tuple[str, Path], ...] = ()

    @property
    def dockerfile_name(self) -> str:
        """The name of the Dockerfile in an upload: POSIX, relative to the context."""
        if self.dockerfile.is_relative_to(self.root):
            return self.dockerfile.relative_to(self.root).as_posix()
        return f".dockercache.{self.dockerfile.name}"

    def entries(self) -> Iterator[ContextEntry]:
        """The entries of the staged context that the build can see; see :func:`context_files`."""
        return context_files(self.root, self.ignore)

    def all_entries(self) -> dict[str, ContextEntry]:
        """The entries of the staged context and of the named ones, by path.

        Raises ConfigError for a directory that cannot be read.
        """
        main = ContextTree.read(self.root, replace(self.ignore, named={}))
        named = {
            top: ContextTree.read(place, self.ignore.named.get(top, IgnoreRules()))
            for top, place in self.contexts
        }
        return dict(ContextTree.joined(main, named).entries)


def stage(spec: BuildSpec, root: Path, edits: Sequence[Edit] = (), *, nonce: str) -> StagedContext:
    """Make or update the staged copy of ``spec``'s context below ``root``, and apply ``edits``.

    ``root`` belongs to this function: the context is ``root/context``; beside it lie a Dockerfile
    from outside the context and the memory of given mtimes. Only files that differ from the user's
    tree are copied, and a call without edits returns to the unedited state; modes, symbolic links,
    ``user.*`` attributes and the mtimes of untouched files are the user's. The caller holds a lock
    on ``root``.

    ``nonce`` must be new for every build that should not find itself cached.

    A file that an edit touched gets an mtime that no path below ``root`` ever had, because BuildKit
    reads a file again only when size, mtime, mode or link text differ (moby/buildkit's fsutil). A
    file of the user's tree whose bytes changed while its mtime did not gets such an mtime too.

    Raises ConfigError for an edit that cannot be applied, an unreadable file,
    a missing Dockerfile or an ignore file that Docker refuses.
    """
    return _Staging(spec, root).run(tuple(edits), nonce)


def _named_home(home: Path, directory: Path) -> Path:
    """Where the copy of a named context lies: two directories never share one."""
    name = hashlib.sha256(os.fsencode(os.path.abspath(directory))).hexdigest()[:16]
    return home / "named" / name


@dataclass
class _StagingMemory:
    """The memory between two calls: the last mtime given, and the paths that edits left changed."""

    file: Path
    clock: int = 0
    edited: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path) -> _StagingMemory:
        try:
            record = json.loads(read_text(file))
            return cls(file, int(record["clock"]), set(record["edited"]))
        except FileNotFoundError:
            return cls(file)
        except (ValueError, KeyError, TypeError, RecursionError, ConfigError):
            # Nothing is lost: the clock of the machine is ahead of every mtime given out.
            return cls(file)

    def save(self) -> None:
        record = {"clock": self.clock, "edited": sorted(self.edited)}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(record), "utf-8")
        fresh.replace(self.file)


class _Staging:
    """One run of :func:`stage`."""

    def __init__(self, spec: BuildSpec, root: Path, *, named: bool = False) -> None:
        self.spec = spec
        self.named = named
        self.source = os.path.abspath(spec.context)
        self.home = Path(os.path.abspath(root))
        # Named as the user's: BuildKit keeps one copy of all contexts of a name, and the
        # root directory of another's gives a `COPY .` another cache key.
        self.target = os.path.join(self.home, "context", os.path.basename(self.source))
        self.written = Path(os.path.abspath(spec.dockerfile))
        self.memory = _StagingMemory(self.home / "state.json")
        # A Dockerfile in a named context is a file like any other there.
        self.dockerfile = self.home / "dockerfile" if named else self._dockerfile_place()
        self.modes: dict[str, int] = {}

    # -- layout

    def _dockerfile_place(self) -> Path:
        """Where the Dockerfile is staged: in its place, or aside if not a file of the context."""
        inside = os.path.relpath(self.written, self.source)
        if (
            inside.startswith("..")
            or self.written.is_symlink()
            or _leads_away(self.source, os.path.dirname(inside))
        ):
            return self.home / "dockerfile" / self.written.name
        return Path(self.target) / inside

    @property
    def dockerfile_is_inside(self) -> bool:
        return self.dockerfile.is_relative_to(self.target)

    # -- the run

    def run(self, edits: tuple[Edit, ...], nonce: str) -> StagedContext:
        if not os.path.isfile(self.written):
            raise ConfigError(f"{self.written}: no such Dockerfile; name another one")
        rules = IgnoreRules.of(self.spec)
        tree = ContextTree.of(self.spec, rules)
        made = patch(self.spec, tree, edits, nonce=nonce) if edits else None
        self._make_private()
        parts = tree.parts or {"": tree}
        contexts = []
        for top, part in parts.items():
            own = made.part(top, tree.parts) if made is not None and tree.parts else made
            if not top:
                self.copy(part, own)
                continue
            spec = replace(self.spec, context=part.root, contexts=())
            there = _Staging(spec, _named_home(self.home, part.root), named=True)
            there.copy(part, own)
            contexts.append((top, Path(there.target)))
        ignore = rules if made is None else made.ignore
        return StagedContext(Path(self.target), self.dockerfile, ignore, made, tuple(contexts))

    def copy(self, tree: ContextTree, made: Patch | None) -> None:
        """Bring the copy of one context up to date, and make the edits in it."""
        rules = tree.ignore
        wanted = dict(tree.entries)
        if made is not None and not made.ignore.says_the_same(rules):
            for entry in context_files(Path(self.source), made.ignore):
                wanted.setdefault(entry.path, entry)
        for path in self._always():
            self._want(path, wanted)
        self._make_private()
        os.makedirs(self.target, exist_ok=True)
        self.memory = _StagingMemory.load(self.memory.file)
        self._sync(wanted)
        if not self.named:
            self._stage_dockerfile_aside()
        try:
            if made is not None:
                self._write(made)
        finally:
            self._restore_modes()

    def _make_private(self) -> None:
        """Make the directory of the copy for its user alone: the original may be so too."""
        os.makedirs(self.home, mode=0o700, exist_ok=True)
        if os.stat(self.home).st_mode & 0o077:
            os.chmod(self.home, 0o700)

    def _always(self) -> list[str]:
        """Files that a build reads even if they are ignored: Dockerfile and ignore file."""
        paths = [".dockerignore"]
        if self.dockerfile_is_inside and not self.named:
            name = self.dockerfile.relative_to(self.target).as_posix()
            paths += [name, f"{name}.dockerignore"]
        return paths

    def _want(self, path: str, wanted: dict[str, ContextEntry]) -> None:
        """Add one ignored file and the directories above it."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            if here not in wanted:
                full = os.path.join(self.source, here)
                try:
                    status = os.lstat(full)
                except OSError:
                    return
                link = os.readlink(full) if stat.S_ISLNK(status.st_mode) else None
                wanted[here] = entry_of(here, status, link)
            if wanted[here].kind != "dir":
                return

    # -- syncing

    def _sync(self, wanted: Mapping[str, ContextEntry]) -> None:
        present: dict[str, os.stat_result] = {}
        listing(self.target, "", present)
        for path in sorted(present.keys() - wanted.keys(), reverse=True):
            self._writable_parent(path)
            remove(os.path.join(self.target, path))
        dirs = []
        for path, entry in wanted.items():
            if entry.kind == "dir":
                dirs.append(entry)
            self._sync_entry(entry, present.get(path))
        for entry in reversed(dirs):
            full = os.path.join(self.target, entry.path)
            status = os.lstat(full)
            if stat.S_IMODE(status.st_mode) != entry.mode:
                os.chmod(full, entry.mode)
            if status.st_mtime_ns != entry.mtime_ns:
                os.utime(full, ns=(entry.mtime_ns, entry.mtime_ns))
        self.modes.clear()
        source, target = os.stat(self.source), os.stat(self.target)
        if stat.S_IMODE(target.st_mode) != stat.S_IMODE(source.st_mode):
            os.chmod(self.target, stat.S_IMODE(source.st_mode))
        if target.st_mtime_ns != source.st_mtime_ns:
            self._set_mtime(self.target, source.st_mtime_ns)
        if self.memory.edited:
            self.memory.edited.clear()
            self.memory.save()

    def _sync_entry(self, entry: ContextEntry, have: os.stat_result | None) -> None:
        full = os.path.join(self.target, entry.path)
        if have is not None:
            kind = stat.S_IFMT(have.st_mode)
            if entry.kind == "dir" and kind == stat.S_IFDIR:
                return
            if entry.kind == "file" and kind == stat.S_IFREG:
                same = (
                    have.st_size == entry.size
                    and have.st_mtime_ns == entry.mtime_ns
                    and entry.path not in self.memory.edited
                )
                if same and entry.ctime_ns < have.st_ctime_ns:
                    if stat.S_IMODE(have.st_mode) != entry.mode:
                        self._writable_parent(entry.path)
                        os.chmod(full, entry.mode)
                    return
            elif entry.kind == "link" and kind == stat.S_IFLNK:
                if os.readlink(full) == entry.link and have.st_mtime_ns == entry.mtime_ns:
                    return
            elif entry.kind == "fifo" and kind == stat.S_IFIFO:
                if stat.S_IMODE(have.st_mode) != entry.mode:
                    os.chmod(full, entry.mode)
                return
        self._writable_parent(entry.path)
        self._copy(entry, os.path.join(self.source, entry.path), full, have)

    def _copy(
        self, entry: ContextEntry, source: str, full: str, have: os.stat_result | None
    ) -> None:
        if entry.kind == "dir":
            if have is not None:
                os.unlink(full)
            os.mkdir(full, 0o700)
            copy_attributes(source, full)
            return
        if entry.kind == "file":
            self._copy_file(entry, source, full, have)
            return
        if have is not None:
            remove(full)
        if entry.kind == "link":
            os.symlink(entry.link or "", full)
            os.utime(full, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        elif entry.kind in ("fifo", "socket", "char", "block"):
            self._make_special(entry, source, full)

    def _make_special(self, entry: ContextEntry, source: str, full: str) -> None:
        kinds = {
            "fifo": stat.S_IFIFO,
            "socket": stat.S_IFSOCK,
            "char": stat.S_IFCHR,
            "block": stat.S_IFBLK,
        }
        try:
            os.mknod(full, kinds[entry.kind] | 0o600, entry.device)
        except OSError as error:
            raise ConfigError(
                f"{source}: a device cannot be staged "
                f"({error.strerror}); exclude it in .dockerignore"
            ) from error
        os.chmod(full, entry.mode)
        os.utime(full, ns=(entry.mtime_ns, entry.mtime_ns))

    def _copy_file(
        self, entry: ContextEntry, source: str, full: str, have: os.stat_result | None
    ) -> None:
        regular = have is not None and stat.S_ISREG(have.st_mode)
        mtime = entry.mtime_ns
        if regular and have is not None:
            unmoved = have.st_size == entry.size and have.st_mtime_ns == mtime
            if unmoved and entry.path not in self.memory.edited and same_bytes(source, full):
                # Only the inode's own times moved; ours move too, so that we ask once.
                copy_attributes(source, full)
                os.chmod(full, entry.mode)
                return
            if unmoved:
                mtime = self._fresh_mtime(mtime)
        if have is not None:
            remove(full)
        try:
            copy_bytes(source, full, entry.size)
        except FileNotFoundError:
            return  # Removed since the tree was listed: as if it had never been there.
        except PermissionError as error:
            raise unreadable(source, error) from error
        copy_attributes(source, full)
        os.chmod(full, entry.mode)
        self._set_mtime(full, mtime)

    def _stage_dockerfile_aside(self) -> None:
        if self.dockerfile_is_inside:
            return
        aside = self.dockerfile.parent
        aside.mkdir(exist_ok=True)
        wanted = {self.dockerfile.name: self.written}
        beside = Path(f"{self.written}.dockerignore")
        if beside.is_file():
            wanted[f"{self.dockerfile.name}.dockerignore"] = beside
        for name in os.listdir(aside):
            if name not in wanted:
                remove(os.path.join(aside, name))
        for name, origin in wanted.items():
            copy, content = aside / name, read_bytes(origin)
            mtime = origin.stat().st_mtime_ns
            if copy.is_file():
                if copy.read_bytes() == content and copy.stat().st_mtime_ns == mtime:
                    continue
                if copy.stat().st_mtime_ns == mtime:
                    mtime = self._fresh_mtime(mtime)
            copy.write_bytes(content)
            os.chmod(copy, 0o644)
            self._set_mtime(os.fspath(copy), mtime)

    # -- mtimes and permissions

    def _fresh_mtime(self, *avoid: int) -> int:
        """An mtime in nanoseconds that nothing staged below this root ever had."""
        fresh = max(time.time_ns(), self.memory.clock + 1)
        while fresh in avoid:
            fresh += 1
        self.memory.clock = fresh
        return fresh

    def _set_mtime(self, full: str, mtime: int) -> None:
        os.utime(full, ns=(mtime, mtime), follow_symlinks=False)

    def _touch(self, full: str, *avoid: int) -> None:
        """Give ``full`` a fresh mtime, also where the file system stores fewer digits."""
        before = os.lstat(full).st_mtime_ns
        floor = self.memory.clock
        for step in (0, 10**3, 10**6, 10**9, 2 * 10**9):
            fresh = self._fresh_mtime(before, *avoid) + step
            self.memory.clock = fresh
            self._set_mtime(full, fresh)
            got = os.lstat(full).st_mtime_ns
            if got > floor and got != before and got not in avoid:
                return
        raise ConfigError(f"{full}: the file system does not keep modification times")

    def _writable_parent(self, path: str) -> None:
        """Make a directory writable for its owner while the staging works in it."""
        parent = os.path.dirname(path)
        while True:
            full = os.path.join(self.target, parent) if parent else self.target
            try:
                mode = stat.S_IMODE(os.lstat(full).st_mode)
            except FileNotFoundError:
                mode = 0o700
            if mode & 0o700 != 0o700:
                self.modes.setdefault(full, mode)
                os.chmod(full, mode | 0o700)
            if not parent:
                return
            parent = os.path.dirname(parent)

    def _restore_modes(self) -> None:
        for full, mode in self.modes.items():
            with contextlib.suppress(FileNotFoundError):
                os.chmod(full, mode)
        self.modes.clear()

    # -- the patch

    def _write(self, made: Patch) -> None:
        # The memory is saved before the edits are written, so that a killed process leaves no
        # unknown edit.
        self.memory.edited.update(made.changes)
        self.memory.clock = max(self.memory.clock, time.time_ns())
        self.memory.save()
        for path, entry in sorted(made.changes.items(), key=_deepest_first):
            full = os.path.join(self.target, path)
            if entry is None and os.path.lexists(full):
                self._writable_parent(path)
                remove(full)
        for _, entry in sorted(made.changes.items(), key=_parents_first):
            if entry is not None:
                self._put(entry, made)
        if made.dockerfile is not None and not self.named and not self.dockerfile_is_inside:
            aside = os.fspath(self.dockerfile)
            self._rewrite(aside, made.dockerfile, os.lstat(aside))
        self.memory.save()

    def _put(self, entry: ContextEntry, made: Patch) -> None:
        """Give one path of the copy the state that the patch says."""
        path = entry.path
        full = os.path.join(self.target, path)
        origin = os.path.join(self.source, made.origins.get(path, path))
        self._make_parents(path)
        status = _status(full)
        have = None if status is None else entry_of(path, status, entry.link)
        if have is not None and (have.kind != entry.kind or path in made.origins):
            remove(full)
            status = have = None
        if status is None and os.path.lexists(origin):
            self._copy(entry, origin, full, None)
            if not os.path.lexists(full):
                return  # Removed since the tree was listed.
        elif status is None:
            self._make_new(entry, full)
        content = made.contents.get(path)
        if content is not None:
            self._rewrite(full, content, os.lstat(full))
        if entry.kind != "link":
            os.chmod(full, entry.mode)
            self.modes.pop(full, None)
        # A directory's mtime is not looked at (fsutil's sameFile).
        if entry.kind != "dir" and content is None:
            self._touch(full)

    def _make_new(self, entry: ContextEntry, full: str) -> None:
        if entry.kind == "dir":
            os.mkdir(full)
        else:
            with open(full, "xb"):
                pass

    def _make_parents(self, path: str) -> None:
        """Make the directories above an edited path that the ignore rules keep out."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            full = os.path.join(self.target, parent)
            if not os.path.lexists(full):
                self._writable_parent(parent)
                source = _status(os.path.join(self.source, parent))
                os.mkdir(full, 0o700)
                os.chmod(full, 0o755 if source is None else stat.S_IMODE(source.st_mode))
        self._writable_parent(path)

    def _rewrite(self, full: str, content: bytes | Grown, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o200 == 0:
            os.chmod(full, mode | 0o200)
        if isinstance(content, Grown):
            os.truncate(full, content.keep)
        with open(full, "ab" if isinstance(content, Grown) else "wb") as file:
            file.write(content.tail if isinstance(content, Grown) else content)
        os.chmod(full, mode)
        self._touch(full, status.st_mtime_ns)


def _deepest_first(item: tuple[str, object]) -> int:
    return -item[0].count("/")


def _parents_first(item: tuple[str, object]) -> list[str]:
    return item[0].split("/")


def _status(full: str) -> os.stat_result | None:
    try:
        return os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _leads_away(context: str, directory: str) -> bool:
    """Whether a directory on the way to the Dockerfile is a symbolic link."""
    here = context
    for part in filter(None, directory.split("/")):
        here = os.path.join(here, part)
        if os.path.islink(here):
            return True
    return False
