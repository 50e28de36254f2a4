"""Honest texts, bytes and values, changed as accident and malice change them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

__all__ = ["changed_bytes", "changed_text", "changed_value"]

Text = TypeVar("Text", str, bytes)

LONGEST = 200_000
"""Characters of a reader's input: enough for quadratic work to show."""

_TOKENS = (
    "\n", "\r", "\t", " ", "\\", "\\\n", "\0", "\ufeff", "\u2028", "\x1b[2J", "é", "\ud800",
    '"', "'", "`", "$", "${", "}", "$(", ")", "((", "{", "[", "]", "<<EOF\n", "<<", ">", "|",
    "&&", "||", ";", ";;", "#", "!", "*", "**", "?", "[a-", "[^", "%", "@", ":", "=", "==", "~=",
    ",", "-", "--", "-r ", "/", "../", "//", "::", "&a ", "*a", "!!python/object:os.system ",
    "1", "-1", "9" * 30, "1e400", "NaN", "null", "true", "[]", "{}", "a", "A=", "if ", "then ",
    "done", "case x in ", "FROM ", "RUN ", "ONBUILD ", "COPY --from=", "ARG ", "@EXPLICIT\n",
    "sha256:", "python", "; python_version < '3'", "[version='", "http://u:p@h/",
)  # fmt: skip

_COUNTS = (2, 3, 30, 1_000, 30_000)

_ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 5, 10**30, 1e400, 0.5, "", "a", "\0", "\ud800", "../../etc/passwd",
    "a" * 5000, [], [5], [[]], {}, {"a": 5}, [None], {"": {}}, ["a"] * 300, "${X}", ">=1",
    "sha256:" + "0" * 64,
)  # fmt: skip


@st.composite
def changed_text(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """A text of the corpus after a few changes."""
    return _changed(draw, seeds, _TOKENS, "".join)


@st.composite
def changed_bytes(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Bytes of the corpus after a few changes, single bytes among them."""
    tokens = [token.encode("utf-8", "surrogatepass") for token in _TOKENS]
    tokens += [bytes([number]) for number in (0x00, 0x80, 0xC3, 0xFE, 0xFF)]
    content = _changed(draw, seeds, tokens, b"".join)
    for _ in range(draw(st.integers(0, 4))):
        if content:
            at = draw(st.integers(0, len(content) - 1))
            content = content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
    return content


def _changed(
    draw: st.DrawFn,
    seeds: Sequence[Text],
    tokens: Sequence[Text],
    join: Callable[[list[Text]], Text],
) -> Text:
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 6))):
        middle: list[Text]
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from((0, 0, 1, 5, 50, LONGEST))))
        kind = draw(st.sampled_from(("token", "many", "cut", "again", "other", "swap")))
        if kind == "token":
            middle = [draw(st.sampled_from(tokens))]
        elif kind == "many":
            some = join(draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=3)))
            middle = [some] * draw(st.sampled_from(_COUNTS))
        elif kind == "cut":
            middle = []
        elif kind == "again":
            middle = [text[start:end]] * draw(st.sampled_from((2, 3, 30)))
        elif kind == "other":
            other = draw(st.sampled_from(seeds))
            at = draw(st.integers(0, len(other)))
            middle = [other[at : at + 200]]
        else:
            middle = [text[end : end + 20], text[start:end]]
            end = min(len(text), end + 20)
        text = (text[:start] + join(middle) + text[end:])[:LONGEST]
    return text


@st.composite
def changed_value(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """A value of the corpus of which a few parts are something else, missing, or there twice."""
    value = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        value = _with_change(draw, value)
    return value


def _with_change(draw: st.DrawFn, value: Any) -> Any:
    """Go down from the top by a drawn path, and change the value at its end."""
    holder: Any = None
    key: Any = None
    here = value
    for _ in range(draw(st.integers(0, 8))):
        keys = list(here) if isinstance(here, dict) else []
        if isinstance(here, list):
            keys = list(range(min(len(here), 50)))
        if not keys:
            break
        holder, key = here, draw(st.sampled_from(keys))
        here = holder[key]
    kind = draw(st.sampled_from(("odd", "odd", "missing", "twice", "renamed", "text", "nested")))
    if holder is None:
        return draw(st.sampled_from(_ODD_VALUES)) if kind == "odd" else value
    if kind == "odd":
        holder[key] = copy.deepcopy(draw(st.sampled_from(_ODD_VALUES)))
    elif kind == "missing":
        del holder[key]
    elif kind == "twice" and isinstance(holder, list):
        holder += [copy.deepcopy(here) for _ in range(draw(st.sampled_from((1, 2, 200))))]
    elif kind == "renamed" and isinstance(holder, dict):
        holder[draw(st.sampled_from((*holder, "", "a", "\0")))] = holder.pop(key)
    elif kind == "text" and isinstance(here, str):
        holder[key] = draw(changed_text((here,)))
    elif kind == "nested":
        for _ in range(draw(st.sampled_from((1, 30, 90)))):
            here = [here] if draw(st.booleans()) else {"a": here}
        holder[key] = here
    return value
