"""The effect of an edit on a file's bytes, on a build argument and on the Dockerfile's text."""

from __future__ import annotations

import codecs
import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import ConfigError
from ..model import BuildSpec, Edit
from ..regexes import regex
from .comments import is_binary, is_line_of_json, nonce_blanks, nonce_line
from .padding import binary_addition

__all__ = [
    "END",
    "addition",
    "appended",
    "apply_argument_edits",
    "argument_value",
    "changed_mode",
    "context_path",
    "created",
    "no_such_file",
    "normalised",
    "replaced",
]

END = 1 << 17
"""Bytes at either end of a file that tell how it may be appended to; a zip's comment has 64 kB."""


def no_such_file(named: str, context: str | os.PathLike[str], hint: str) -> ConfigError:
    """The refusal of a path that a build context does not hold; ``named`` says how it was given."""
    return ConfigError(f"{named}: no such file in the build context {context}; {hint}")


def context_path(written: str, context: str, *, named: str = "") -> str:
    """Normalise an edit's path to a POSIX path relative to ``context`` (absolute, a directory).

    An absolute path below the context is accepted. Raises ConfigError when the
    path leaves the context or is the context itself; ``named`` is the
    beginning of the message, by default the edit.
    """
    named = named or f"edit of {written or '(nothing)'}"
    path = posixpath.normpath(written) if written else "."
    if path.startswith("/"):
        base = posixpath.normpath(context)
        if path != base and not path.startswith(base.rstrip("/") + "/"):
            raise ConfigError(
                f"{named}: lies outside the build context {context}; name a file below it"
            )
        path = posixpath.relpath(path, base)
    if path == "." or path == ".." or path.startswith("../"):
        what = "is the build context itself" if path == "." else "lies outside the build context"
        raise ConfigError(f"{named}: {what}; name a file below {context}")
    return path


def normalised(edit: Edit, context: str) -> Edit:
    """The edit with its paths as :func:`context_path` gives them: one path, one spelling."""
    if edit.context_path is None:
        return edit
    path = context_path(edit.context_path, context)
    if edit.kind == "rename":
        return replace(edit, path=path, text=context_path(edit.text or "", context))
    return replace(edit, path=path)


def addition(
    path: str, head: bytes, tail: bytes, text: str | None, nonce: str
) -> tuple[int, bytes]:
    """How many bytes an append edit removes at the end of a file, and the bytes that it adds.

    ``head`` and ``tail`` are the first and the last :data:`END` bytes of the file, or more. The
    addition is ``text`` and bytes that are unique to ``nonce`` and mean nothing to the file's
    reader: a comment line, blanks where the format has no comments, and for binary formats bytes
    that their readers pass over. An unterminated last line is completed first, in the file's own
    line ending: ``python=3.10# x`` would be a new pin.
    """
    if is_binary(head) or is_binary(tail):
        if text is not None:
            return 0, text.encode("utf-8", "surrogateescape") + nonce_blanks(nonce)
        return binary_addition(head, tail, nonce_blanks(nonce))
    encoding, newline = _encoding(head), _newline(head)
    if text is None and encoding == "utf-8" and is_line_of_json(path) and tail.rstrip():
        ending = tail[len(tail.rstrip()) :]
        return len(ending), nonce_blanks(nonce) + (ending or b"\n")
    added = "" if not tail or _complete(tail, encoding) else newline
    if text is not None:
        added += text if text.endswith("\n") or not text else text + newline
    added += nonce_line(path, head, nonce) + newline
    return 0, added.encode(encoding, "surrogateescape")


def appended(path: str, content: bytes, text: str | None, nonce: str) -> bytes:
    """``content`` after an append edit; see :func:`addition`."""
    cut, added = addition(path, content, content, text, nonce)
    return content[: len(content) - cut] + added


def replaced(path: str, content: bytes, old: str, new: str, nonce: str) -> bytes:
    """``content`` with every ``old`` replaced by ``new``, and a line unique to ``nonce`` added.

    Raises ConfigError when ``old`` does not occur.
    """
    encoding = "utf-8" if is_binary(content) else _encoding(content)
    before = old.encode(encoding, "surrogateescape")
    if not old or before not in content:
        raise ConfigError(
            f"edit of {path}: the text to replace does not occur in it: {old!r}; "
            "give text that stands in the file"
        )
    changed = content.replace(before, new.encode(encoding, "surrogateescape"))
    return appended(path, changed, None, nonce)


def created(path: str, text: str | None, nonce: str) -> bytes:
    """The content of a new file: ``text`` and a line unique to ``nonce``."""
    return appended(path, (text or "").encode("utf-8", "surrogateescape"), None, nonce)


def changed_mode(edit: Edit, present: int) -> int:
    """The permission bits that a chmod edit sets. Raises ConfigError if nothing changes."""
    mode = stat.S_IMODE(edit.mode or 0)
    if mode != (edit.mode or 0):
        raise ConfigError(
            f"edit of {edit.path}: {edit.mode:#o} are no permission bits; valid: 0 to 0o7777"
        )
    if mode == present:
        raise ConfigError(
            f"edit of {edit.path}: its mode is {mode:04o} already, so nothing would change; "
            "give another mode"
        )
    return mode


def _encoding(content: bytes) -> str:
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    return "utf-16-be" if content.startswith(codecs.BOM_UTF16_BE) else "utf-8"


def _newline(content: bytes) -> str:
    """The file's own line ending, as its first line has it."""
    first = content.replace(b"\0", b"")
    end = first.find(b"\n")
    return "\r\n" if end > 0 and first[end - 1 : end] == b"\r" else "\n"


def _complete(content: bytes, encoding: str) -> bool:
    """Whether the last line is terminated (an empty file, or a mere mark, has no line)."""
    if not content or content in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return True
    return content.endswith("\n".encode(encoding))


def apply_argument_edits(
    spec: BuildSpec, edits: Sequence[Edit], nonce: str, defaults: Mapping[str, str]
) -> BuildSpec:
    """Return ``spec`` with the build arguments as the build-arg edits want them.

    ``defaults`` maps an argument to the default its ARG gives. A value that the edit leaves open is
    unique to ``nonce`` and of the kind of the value that it replaces, so that ``RUN test $N -gt 0``
    goes on working.
    """
    values = {**defaults, **dict(spec.build_args)}
    changes: dict[str, str] = {}
    for edit in edits:
        if edit.kind != "build-arg" or not edit.path:
            continue
        value = edit.text
        if value is None:
            value = argument_value(values.get(edit.path), f"{nonce}/{edit.path}")
        changes[edit.path] = value
    return spec.with_build_args(changes) if changes else spec


_WORD = "dockercache"

UNIQUE_WORD = regex(rf"{_WORD}[0-9a-f]{{12}}")
"""A value that only one build gives to an argument that had no value."""


def argument_value(current: str | None, nonce: str) -> str:
    """A value unlike ``current`` that a Dockerfile made for ``current`` can still digest.

    A whole number stays a number of at least as many digits, a hexadecimal hash a hash of equal
    length, a date a date of equal form; text gets a suffix; an empty value becomes a word. ``true``
    and ``false`` get a suffix too, because the opposite value may have been built by an earlier
    run.
    """
    digest = hashlib.sha256(nonce.encode()).hexdigest()
    number = int(digest[:12], 16)
    if not current:
        return f"{_WORD}{digest[:12]}"
    if re.fullmatch(r"[0-9a-f]{7,64}", current) and re.search(r"[a-f]", current):
        return _unlike(current, digest[: len(current)])
    date = re.fullmatch(r"\d{4}-\d{2}-\d{2}(.*)", current, re.DOTALL)
    if date:
        year, month, day = 1970 + number % 130, 1 + number // 130 % 12, 1 + number // 1560 % 28
        rest = date[1]
        clock = re.match(r"([T ])\d{2}:\d{2}:\d{2}", rest)
        if clock:
            hour, minute, second = number % 24, number // 24 % 60, number // 1440 % 60
            rest = f"{clock[1]}{hour:02}:{minute:02}:{second:02}{rest[clock.end() :]}"
        return _unlike(current, f"{year:04}-{month:02}-{day:02}{rest}")
    if re.fullmatch(r"[1-9]\d{3,4}", current) and int(current) < 65536:  # A port, perhaps.
        return _unlike(current, str(10000 + number % 55536))
    if re.fullmatch(r"[1-9]\d*", current) or current == "0":
        width = max(9, len(current))
        return _unlike(current, str(10 ** (width - 1) + number % (9 * 10 ** (width - 1))))
    if re.fullmatch(r"v?\d+(\.\d+)+", current):
        return f"{current.rpartition('.')[0]}.{number % 10**9}"
    return f"{current}-{digest[:12]}"


def _unlike(current: str, value: str) -> str:
    """``value``, or its neighbour when it happens to be ``current``."""
    if value != current:
        return value
    return ("1" if value[0] != "1" else "2") + value[1:]
