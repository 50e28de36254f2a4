"""Texts of others as they may be shown: control characters are seen, and passwords are not.

Instructions, logs, file names and image labels come from whoever wrote them.
"""

from __future__ import annotations

import re

from .regexes import regex

__all__ = ["presentable"]

_CONTROLS = regex("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a cursor, colour a terminal, or turn the direction of a line; and what no
terminal can encode. Line feeds and tabs stay."""

_USER_INFO = regex(r"(?<![\w+.-])([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)([^\s/]*)@")
"""The part of a URL before the host. Up to the last @ before a slash: a password may hold one.

One repetition alone may take the long end of a line: two would share it in every way.
"""


def presentable(text: str) -> str:
    """A text with its control characters escaped and the passwords of its URLs masked.

    ``https://me:secret@host/`` becomes ``https://me:***@host/``, and a token
    that stands alone before the @ of an http URL becomes ``***``.
    """
    if "://" in text:
        text = _USER_INFO.sub(_masked, text)
    return _CONTROLS.sub(_escaped, text.replace("\r\n", "\n"))


def _masked(found: re.Match[str]) -> str:
    scheme, information = found.groups()
    user, colon, _ = information.partition(":")
    if colon:
        return f"{scheme}{user}:***@"
    return f"{scheme}***@" if "http" in scheme.lower() else found[0]


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
