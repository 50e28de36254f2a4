"""The directory in which the plugin keeps files between and during runs; only its user may enter.

The directory holds copies of projects, build arguments, and the journals of
runs. The XDG specification asks for mode 0700 too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import ConfigError

__all__ = ["cache_home", "make_directory", "write_private", "writing"]

_REMEDY = "set XDG_CACHE_HOME to a directory that can be written"


def cache_home() -> Path:
    """The plugin's directory below the user's (``XDG_CACHE_HOME``, else ``~/.cache``).

    Raises ConfigError if the user has no home directory either.
    """
    base = os.environ.get("XDG_CACHE_HOME") or ""
    try:
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise ConfigError(f"this user has no home directory; {_REMEDY}") from None
    return root / "pytest-dockercache"


def make_directory(path: Path) -> Path:
    """Make a directory and the directories above; :func:`cache_home` itself gets mode 0700.

    Raises OSError.
    """
    home = cache_home()
    if path.is_relative_to(home):
        for private in (home.parent, home):
            if not private.exists():
                private.mkdir(parents=True, exist_ok=True, mode=0o700)
        # An earlier version, or a copied cache, may have left it open to others.
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all. Raises OSError."""
    make_directory(path.parent)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:
            file.write(content)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the refusal to write ``path``, below the cache directory, into a ConfigError."""
    try:
        yield
    except OSError as problem:
        why = problem.strerror or problem
        raise ConfigError(f"cannot write to {path}: {why}; {_REMEDY}") from None
