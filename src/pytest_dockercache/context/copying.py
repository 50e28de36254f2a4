"""Copying one path of a context: bytes in the cheapest way, and the attributes that count."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat

__all__ = [
    "copy_attributes",
    "copy_bytes",
    "counts",
    "listing",
    "read_protected",
    "remove",
    "same_bytes",
]

_FICLONE = 0x40049409
_SMALL = 1 << 16


def listing(directory: str, prefix: str, found: dict[str, os.stat_result]) -> None:
    """Collect ``lstat`` of everything below a staged directory, whatever its permissions are."""
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
            listing(item.path, path + "/", found)


def remove(full: str) -> None:
    """Remove a staged file, link or directory."""
    if not os.path.isdir(full) or os.path.islink(full):
        os.unlink(full)
        return
    try:
        shutil.rmtree(full)
    except PermissionError:
        for directory, _, _ in os.walk(full):
            os.chmod(directory, 0o700)
        shutil.rmtree(full)


def read_protected(full: str) -> bytes:
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


def same_bytes(one: str, other: str) -> bool:
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


def copy_bytes(source: str, target: str, size: int) -> None:
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
    """Copy the data and skip the holes: an empty terabyte takes no time."""
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
        if not count:  # Some virtual file systems copy nothing instead of raising an error.
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


def copy_attributes(source: str, target: str) -> None:
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
