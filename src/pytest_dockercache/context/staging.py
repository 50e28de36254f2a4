"""A staged copy of the build context: synced from the user's tree, then edited."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..errors import ConfigError
from ..model import BuildSpec, Edit
from . import edits as editing
from .entries import ContextEntry, context_files, entry_of
from .ignore import IgnoreRules

__all__ = ["Change", "StagedContext", "stage"]

_FICLONE = 0x40049409
_SMALL = 1 << 16
_CHANGED_BY_TOOLS = frozenset({".git", ".pytest_cache", "__pycache__"})


@dataclass(frozen=True)
class Change:
    """One path that an edit changed in the staged context: where, how it is said, and in what."""

    path: str
    detail: str
    what: Literal["content", "mode", "added", "removed", "type", "mtime"]


@dataclass(frozen=True)
class StagedContext:
    """A context that is ready to be built.

    ``root`` is the directory to hand to a builder as its context and
    ``dockerfile`` the absolute path of the staged Dockerfile, with its ignore
    file beside it. ``ignore`` holds the rules as they are after the edits;
    a builder that does not apply them itself must (:func:`upload` does).
    ``changes`` are those that the edits made.
    """

    root: Path
    dockerfile: Path
    ignore: IgnoreRules
    changes: tuple[Change, ...] = ()

    @property
    def dockerfile_name(self) -> str:
        """What the Dockerfile is called in an upload: POSIX, relative to the context."""
        if self.dockerfile.is_relative_to(self.root):
            return self.dockerfile.relative_to(self.root).as_posix()
        return f".dockercache.{self.dockerfile.name}"

    def entries(self) -> Iterator[ContextEntry]:
        """What the build can see of the staged context; see :func:`context_files`."""
        return context_files(self.root, self.ignore)


def stage(
    spec: BuildSpec,
    root: Path,
    edits: Sequence[Edit] = (),
    *,
    nonce: str,
    allow_ignored: bool = False,
) -> StagedContext:
    """Make or update the staged copy of ``spec``'s context below ``root``, and apply ``edits``.

    ``root`` belongs to this function: the context is ``root/context``, beside
    it lie a Dockerfile from outside the context and what is remembered about
    mtimes. Only what differs from the user's tree is copied, so a call
    without edits returns to the unedited state; modes, symbolic links,
    ``user.*`` attributes and the mtimes of untouched files are the user's.
    The caller holds a lock on ``root``.

    ``nonce`` must be new for every build that should not find itself cached.
    ``allow_ignored`` lets an edit touch a path that the ignore rules exclude,
    which is how one proves that it cannot reach the build; otherwise such an
    edit is refused, except of ``.git``, ``.pytest_cache`` and ``__pycache__``.

    A file that an edit touched gets an mtime that no path below ``root`` ever
    had, because BuildKit reads a file again only when size, mtime, mode or
    link text differ (moby/buildkit's fsutil). So does a file of the user's
    tree whose bytes changed while its mtime did not.

    Raises ConfigError for an edit that cannot be applied, an unreadable file,
    a missing Dockerfile or an ignore file that Docker refuses.
    """
    staging = _Staging(spec, root)
    return staging.run(tuple(edits), nonce, allow_ignored)


@dataclass
class _Memory:
    """What outlives one call: the last mtime given out, and the paths that edits left changed."""

    file: Path
    clock: int = 0
    edited: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path) -> _Memory:
        try:
            record = json.loads(file.read_text("utf-8"))
            return cls(file, int(record["clock"]), set(record["edited"]))
        except FileNotFoundError:
            return cls(file)
        except (ValueError, KeyError, TypeError):
            # Nothing is lost: the clock of the machine is ahead of every mtime given out.
            return cls(file)

    def save(self) -> None:
        record = {"clock": self.clock, "edited": sorted(self.edited)}
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(record), "utf-8")
        fresh.replace(self.file)


class _Staging:
    """One run of :func:`stage`."""

    def __init__(self, spec: BuildSpec, root: Path) -> None:
        self.spec = spec
        self.source = os.path.abspath(spec.context)
        self.home = Path(os.path.abspath(root))
        # Named as the user's: BuildKit keeps one copy of all contexts of a name, and the
        # root directory of another's gives a `COPY .` another cache key.
        self.target = os.path.join(self.home, "context", os.path.basename(self.source))
        self.written = Path(os.path.abspath(spec.dockerfile))
        self.memory = _Memory(self.home / "state.json")
        self.dockerfile = self._dockerfile_place()
        self.changes: list[Change] = []
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

    def run(self, edits: tuple[Edit, ...], nonce: str, allow_ignored: bool) -> StagedContext:
        if not os.path.isfile(self.written):
            raise ConfigError(f"{self.written}: no such Dockerfile; name another one")
        rules = IgnoreRules.load(Path(self.source), self.written)
        normal = [self._normalised(edit) for edit in edits]
        if not allow_ignored:
            for edit in normal:
                self._refuse_ignored(edit, rules)
        os.makedirs(self.target, exist_ok=True)
        self.memory = _Memory.load(self.memory.file)
        wanted = {entry.path: entry for entry in context_files(Path(self.source), rules)}
        for path in self._always(rules):
            self._want(path, wanted)
        for edit in normal:
            if edit.context_path is not None and edit.kind != "create":
                self._want(edit.context_path, wanted)
        self._sync(wanted)
        self._stage_dockerfile_aside()
        try:
            if normal:
                self._apply(normal, nonce, rules)
        finally:
            self._restore_modes()
        rules = self._rules_after(rules, wanted)
        return StagedContext(Path(self.target), self.dockerfile, rules, tuple(self.changes))

    def _normalised(self, edit: Edit) -> Edit:
        if edit.context_path is None:
            return edit
        path = editing.context_path(edit.context_path, self.source)
        if edit.kind == "rename":
            return replace(edit, path=path, text=editing.context_path(edit.text or "", self.source))
        return replace(edit, path=path)

    def _always(self, rules: IgnoreRules) -> list[str]:
        """Context paths that a build reads even when they are ignored: Dockerfile, ignore file."""
        paths = [".dockerignore"]
        if self.dockerfile_is_inside:
            name = self.dockerfile.relative_to(self.target).as_posix()
            paths += [name, f"{name}.dockerignore"]
        return paths

    def _refuse_ignored(self, edit: Edit, rules: IgnoreRules) -> None:
        for path in filter(None, (edit.context_path, edit.text if edit.kind == "rename" else None)):
            if _CHANGED_BY_TOOLS.intersection(path.split("/")):
                continue  # Nobody takes these for source: such an edit proves that they stay out.
            if rules.excludes(path) and path not in self._always(rules):
                line = rules.deciding_line(path)
                raise ConfigError(
                    f"edit of {path}: is excluded from the build context by {line}, so the build "
                    "cannot see it; edit a file that the image copies"
                )

    def _want(self, path: str, wanted: dict[str, ContextEntry]) -> None:
        """Add one path, the directories above it and all below it, although it is ignored."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            if here in wanted:
                if wanted[here].kind != "dir":
                    return
                continue
            full = os.path.join(self.source, here)
            try:
                status = os.lstat(full)
            except OSError:
                return
            link = os.readlink(full) if stat.S_ISLNK(status.st_mode) else None
            wanted[here] = entry_of(here, status, link)
            if wanted[here].kind != "dir":
                return
        if wanted[path].kind == "dir":
            for entry in context_files(Path(self.source, path)):
                below = replace(entry, path=f"{path}/{entry.path}")
                wanted.setdefault(below.path, below)

    # -- syncing

    def _sync(self, wanted: dict[str, ContextEntry]) -> None:
        present: dict[str, os.stat_result] = {}
        _listing(self.target, "", present)
        for path in sorted(present.keys() - wanted.keys(), reverse=True):
            self._writable_parent(path)
            _remove(os.path.join(self.target, path))
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
        self._copy(entry, full, have)

    def _copy(self, entry: ContextEntry, full: str, have: os.stat_result | None) -> None:
        source = os.path.join(self.source, entry.path)
        if entry.kind == "dir":
            if have is not None:
                os.unlink(full)
            os.mkdir(full, 0o700)
            _copy_attributes(source, full)
            return
        if entry.kind == "file":
            self._copy_file(entry, source, full, have)
            return
        if have is not None:
            _remove(full)
        if entry.kind == "link":
            os.symlink(entry.link or "", full)
            os.utime(full, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        elif entry.kind in ("fifo", "socket", "char", "block"):
            self._make_special(entry, full)

    def _make_special(self, entry: ContextEntry, full: str) -> None:
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
                f"{os.path.join(self.source, entry.path)}: a device cannot be staged "
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
            if unmoved and entry.path not in self.memory.edited and _same_bytes(source, full):
                # Only the inode's own times moved; ours move too, so that we ask once.
                _copy_attributes(source, full)
                os.chmod(full, entry.mode)
                return
            if unmoved:
                mtime = self._fresh_mtime(mtime)
        if have is not None:
            _remove(full)
        try:
            _copy_bytes(source, full, entry.size)
        except FileNotFoundError:
            return  # Removed since the tree was listed: as if it had never been there.
        except PermissionError as error:
            raise ConfigError(
                f"{source}: cannot be read ({error.strerror}): docker build fails on it too; "
                "give it read permission or exclude it in .dockerignore"
            ) from error
        _copy_attributes(source, full)
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
                _remove(os.path.join(aside, name))
        for name, origin in wanted.items():
            copy, content = aside / name, origin.read_bytes()
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
        """Give ``full`` a fresh mtime, also on a file system that keeps fewer digits of it."""
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
        """Open a directory without write permission for its owner while we work in it."""
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

    # -- edits

    def _apply(self, edits: Sequence[Edit], nonce: str, rules: IgnoreRules) -> None:
        # Said before it is done: a process killed half-way leaves no edit behind unnoticed.
        for edit in edits:
            if edit.context_path is not None:
                self.memory.edited.add(self._resolved(edit))
        self.memory.clock = max(self.memory.clock, time.time_ns())
        self.memory.save()
        for number, edit in enumerate(edits):
            own = nonce if number == 0 else f"{nonce}.{number}"
            if edit.kind == "build-arg":
                continue
            if edit.kind in ("dockerfile", "base"):
                self._edit_dockerfile(edit)
            else:
                self._edit_path(edit, own)
        self.memory.save()

    def _resolved(self, edit: Edit) -> str:
        """The staged path that an edit changes; links are followed, but not out of the context."""
        path = edit.context_path or ""
        real_root = os.path.realpath(self.target)
        whole = edit.kind in ("delete", "rename")
        directory, name = os.path.split(path)
        base = os.path.realpath(os.path.join(self.target, directory))
        full = os.path.join(base, name) if whole else os.path.realpath(os.path.join(base, name))
        if full != real_root and not full.startswith(real_root + "/"):
            raise ConfigError(
                f"edit of {path}: is a symbolic link that leads out of the build context; "
                "name a file inside it"
            )
        return os.path.relpath(full, real_root)

    def _edit_path(self, edit: Edit, nonce: str) -> None:
        written = edit.context_path or ""
        path = self._resolved(edit)
        full = os.path.join(self.target, path)
        try:
            status: os.stat_result | None = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            status = None
        if edit.kind == "create":
            self._create(edit, path, full, status, nonce)
            return
        if status is None:
            raise ConfigError(
                f"edit of {written}: no such file in the build context {self.spec.context}; "
                "check the spelling, paths are relative to the context"
            )
        self._writable_parent(path)
        if edit.kind in ("append", "replace"):
            if not stat.S_ISREG(status.st_mode):
                what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
                raise ConfigError(f"edit of {written}: is {what}; name a file")
            content = _read(full)
            if edit.kind == "append":
                changed = editing.appended(path, content, edit.text, nonce)
            else:
                changed = editing.replaced(path, content, edit.old or "", edit.text or "", nonce)
            self._rewrite(full, changed, status)
            self._note(path, edit.detail, "content")
        elif edit.kind == "touch":
            self._touch(full)
            self._note(path, edit.detail, "mtime")
        elif edit.kind == "chmod":
            present = self.modes.get(full, stat.S_IMODE(status.st_mode))
            mode = editing.changed_mode(edit, present)
            if not stat.S_ISDIR(status.st_mode):
                self._touch(full)
            os.chmod(full, mode)
            self.modes.pop(full, None)
            self._note(path, edit.detail, "mode")
        elif edit.kind == "delete":
            for below in self._files_of(path, status):
                self._note(below, edit.detail, "removed")
            _remove(full)
        elif edit.kind == "rename":
            self._rename(edit, path, full, status)

    def _note(self, path: str, detail: str, what: str) -> None:
        self.changes.append(Change(path, detail, what))  # type: ignore[arg-type]

    def _files_of(self, path: str, status: os.stat_result) -> list[str]:
        if not stat.S_ISDIR(status.st_mode):
            return [path]
        below: dict[str, os.stat_result] = {}
        _listing(os.path.join(self.target, path), path + "/", below)
        return [path, *sorted(below)]

    def _rewrite(self, full: str, content: bytes, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o200 == 0:
            os.chmod(full, mode | 0o200)
        before = status.st_mtime_ns
        with open(full, "wb") as file:
            file.write(content)
        os.chmod(full, mode)
        self._touch(full, before)

    def _create(
        self, edit: Edit, path: str, full: str, status: os.stat_result | None, nonce: str
    ) -> None:
        if status is not None:
            raise ConfigError(
                f"edit of {edit.path}: exists already and cannot be created; append to it instead"
            )
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = os.path.join(self.target, *parts[:count])
            if os.path.isdir(parent):
                continue
            if os.path.lexists(parent):
                raise ConfigError(
                    f"edit of {edit.path}: {'/'.join(parts[:count])} is not a directory"
                )
            self._writable_parent("/".join(parts[:count]))
            os.mkdir(parent)
            os.chmod(parent, 0o755)
        self._writable_parent(path)
        with open(full, "xb") as file:
            file.write(editing.created(path, edit.text, nonce))
        os.chmod(full, 0o644)
        self._touch(full)
        self._note(path, edit.detail, "added")

    def _rename(self, edit: Edit, path: str, full: str, status: os.stat_result) -> None:
        there = edit.text or ""
        target = os.path.join(self.target, there)
        if os.path.lexists(target):
            raise ConfigError(f"edit of {path}: cannot be renamed to {there}, which exists already")
        if target.startswith(full + "/"):
            raise ConfigError(f"edit of {path}: cannot be renamed into itself ({there})")
        real_root = os.path.realpath(self.target)
        parent = os.path.realpath(os.path.dirname(target))
        if parent != real_root and not parent.startswith(real_root + "/"):
            raise ConfigError(f"edit of {path}: {there} leads out of the build context")
        before = self._files_of(path, status)
        self._writable_parent(there)
        if not os.path.isdir(parent):
            os.makedirs(parent)
        os.rename(full, target)
        for old in before:
            new = there + old[len(path) :]
            self._note(old, edit.detail, "removed")
            self._note(new, f"renamed from {path}", "added")
            moved = os.path.join(self.target, new)
            if not os.path.isdir(moved) or os.path.islink(moved):
                # The new name may have been another file's, of the same size and time.
                self._touch(moved)

    def _edit_dockerfile(self, edit: Edit) -> None:
        full = os.fspath(self.dockerfile)
        status = os.lstat(full)
        if edit.kind == "dockerfile":
            text = edit.text or ""
        else:
            from ..dockerfile import read_dockerfile, with_base

            text = with_base(read_dockerfile(self.dockerfile), self.spec.target, edit.text or "")
        if self.dockerfile_is_inside:
            name = self.dockerfile.relative_to(self.target).as_posix()
            self._writable_parent(name)
            self.memory.edited.add(name)
            self.memory.save()
        else:
            name = self.written.name
        self._rewrite(full, text.encode("utf-8", "surrogateescape"), status)
        self._note(name, edit.detail, "content")

    def _rules_after(self, rules: IgnoreRules, wanted: dict[str, ContextEntry]) -> IgnoreRules:
        """The ignore rules of the staged context; an edited ignore file may let in more files."""
        after = IgnoreRules.load(Path(self.target), self.dockerfile)
        if tuple(line.text for line in after.lines) == tuple(line.text for line in rules.lines):
            return after
        for entry in context_files(Path(self.source), after):
            full = os.path.join(self.target, entry.path)
            if entry.path in wanted or os.path.lexists(full):
                continue
            self._writable_parent(entry.path)
            self._copy(entry, full, None)
            if entry.kind == "dir":
                self.modes.setdefault(full, entry.mode)
        self._restore_modes()
        return after


def _leads_away(context: str, directory: str) -> bool:
    """Whether a directory on the way to the Dockerfile is a symbolic link."""
    here = context
    for part in filter(None, directory.split("/")):
        here = os.path.join(here, part)
        if os.path.islink(here):
            return True
    return False


def _listing(directory: str, prefix: str, found: dict[str, os.stat_result]) -> None:
    """Collect ``lstat`` of everything below a directory of our own, however it is protected."""
    try:
        with os.scandir(directory) as scan:
            items = list(scan)
    except PermissionError:
        os.chmod(directory, 0o700)
        with os.scandir(directory) as scan:
            items = list(scan)
    for item in items:
        path = prefix + item.name
        try:
            found[path] = item.stat(follow_symlinks=False)
        except PermissionError:
            os.chmod(directory, 0o700)
            found[path] = os.lstat(item.path)
        if item.is_dir(follow_symlinks=False):
            _listing(item.path, path + "/", found)


def _remove(full: str) -> None:
    """Remove a staged path, whatever it is."""
    if not os.path.isdir(full) or os.path.islink(full):
        os.unlink(full)
        return
    try:
        shutil.rmtree(full)
    except PermissionError:
        for directory, _, _ in os.walk(full):
            os.chmod(directory, 0o700)
        shutil.rmtree(full)


def _read(full: str) -> bytes:
    try:
        with open(full, "rb") as file:
            return file.read()
    except PermissionError:
        mode = stat.S_IMODE(os.lstat(full).st_mode)
        os.chmod(full, mode | 0o400)
        try:
            with open(full, "rb") as file:
                return file.read()
        finally:
            os.chmod(full, mode)


def _same_bytes(one: str, other: str) -> bool:
    try:
        with open(one, "rb") as first, open(other, "rb") as second:
            while True:
                left, right = first.read(1 << 20), second.read(1 << 20)
                if left != right:
                    return False
                if not left:
                    return True
    except OSError:
        return False


def _copy_bytes(source: str, target: str, size: int) -> None:
    """Copy one file's bytes: by sharing blocks, by the kernel, or by ourselves."""
    # Without O_NONBLOCK, a path that became a fifo meanwhile would hang us.
    read = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if size < _SMALL:
                while chunk := os.read(read, _SMALL):
                    os.write(write, chunk)
            elif not _cloned(read, write):
                _copy_large(read, write, size)
        finally:
            os.close(write)
    finally:
        os.close(read)


def _cloned(read: int, write: int) -> bool:
    try:
        fcntl.ioctl(write, _FICLONE, read)
    except OSError:
        return False
    return True


def _copy_large(read: int, write: int, size: int) -> None:
    """Copy what is data and skip the holes: an empty terabyte takes no time."""
    os.ftruncate(write, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(read, end, os.SEEK_DATA)
            end = os.lseek(read, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # Nothing but a hole from here on.
                return
            start, end = end, size  # A file system that knows no holes.
        _copy_range(read, write, start, end)


def _copy_range(read: int, write: int, start: int, end: int) -> None:
    os.lseek(read, start, os.SEEK_SET)
    os.lseek(write, start, os.SEEK_SET)
    ranged = getattr(os, "copy_file_range", None)  # Linux only.
    while ranged is not None and start < end:
        try:
            count = ranged(read, write, end - start)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            break
        if not count:  # Also what some virtual file systems answer instead of an error.
            break
        start += count
    while start < end and (chunk := os.read(read, min(1 << 20, end - start))):
        start += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(write, view) :]


def counts(attribute: str) -> bool:
    """Whether an extended attribute enters BuildKit's content hash (contenthash/tarsum.go)."""
    if attribute.startswith("security."):
        return attribute == "security.capability"
    return not attribute.startswith("system.")


def _copy_attributes(source: str, target: str) -> None:
    """Copy the extended attributes that enter BuildKit's content hash, as far as we may."""
    if not hasattr(os, "listxattr"):  # Linux only.
        return
    try:
        names = os.listxattr(source, follow_symlinks=False)
        stale = os.listxattr(target, follow_symlinks=False)
    except OSError:
        return
    for name in set(stale) - set(names):
        with contextlib.suppress(OSError):
            os.removexattr(target, name, follow_symlinks=False)
    for name in names:
        if not counts(name):
            continue
        with contextlib.suppress(OSError):
            value = os.getxattr(source, name, follow_symlinks=False)
            os.setxattr(target, name, value, follow_symlinks=False)
