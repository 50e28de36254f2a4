"""Ends a running ``docker buildx build`` when this process is killed.

A process that is killed cannot clean up: its ``docker buildx build`` would go
on, an install of minutes long, with nobody waiting and no lock held. A shell
that waits for the end of a pipe outlives this process by just that.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

__all__ = ["close_watchdog", "guarded"]

_SCRIPT = """
while read -r line; do group=$line; done
[ -n "$group" ] || exit 0
for pause in 1 3 6; do kill -TERM "-$group" 2>/dev/null || exit 0; sleep "$pause"; done
kill -KILL "-$group" 2>/dev/null
"""
"""A shell that reads the process group to end; an empty line takes the order back.

The shell sends the signal more than once: a docker command may miss a SIGTERM while it is starting.
"""

_shell: list[subprocess.Popen[bytes]] = []


@contextlib.contextmanager
def guarded(group: int) -> Iterator[None]:
    """End a process group if this process ends within the block, in whatever way."""
    _tell(str(group))
    try:
        yield
    finally:
        _tell("")


def close_watchdog() -> None:
    """End the shell."""
    while _shell:
        shell = _shell.pop()
        with contextlib.suppress(OSError):
            assert shell.stdin is not None
            shell.stdin.close()
        shell.wait()


def _tell(line: str) -> None:
    """Start the shell where there is one; without it nothing is lost but this protection."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        if not _shell:
            _shell.append(
                subprocess.Popen(
                    ["/bin/sh", "-c", _SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        stdin = _shell[-1].stdin
        assert stdin is not None
        stdin.write(f"{line}\n".encode())
        stdin.flush()
