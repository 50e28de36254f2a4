"""Foreign texts made presentable: control characters become visible, passwords are hidden.

Anybody may have written an instruction, a log, a file name or an image label.
"""

from __future__ import annotations

import re

from .regexes import regex

__all__ = ["presentable"]

_CONTROLS = regex("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move a cursor, colour a terminal, turn a line's direction, or have no encoding.

Line feeds and tabs stay.
"""

_USER_INFO = regex(r"(?<![\w+.-])([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)([^\s/]*)@")
"""The part of a URL before the host: up to the last @ before a slash, as a password may hold an @.

Only one repetition may match the long end of a line: two would share the end in every possible way.
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
