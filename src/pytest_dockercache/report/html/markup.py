"""Elements of HTML and SVG as text; every text that is not markup already is escaped."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from ...presentable import presentable
from ...regexes import regex

__all__ = ["Html", "command_code", "el", "joined", "shown"]

_EMPTY = frozenset({"meta", "link", "br", "col"})
"""Elements of HTML without an end tag."""
_FLAG = regex(r"(?<!\S)\[?--[a-z][\w-]*")
"""The name of a flag, and the bracket before it where flags stand behind a command."""


class Html(str):
    """A text that is markup already."""

    __slots__ = ()


def shown(text: str) -> Html:
    """A foreign text as markup that shows the text unchanged."""
    return text if isinstance(text, Html) else _escaped(text)


@lru_cache(4096)
def _escaped(text: str) -> Html:
    """Names of classes, states and paths stand in a page again and again."""
    return Html(escape(presentable(text)))


def joined(*parts: str) -> Html:
    """Markup and texts, one after the other."""
    return Html("".join(map(shown, parts)))


def el(tag: str, *content: str, **attributes: object) -> Html:
    """An element.

    Attributes are named as in HTML, with ``_`` for ``-`` and one at the end
    where the name is a word of Python (``class_``). None and False leave an
    attribute out; True gives it no value.
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{shown(str(value))}"')
    parts.append(">")
    if tag not in _EMPTY:
        parts += map(shown, content)
        parts.append(f"</{tag}>")
    return Html("".join(parts))


def command_code(text: str) -> Html:
    """A command as code; where a line ends, the names of flags stay whole.

    A browser would break a line behind the two hyphens.
    """
    return el("code", Html(_FLAG.sub(r'<span class="flag">\g<0></span>', shown(text))))
