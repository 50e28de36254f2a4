"""How a build that did not end well is said: the guilty line first, then the end of its log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import (
    BuildFailed,
    BuildTimeout,
    ConfigError,
    DockerCacheError,
    EngineUnavailable,
    Unverifiable,
)
from ..model import Finding, Fix, Row, Step, on_one_line, shortened
from ..regexes import regex

if TYPE_CHECKING:
    from ..context import MissingSource
    from ..context.places import BetterContext
    from ..dockerfile import ValuelessSource
    from .base import BuildRequest

__all__ = [
    "KILLED",
    "NOT_BEGUN",
    "build_failed",
    "build_timeout",
    "context_lost",
    "daemon_gone",
    "image_lost",
    "needs_buildx",
    "not_begun",
    "refused",
    "says_daemon_gone",
    "says_no_space",
]

_LOG_LINES = 20

_EXIT_CODE = regex(r"(?:exit code: |returned a non-zero code: )(\d+)")

KILLED = regex(r"(?:exit code: |returned a non-zero code: )(137|143)\b")
"""A command was killed (128 + SIGKILL or SIGTERM), perhaps together with its daemon."""

_REFERENCE = regex(
    r"failed to (?:build|solve(?: with frontend \S+)?|compute cache key"
    r"|calculate checksum of ref \S+): "
)
"""BuildKit's beginnings of a message, before the part that a reader can use."""

_NO_SPACE = regex(r"no space left on device|disk quota exceeded", re.IGNORECASE)

_CONTEXT_LOST = regex(r"failed to read downloaded context.*context not found")
"""BuildKit had the context in its cache, where a prune removes it (Docker Engine 26.1)."""

_NOT_FOUND = regex(r"not found|does not exist|no such file", re.IGNORECASE)

_GONE = regex(
    r"cannot connect to the docker daemon|code = Unavailable|error reading from server"
    r"|connection reset by peer|broken pipe|transport is closing|unexpected EOF"
    r"|connection refused|graceful_stop",
    re.IGNORECASE,
)


def build_failed(
    request: BuildRequest, line: int | None, error: str, log: str = "", *, native: str = ""
) -> BuildFailed | Unverifiable:
    """The error for a build that failed at ``line`` (None: the builder did not say).

    Unverifiable where the builder cannot execute programs of the platform that was asked for.
    ``native`` are the platforms whose programs it can execute, as buildx lists them; "" if only
    this machine's is known.
    """
    if _lacks_emulation(request, f"{error}\n{log}", native):
        return _not_emulated(request, line)
    error = _REFERENCE.sub("", on_one_line(error))
    tail = _tail(log)
    where = request.spec.dockerfile.name + ("" if line is None else f":{line}")
    command = _command(request, line)
    code = _EXIT_CODE.search(error)
    rows: list[Row] = []
    whys: list[str] = []
    fixes: list[str] = []
    missing = None if code is not None else _missing(request, line, error)
    if _NO_SPACE.search(error) or _NO_SPACE.search("\n".join(tail)):
        verdict = f"the disk of the Docker daemon seems to be full: {where}: {command or error}"
        fixes.append("free space there (see `docker system df`), then run again")
    elif missing is not None:
        line = missing.line
        where = f"{request.spec.dockerfile.name}:{line}"
        verdict = f"the image does not build: {missing.verdict(where)}"
        rows.append(Row(place=str(line), text=_command(request, line)))
        whys.append(f"the builder says: {shortened(error, 300)}")
        fixes.append(missing.fix(request.spec.context, _better(request)))
    elif code is not None and command:
        verdict = f"the image does not build: {where} ends with exit code {code[1]}: {command}"
        if KILLED.search(error):
            whys.append(
                "something killed the command: the machine ran out of memory, "
                "or somebody stopped its container"
            )
    elif command:
        verdict = f"the image does not build: {where}: {command}: {shortened(error, 300)}"
    else:
        verdict = f"the image does not build: {where}: {shortened(error, 300)}"
    valueless = _valueless(request, line)
    if valueless is not None:
        whys.append(str(valueless))
        fixes.insert(0, valueless.fix)
    if "requires BuildKit" in error:
        fixes.append("use --dockercache-engine=buildkit or buildx")
    if tail and line is not None and not fixes:
        fixes.append(f"correct line {line}; `docker build` shows the whole log")
    return BuildFailed(
        Finding(
            verdict,
            line=line,
            rows=tuple(rows),
            why="; ".join(whys) or None,
            fix=Fix("; ".join(fixes)) if fixes else None,
            log="\n".join(tail),
        )
    )


_FORMAT = regex(r"exec format error|Invalid ELF image for this architecture")
"""What Linux, and QEMU, say of a program that was made for another kind of processor."""


def _lacks_emulation(request: BuildRequest, said: str, native: str) -> bool:
    """Whether a program of another platform was to be executed, and could not."""
    return _FORMAT.search(said) is not None and _is_foreign(request.spec.platform, native)


def _is_foreign(wanted: str | None, native: str) -> bool:
    """Whether a platform is none of those whose programs a builder can execute."""
    if wanted is None:
        return False
    from ..dockerfile.platforms import default_platform, normal_platform

    known = re.findall(r"[\w.-]+/[\w.-]+(?:/[\w.-]+)?", native) or [default_platform()]
    return normal_platform(wanted) not in map(normal_platform, known)


_FAMILIES = (("linux/386", "linux/amd64"), ("linux/arm/", "linux/arm64"))
"""Platforms of 32 bits, and those whose processors mostly execute their programs as well."""


def _is_beyond(wanted: str | None, native: str) -> bool:
    """Whether a platform is foreign, and of another family than those a builder can execute."""
    from ..dockerfile.platforms import normal_platform

    if wanted is None or not _is_foreign(wanted, native):
        return False
    platform = normal_platform(wanted)
    return not any(platform.startswith(small) and large in native for small, large in _FAMILIES)


def require_emulation(request: BuildRequest, native: str) -> None:
    """Raise Unverifiable, before bases are pulled, where a RUN cannot be executed.

    ``native`` are the platforms whose programs the builder can execute, "" where it does not say.
    A build that imports a cache may find the RUN there. Processors execute programs of their
    family that the builder does not list (``linux/386``, Docker Engine 26.1.5 with the containerd
    image store): that build is tried.
    """
    if not native or request.spec.cache_from or not _is_beyond(request.spec.platform, native):
        return
    from ..dockerfile import plan

    spec = request.spec
    arguments = dict(spec.build_args)
    steps = plan(request.dockerfile, spec.target, arguments, platform=spec.platform)
    stages = {step.stage.index: step.stage for step in steps}
    for step in steps:
        stage = step.stage
        while stage.parent is not None and stage.parent in stages:
            stage = stages[stage.parent]
        asked = stage.platform or spec.platform or ""
        if step.instruction.keyword == "RUN" and _is_beyond(asked, native):
            raise _not_emulated(request, step.line)


def _not_emulated(request: BuildRequest, line: int | None) -> Unverifiable:
    platform = request.spec.platform or ""
    where = request.spec.dockerfile.name + ("" if line is None else f":{line}")
    command = _command(request, line)
    return Unverifiable(
        f"{platform} cannot be built here: the builder executes no programs of that platform "
        f"({where}{f': {command}' if command else ''})",
        fix="give the builder an emulator (docker run --privileged --rm tonistiigi/binfmt "
        f"--install {platform.partition('/')[2] or platform}), or judge it on such a machine",
    )


def build_timeout(request: BuildRequest, steps: Sequence[Step]) -> BuildTimeout:
    """The error for a build that was cancelled after ``request.timeout`` seconds."""
    running = next((step for step in reversed(steps) if step.running), None)
    name = request.spec.dockerfile.name
    if running is not None:
        text = on_one_line(running.text, 80)
        what = f"{name}:{running.line} was running: {text}"
    else:
        what = f"no step of {name} was running"
    return BuildTimeout(
        f"the build was cancelled after {request.timeout:g} s: {what}",
        fix="give it longer with --dockercache-timeout, or make that step faster",
    )


def daemon_gone(said: str) -> EngineUnavailable:
    """The error for a daemon that went away during a build."""
    return EngineUnavailable(
        f"the Docker daemon went away during the build: {on_one_line(said, 300)}",
        fix="check that it runs (`docker info`) and has memory and disk left, then run again",
    )


def refused(said: str) -> EngineUnavailable:
    """The error for a build that may not be made here, whatever its Dockerfile says."""
    return EngineUnavailable(
        f"the Docker daemon refused the build: {on_one_line(said, 300)}",
        fix="an authorization plugin or a proxy said so: ask who runs the daemon",
    )


NOT_BEGUN = "buildx ended before the build began: "
"""How the verdict begins where buildx itself refuses what it is given."""


def not_begun(said: str) -> EngineUnavailable:
    """The error for a buildx that ended before the builder had looked at the Dockerfile."""
    return EngineUnavailable(
        f"{NOT_BEGUN}{on_one_line(said, 300)}",
        fix="make `docker buildx build` work with these options and in this environment",
    )


def context_lost(said: str) -> DockerCacheError | None:
    """The error for a build whose uploaded context was removed under it; None for another."""
    if _CONTEXT_LOST.search(said) is None:
        return None
    return DockerCacheError(
        f"the builder lost the build context: {on_one_line(said, 300)}",
        fix="check that nothing prunes the build cache while the tests run",
    )


def image_lost(image: str) -> DockerCacheError:
    """The error for a build whose image the daemon's store does not hold."""
    return DockerCacheError(
        f"the build ended, but the daemon's store does not hold its image {image}",
        fix="check that nothing prunes images while the tests run",
    )


def needs_buildx(option: str, engine: str) -> ConfigError:
    """The refusal of an option (with its value) that ``engine`` cannot follow."""
    return ConfigError(
        f"{option} needs buildx, not --dockercache-engine={engine}",
        fix="install docker-buildx and use --dockercache-engine=buildx",
    )


def says_daemon_gone(text: str) -> bool:
    """Whether a client's last words are about its connection, not about the build."""
    return _GONE.search(text) is not None


def says_no_space(text: str) -> bool:
    """Whether a text says that a disk is full."""
    return _NO_SPACE.search(text) is not None


def _missing(request: BuildRequest, line: int | None, error: str) -> MissingSource | None:
    """The file that a step takes and the context does not hold, if the error is about that."""
    if _NOT_FOUND.search(error) is None:
        return None
    from ..context import missing_sources
    from ..dockerfile import plan

    spec = request.spec
    try:
        steps = plan(request.dockerfile, spec.target, dict(spec.build_args), all_stages=True)
        staged = request.staged
        entries = staged.all_entries()
    except DockerCacheError:
        return None
    found = [
        missing
        for step in steps
        if line in (None, step.line)
        for missing in missing_sources(step, entries, staged.ignore, spec.context, spec.directories)
    ]
    named = [missing for missing in found if missing.source in error]
    return next(iter(named if line is None else named or found), None)


def _better(request: BuildRequest) -> BetterContext | None:
    """A context that holds more of the Dockerfile's sources."""
    from ..context.places import better_context
    from ..dockerfile import plan

    spec = request.spec
    try:
        steps = plan(request.dockerfile, spec.target, dict(spec.build_args), all_stages=True)
    except DockerCacheError:
        return None
    return better_context(steps, spec.dockerfile, spec.context)


def _valueless(request: BuildRequest, line: int | None) -> ValuelessSource | None:
    """An argument without a value that names a source of the failing step, or of a step above."""
    from ..dockerfile import plan, valueless_source

    spec = request.spec
    try:
        steps = plan(request.dockerfile, spec.target, dict(spec.build_args))
    except DockerCacheError:
        return None
    return valueless_source(
        request.dockerfile, [step for step in steps if line is None or step.line <= line]
    )


def _command(request: BuildRequest, line: int | None) -> str:
    for instruction in request.dockerfile.instructions:
        if instruction.line == line:
            return on_one_line(instruction.text, 120)
    return ""


def _tail(log: str) -> list[str]:
    # A progress bar rewrites its line with carriage returns: its last state counts.
    lines = [line.rstrip().rpartition("\r")[2] for line in log.split("\n") if line.strip()]
    return lines[-_LOG_LINES:]
