"""One invocation and its traces: its ID, its shared directory, its journal, the sweep.

Every object that a run makes outside its own memory is noted *before* it is made, in a journal
below the user's cache directory. A run holds a lock file for as long as it lives; the next run
removes the objects that the journals of dead runs name, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from .cache_home import cache_home, make_directory, write_private, writing
from .disk import read_text
from .engines import Engine, MakesEmptyBuilders, connected_engine, engine_of_builder
from .errors import ConfigError, DockerCacheError
from .regexes import regex
from .values import dataclass

__all__ = ["RUN_LABEL", "Leftovers", "Run", "digest", "read_json", "write_json"]

RUN_LABEL = "org.pytest-dockercache.run"
"""The label that every image and container of ours carries; its value is the run's ID."""

_held: dict[str, BaseFileLock] = {}


def digest(*parts: str) -> str:
    """A short stable name for some strings, fit for a file name."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new file, never half of a file.

    Raises ConfigError if it cannot be written.
    """
    with writing(path):
        write_private(path, json.dumps(value).encode("utf-8", "surrogateescape"))


def read_json(path: Path) -> Any:
    """The value in a JSON file, None if it is missing or damaged."""
    try:
        return json.loads(read_text(path, errors="surrogateescape"))
    except (OSError, ValueError, RecursionError, ConfigError):
        return None


@dataclass(frozen=True)
class Leftovers:
    """Traces that a run could not remove, or kept on purpose: for the terminal summary.

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
        """Begin a run, which lives until :meth:`finish` or the end of this process.

        ``directory`` is where its processes share build records (made if
        missing); by default a directory of its own below :func:`cache_home`.

        Raises ConfigError if the cache directory cannot be written.
        """
        run_id = secrets.token_hex(6)
        own = _runs() / run_id
        shared = own if directory is None else directory
        with writing(own.parent):
            make_directory(own.parent)
            # Held before there is anything: the sweep of another run finds no run without it.
            lock = FileLock(_life_lock(run_id))
            lock.acquire(timeout=0)
            own.mkdir()
            make_directory(shared)
        _held[run_id] = lock
        return cls(run_id, secrets.token_hex(6), shared)

    def to_json(self) -> dict[str, str]:
        """The values that a worker process needs to join the run (plain strings)."""
        return {"id": self.id, "nonce": self.nonce, "directory": str(self.directory)}

    @classmethod
    def from_json(cls, record: Mapping[str, str]) -> Run:
        """Join a run from another process."""
        return cls(record["id"], record["nonce"], Path(record["directory"]))

    def note(self, kind: str, value: Any) -> None:
        """Write one line of the journal; safe from several processes at once."""
        _note(self.id, kind, value)

    def empty_builder(self, beside: str, purpose: str) -> tuple[str, Path]:
        """The name for an empty builder, noted before it is made, and a directory for buildx.

        ``beside`` is the identity of the builder that it stands beside, ``purpose``
        tells several of one run apart.
        """
        name = f"pytest-dockercache-{self.id}-{digest(purpose)[:8]}"
        self.note("empty builder", [name, beside])
        return name, _runs() / self.id / "buildx"

    def connect(self, name: str, builder: str | None, timeout: float | None = None) -> Engine:
        """The engine of that name; the journal says that its daemon may hold traces of the run.

        ``timeout`` is in seconds for each answer of the daemon. Raises
        EngineUnavailable, ConfigError.
        """
        engine = connected_engine(name, builder, timeout)
        self.sweep()
        self.note("engine", [engine.info.name, builder, engine.info.builder])
        return engine

    def finish(self, *, keep: bool = False) -> Leftovers:
        """Remove the objects that the run left behind; only the process that started it calls this.

        ``keep`` leaves the images of complete builds and names them. The
        journal of a run with something stuck stays, so that the next run tries
        again: a daemon that does not answer now may answer then.
        """
        leftovers = _remove_traces(self.id, keep=keep)
        if leftovers.stuck:
            _let_go(self.id)
        else:
            _forget(self.id)
        return leftovers

    def sweep(self) -> None:
        """Remove what runs that are no longer alive left behind; once a run.

        A cache directory that does not allow it costs the clean-up, not the run.
        """
        with contextlib.suppress(OSError), FileLock(_runs() / "sweep.lock"):
            marker = _runs() / self.id / "swept"
            if marker.exists():
                return
            for lock_file in sorted(_runs().glob("*.alive")):
                with contextlib.suppress(OSError):
                    _sweep_one(lock_file)
            marker.touch()


def staging_lock(path: Path) -> Path:
    """The lock file that guards one staged context."""
    return path.with_name(f"{path.name}.lock")


def builder_lock(builder: str) -> Path:
    """The lock file that serialises builds on one builder. Raises ConfigError."""
    folder = cache_home() / "locks"
    with writing(folder):
        make_directory(folder)
    return folder / f"{digest(builder)}.lock"


@contextlib.contextmanager
def in_turn(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a file lock fairly: a waiting process gets it before the previous holder can again.

    ``waiting`` is called once if the lock is not free within a second.
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

    # filelock polls 20 times a second and would miss the short gap between two builds;
    # waiting processes queue on the ``.turn`` lock instead.
    acquire(turn)
    try:
        acquire(lock)
    finally:
        turn.release()
    try:
        yield
    finally:
        lock.release()


def _runs() -> Path:
    return cache_home() / "runs"


def _life_lock(run_id: str) -> Path:
    return _runs() / f"{run_id}.alive"


def _journal(run_id: str) -> Path:
    return _runs() / run_id / "journal"


def _note(run_id: str, kind: str, value: Any) -> None:
    line = json.dumps([kind, value]) + "\n"
    path = _journal(run_id)
    # One write with O_APPEND keeps the lines of several processes apart.
    with writing(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(handle, line.encode()) < len(line.encode()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)


def _entries(run_id: str, kind: str) -> list[list[Any]]:
    """The values of this kind in a journal: a list for each line, equal lines once.

    Anybody may have written there: a line that a run cannot have written is left out.
    """
    found: list[list[Any]] = []
    try:
        lines = read_text(_journal(run_id), errors="replace").splitlines()
    except (OSError, ConfigError):
        return []
    for line in lines:
        try:
            name, value = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        values = value if isinstance(value, list) else [value]
        shape = _SHAPES.get(name) if isinstance(name, str) else None
        if name != kind or shape is None or len(values) != len(shape):
            continue
        if all(map(isinstance, values, shape)) and values not in found:
            found.append(values)
    return found


_SHAPES: Mapping[str, tuple[Any, ...]] = {
    "engine": (str, (str, type(None)), str),
    "staging": (str,),
    "traces": (str, str, list),
    "empty builder": (str, str),
}
"""The values of each kind of line: engine, builder and identity; a path; an engine's traces; an
empty builder's name and the identity of the builder that it stands beside."""

_RUN_ID = regex(r"[0-9a-f]{12}")

_EMPTY_BUILDER = regex(r"pytest-dockercache-[0-9a-f]{12}-[0-9a-f]+")
"""The name of an empty builder: nothing of another name is removed, whatever a journal says."""

_PATIENCE_SECONDS = 30 * 24 * 3600
"""How long a run's journal is kept whose traces cannot be removed (a daemon that is gone for
good, an image that the user has tagged)."""


def _is_ours(path: Path) -> bool:
    """Whether a path is a staged context, directly below the plugin's directory of them."""
    return path.parent == cache_home() / "staging" and path.name not in ("", ".", "..")


def _let_go(run_id: str) -> None:
    """End a run's life; its journal stays."""
    lock = _held.pop(run_id, None)
    if lock is not None:
        lock.release()
        # filelock removes the file that it locked where the platform allows it.
        with contextlib.suppress(OSError):
            _life_lock(run_id).touch()


def _forget(run_id: str) -> None:
    shutil.rmtree(_runs() / run_id, ignore_errors=True)
    lock = _held.pop(run_id, None)
    if lock is not None:
        lock.release()
    with contextlib.suppress(OSError):
        _life_lock(run_id).unlink()


def _sweep_one(lock_file: Path) -> None:
    run_id = lock_file.name.removesuffix(".alive")
    if not _RUN_ID.fullmatch(run_id) or not lock_file.is_file():
        return
    age = time.time() - lock_file.stat().st_mtime
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    try:
        leftovers = _remove_traces(run_id, keep=False)
    finally:
        lock.release()
    if not leftovers.stuck or age > _PATIENCE_SECONDS:
        _forget(run_id)
    else:
        with contextlib.suppress(OSError):
            lock_file.touch(exist_ok=True)
            os.utime(lock_file, (time.time() - age,) * 2)


def _named_images(engine: Engine, run_id: str) -> list[str]:
    """Give every image of a run a name, by which the user can find it; return the names."""
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
                traces = _traces(engine, run_id)
                engine.remove_soon(traces)
                stuck += _remove_builders(engine, run_id)
                if keep:
                    kept.extend(_named_images(engine, run_id))
                else:
                    stuck.extend(engine.remove_labelled(RUN_LABEL, run_id))
                cache_bytes += _remove_cached(engine, traces)
        except DockerCacheError as problem:
            stuck.append(f"images labelled {RUN_LABEL}={run_id} ({problem.verdict})")
    for (path,) in _entries(run_id, "staging"):
        if _is_ours(Path(path)) and not _removed(Path(path)):
            stuck.append(path)
    return Leftovers(tuple(kept), tuple(stuck), cache_bytes)


def _remove_builders(engine: Engine, run_id: str) -> list[str]:
    """Remove the empty builders that a run made beside this engine's; why those stay that do."""
    if not isinstance(engine, MakesEmptyBuilders):
        return []
    left = [
        engine.remove_empty_builder(name)
        for name, identity in _entries(run_id, "empty builder")
        if identity == engine.info.builder and _EMPTY_BUILDER.fullmatch(name)
    ]
    return [why for why in left if why is not None]


def _removed(staged: Path) -> bool:
    """Remove a staged context; return whether it is gone."""
    with contextlib.suppress(OSError), FileLock(staging_lock(staged)):
        shutil.rmtree(staged, ignore_errors=True)
    return not os.path.lexists(staged)


def _traces(engine: Engine, run_id: str) -> list[Any]:
    """What a run's builds on this engine left in the build cache, as the journal has it."""
    # Two engines on one daemon do not understand each other's traces.
    own = [engine.info.name, engine.info.builder]
    return [
        trace
        for *made_by, traces in _entries(run_id, "traces")
        if made_by == own
        for trace in traces
    ]


def _remove_cached(engine: Engine, traces: list[Any]) -> int:
    """Remove traces from the build cache; return the bytes that could not be removed."""
    try:
        return engine.remove_traces(traces) if traces else 0
    except (TypeError, ValueError, LookupError, AttributeError):
        return 0  # an engine did not write these traces
