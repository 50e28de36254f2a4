"""One invocation and what it leaves behind: its ID, its shared directory, its journal, the sweep.

Everything that a run makes outside its own memory is written down *before*
it is made, in a journal below the user's cache directory. A run holds a lock
file for as long as it lives; the next run sweeps what the journals of dead
runs name, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from .engines import Engine, engine_of_builder
from .errors import ConfigError, DockerCacheError

__all__ = ["RUN_LABEL", "Leftovers", "Run", "cache_home", "digest", "read_json", "write_json"]

RUN_LABEL = "org.pytest-dockercache.run"
"""The label that every image and container of ours carries; its value is the run's ID."""

_held: dict[str, BaseFileLock] = {}

_REMEDY = "set XDG_CACHE_HOME to a directory that can be written"


def cache_home() -> Path:
    """Our directory below the user's cache directory (``XDG_CACHE_HOME``, else ``~/.cache``).

    Raises ConfigError if the user has no home directory either.
    """
    base = os.environ.get("XDG_CACHE_HOME") or ""
    try:
        root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise ConfigError(f"this user has no home directory; {_REMEDY}") from None
    return root / "pytest-dockercache"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn the refusal to write below the cache directory into a ConfigError."""
    try:
        yield
    except OSError as problem:
        why = problem.strerror or problem
        raise ConfigError(f"cannot write to {path}: {why}; {_REMEDY}") from None


def digest(*parts: str) -> str:
    """A short stable name for some strings, fit for a file name."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(value), encoding="utf-8", errors="surrogateescape")
    partial.replace(path)


def read_json(path: Path) -> Any:
    """The value in a JSON file, None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Leftovers:
    """What a run could not remove, or kept on purpose: for the terminal summary.

    ``cache_bytes`` are bytes of build-cache records that edits left and that
    could not be removed; ``stuck`` names images, containers and directories.
    """

    kept_images: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    cache_bytes: int = 0


@dataclass(frozen=True)
class Run:
    """One invocation: an ID for labels, a nonce for edits, a directory that its processes share."""

    id: str
    nonce: str
    directory: Path

    @classmethod
    def start(cls, directory: Path | None = None) -> Run:
        """Begin a run in this process; it lives until :meth:`finish` or the end of the process.

        ``directory`` is where its processes share build records (made if
        missing); by default a directory of its own below :func:`cache_home`.

        Raises ConfigError if the cache directory cannot be written.
        """
        run_id = secrets.token_hex(6)
        own = cache_home() / "runs" / run_id
        lock = FileLock(_life_lock(run_id))
        with _writing(own.parent):
            own.mkdir(parents=True)
            lock.acquire(timeout=0)
        _held[run_id] = lock
        shared = own if directory is None else directory
        shared.mkdir(parents=True, exist_ok=True)
        return cls(run_id, secrets.token_hex(6), shared)

    def to_json(self) -> dict[str, str]:
        """What a worker process needs to join the run (plain strings)."""
        return {"id": self.id, "nonce": self.nonce, "directory": str(self.directory)}

    @classmethod
    def from_json(cls, record: Mapping[str, str]) -> Run:
        """Join a run from another process."""
        return cls(record["id"], record["nonce"], Path(record["directory"]))

    def note(self, kind: str, value: Any) -> None:
        """Write one line of the journal; safe from several processes at once."""
        _note(self.id, kind, value)

    def finish(self, *, keep: bool = False) -> Leftovers:
        """Remove what the run left behind; only the process that started it calls this.

        ``keep`` leaves the images of complete builds and names them.
        """
        leftovers = _remove_traces(self.id, keep=keep)
        _forget(self.id)
        return leftovers

    def sweep(self) -> None:
        """Remove what runs that are no longer alive left behind; once a run."""
        with FileLock(cache_home() / "runs" / "sweep.lock"):
            marker = cache_home() / "runs" / self.id / "swept"
            if marker.exists():
                return
            for lock_file in sorted((cache_home() / "runs").glob("*.alive")):
                _sweep_one(lock_file)
            with contextlib.suppress(OSError):
                marker.touch()


def staging_lock(path: Path) -> Path:
    """The lock file that guards one staged context."""
    return path.with_name(f"{path.name}.lock")


def builder_lock(builder: str) -> Path:
    """The lock file that serialises builds on one builder. Raises ConfigError."""
    folder = cache_home() / "locks"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{digest(builder)}.lock"


@contextlib.contextmanager
def in_turn(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a file lock; who waits for it comes before one that had it and wants it again.

    ``waiting`` is called once if it is not free within a second.
    """
    lock, turn = FileLock(path), FileLock(path.with_suffix(".turn"))
    patience = time.monotonic() + 1

    def acquire(wanted: BaseFileLock) -> None:
        nonlocal waiting
        try:
            wanted.acquire(timeout=max(0.0, patience - time.monotonic()) if waiting else None)
        except Timeout:
            assert waiting is not None
            waiting()
            waiting = None
            wanted.acquire()

    # A file lock is looked at twenty times a second: one that is let go for a
    # moment between two builds would hardly ever be found free.
    acquire(turn)
    try:
        acquire(lock)
    finally:
        turn.release()
    try:
        yield
    finally:
        lock.release()


def _life_lock(run_id: str) -> Path:
    return cache_home() / "runs" / f"{run_id}.alive"


def _journal(run_id: str) -> Path:
    return cache_home() / "runs" / run_id / "journal"


def _note(run_id: str, kind: str, value: Any) -> None:
    line = json.dumps([kind, value]) + "\n"
    # One write with O_APPEND: lines of several processes do not mix.
    handle = os.open(_journal(run_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def _entries(run_id: str, kind: str) -> list[Any]:
    found = []
    try:
        lines = _journal(run_id).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        with contextlib.suppress(ValueError):
            name, value = json.loads(line)
            if name == kind and value not in found:
                found.append(value)
    return found


def _forget(run_id: str) -> None:
    shutil.rmtree(cache_home() / "runs" / run_id, ignore_errors=True)
    lock = _held.pop(run_id, None)
    if lock is not None:
        lock.release()
    with contextlib.suppress(OSError):
        _life_lock(run_id).unlink()


def _sweep_one(lock_file: Path) -> None:
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    run_id = lock_file.stem
    try:
        leftovers = _remove_traces(run_id, keep=False)
    finally:
        lock.release()
    # An engine that does not answer now may answer the next run.
    if not leftovers.stuck:
        _forget(run_id)


def _named_images(engine: Engine, run_id: str) -> list[str]:
    """Give every image of a run a name, so that it can be found, and return the names."""
    names = []
    for image in engine.client.images.list(filters={"label": f"{RUN_LABEL}={run_id}"}):
        name = f"pytest-dockercache/kept:{run_id}-{image.short_id.removeprefix('sha256:')}"
        image.tag(name)
        names.append(name)
    return sorted(names)


def _remove_traces(run_id: str, *, keep: bool) -> Leftovers:
    kept: list[str] = []
    stuck: list[str] = []
    cache_bytes = 0
    for name, builder, identity in _entries(run_id, "engine"):
        try:
            with engine_of_builder(name, builder, identity) as engine:
                if engine.info.predicts:
                    continue
                if keep:
                    kept.extend(_named_images(engine, run_id))
                else:
                    stuck.extend(engine.remove_labelled(RUN_LABEL, run_id))
                cache_bytes += _remove_cached(engine, run_id)
        except DockerCacheError as problem:
            stuck.append(f"images labelled {RUN_LABEL}={run_id} ({str(problem).splitlines()[0]})")
    for path in _entries(run_id, "staging"):
        with FileLock(staging_lock(Path(path))):
            shutil.rmtree(path, ignore_errors=True)
        if Path(path).exists():
            stuck.append(path)
    return Leftovers(tuple(kept), tuple(stuck), cache_bytes)


def _remove_cached(engine: Engine, run_id: str) -> int:
    """Remove from the build cache what a run's edits left; return the bytes that stay."""
    noted = []
    # Two engines on one daemon do not understand each other's traces.
    own = [engine.info.name, engine.info.builder]
    for *made_by, traces in _entries(run_id, "traces"):
        if made_by == own:
            noted += traces
    return engine.remove_traces(noted) if noted else 0
