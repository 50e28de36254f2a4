"""A socket before a daemon that answers some requests in the daemon's place."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_dockercache.values import dataclass

__all__ = ["Between", "Rule", "answer"]


def answer(status: str, body: str, kind: str = "application/json") -> bytes:
    """A whole HTTP answer."""
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Api-Version: 1.45\r\nOstype: linux\r\n\r\n".encode() + content


@dataclass(frozen=True)
class Rule:
    """What becomes of the requests whose first line a pattern matches.

    ``instead`` is the answer; "drip" sends a byte now and then without an end, "close" ends the
    connection. ``times`` is how often, None for always.
    """

    pattern: str
    instead: bytes | str
    times: int | None = None


class Between:
    """The socket; all that no rule matches goes to the daemon and back."""

    def __init__(self, place: Path, daemon: str, rules: Sequence[Rule]) -> None:
        self.host = f"unix://{place}"
        self._daemon = daemon.removeprefix("unix://")
        self._rules = {rule: rule.times for rule in rules}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(place))
        self._server.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, contextlib.suppress(OSError):
            far.connect(self._daemon)
            threading.Thread(target=_carry, args=(far, near), daemon=True).start()
            while chunk := near.recv(65536):
                rule = self._rule(chunk)
                if rule is None:
                    far.sendall(chunk)
                elif isinstance(rule.instead, bytes):
                    near.sendall(rule.instead)
                elif rule.instead == "close":
                    return
                else:
                    near.sendall(answer("200 OK", " " * 10_000)[:-9_999])
                    while True:
                        near.sendall(b" ")
                        time.sleep(0.2)

    def _rule(self, chunk: bytes) -> Rule | None:
        line = chunk.split(b"\r\n", 1)[0].decode("latin-1")
        if " HTTP/1" not in line:
            return None
        for rule, left in self._rules.items():
            if left != 0 and re.search(rule.pattern, line):
                self._rules[rule] = None if left is None else left - 1
                return rule
        return None


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
