"""The Docker SDK, imported late and in one piece."""

from __future__ import annotations

from .cancelling import uninterrupted

__all__ = ["load_sdk"]


def load_sdk() -> None:
    """Import the SDK and its dependencies; an interrupt waits for the end.

    An interrupt in the middle would leave half of ``requests`` among the modules, and every later
    import of ``requests``, such as the clean-up's, would fail.
    """
    with uninterrupted():
        import docker  # noqa: F401
        import requests  # noqa: F401
