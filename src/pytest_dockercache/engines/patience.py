"""A limit on the time of a whole answer.

A socket's own time limit begins anew with every byte: a daemon, or a proxy before it, that sends
one byte now and then would be waited for without end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

_SLACK_SECONDS = 1.0
"""How much longer a call is waited for: its own time limit has better words."""

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """The result of a call, which runs in a thread of its own, or its error.

    Raises TimeoutError where it has not ended after that many seconds; the thread then ends
    whenever the call does.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as problem:
            errors.append(problem)

    thread = threading.Thread(target=run, name="asking the daemon", daemon=True)
    thread.start()
    thread.join(seconds + _SLACK_SECONDS)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"the answer was not complete after {seconds:g} s")
    return results[0]
