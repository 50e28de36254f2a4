"""The commands of a RUN one by one: a chain of ``&&``, or the lines of a heredoc."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from ..dockerfile import PlannedStep
from ..regexes import regex
from ..values import dataclass

__all__ = ["Chain", "Script", "chain_of", "script_of"]


@dataclass(frozen=True)
class Chain:
    """A RUN in shell form that is a plain chain of commands joined by ``&&``.

    ``head`` is the keyword with its flags; ``segments`` the commands as they
    are written, continuations within them kept, blanks around them stripped;
    ``comments`` the comment lines that stand above a segment.
    """

    head: str
    segments: tuple[str, ...]
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self, segments: tuple[str, ...] | None = None) -> str:
        """The RUN of these segments (default: all), one a line if there are several."""
        first, *rest = self.segments if segments is None else segments
        lines = [*self.comments.get(first, ()), f"{self.head}{first}"]
        for segment in rest:
            lines[-1] += " \\"
            lines += [f"    {comment}" for comment in self.comments.get(segment, ())]
            lines.append(f"    && {segment}")
        return "\n".join(lines)

    def stops_after(self, segments: Sequence[str]) -> bool:
        """Whether the RUN ends, and fails, where the last of these first segments fails."""
        return bool(segments)


@dataclass(frozen=True)
class Script(Chain):
    """A RUN whose script is a heredoc of plain commands, one a line.

    ``opening`` is an interpreter line (``#!``), "" for none; ``name`` the word
    that ends the heredoc; ``strict`` says that the shell is told outside of
    the script to stop at a command that fails.
    """

    opening: str = ""
    name: str = "EOF"
    strict: bool = False

    def text(self, segments: tuple[str, ...] | None = None) -> str:
        lines = [self.head, *filter(None, [self.opening])]
        for segment in self.segments if segments is None else segments:
            lines += [*self.comments.get(segment, ()), segment]
        return "\n".join([*lines, self.name])

    def stops_after(self, segments: Sequence[str]) -> bool:
        if self.strict or any(_ERREXIT.match(segment) for segment in segments):
            return True
        # A shell that goes on after a failure would not be here if this had failed.
        return bool(segments) and _INSTALLS.match(segments[-1]) is not None


_ERREXIT = regex(r"set\s+(?:-\w+\s+)*(?:-[a-z]*e[a-z]*|-[a-z]*o\s+errexit)(\s|\Z)")
_INSTALLS = regex(
    r"(\S+=\S+\s+)*(python[0-9.]*\s+-m\s+)?"
    r"(pip[0-9.]*|uv|conda|mamba|micromamba|poetry|pdm|pixi|pipenv|apt-get|apt|npm|yarn|pnpm)\s"
)


def chain_of(source: str, escape: str = "\\") -> Chain | None:
    """A RUN's source as a chain; None for anything that is not plainly one.

    Only the default escape character: with another the text means something else.
    """
    found = re.match(
        r"\s*RUN((?:\s+(?:\\\n\s*)?--[a-z]+=\S+)*)\s+(?:\\\n\s*)?", source, re.IGNORECASE
    )
    if escape != "\\" or found is None:
        return None
    body = source[found.end() :]
    if body.startswith("[") or "<<" in body:
        return None
    # An empty line goes on as a comment does.
    parts = _parted("\n".join(line for line in body.split("\n") if line.strip()))
    if parts is None:
        return None
    segments, comments = _told(parts)
    if not all(segments):
        return None
    return Chain(source[: found.end()].rstrip(" \\\n") + " ", segments, comments)


_ABOVE = regex(r"\A(?:\s|\\\n|#[^\n]*(?:\n|\Z))*")
_BELOW = regex(r"(?:\s|\\\n|(?<=\n)[ \t]*#[^\n]*(?:\n|\Z))*\Z")
_COMMENT = regex(r"(?m)^[ \t]*(#[^\n]*)$")


def _told(parts: Sequence[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Segments without the text around them, and the comments above each."""
    segments: list[str] = []
    comments: dict[str, tuple[str, ...]] = {}
    waiting: tuple[str, ...] = ()
    for part in parts:
        above = _ABOVE.match(part)
        start = above.end() if above is not None else 0
        below = _BELOW.search(part, start)
        end = below.start() if below is not None else len(part)
        waiting += tuple(item.rstrip() for item in _COMMENT.findall(part[:start]))
        segments.append(part[start:end])
        if waiting:
            comments.setdefault(segments[-1], waiting)
        # A comment between a command and the operator behind it belongs to the next command.
        waiting = tuple(item.rstrip() for item in _COMMENT.findall(part[end:]))
    return tuple(segments), comments


def _parted(text: str) -> list[str] | None:
    """The commands between ``&&`` at the top level; None where another operator stands there."""
    parts: list[str] = []
    start = position = 0
    depth = 0
    while position < len(text):
        char = text[position]
        if char == "#" and not text[:position].rpartition("\n")[2].strip():
            end = text.find("\n", position)
            position = len(text) if end < 0 else end + 1
            continue
        if char == "\\":
            position += 2
            continue
        if char in "'\"":
            position = _closing(text, position)
            if position < 0:
                return None
            continue
        if text.startswith("$(", position):
            depth += 1
            position += 2
            continue
        if char == "`":
            return None
        if depth:
            depth += {"(": 1, ")": -1}.get(char, 0)
        elif text.startswith("&&", position):
            parts.append(text[start:position])
            position += 2
            start = position
            continue
        elif (
            text.startswith("||", position)
            or char in ";()\n"
            or (
                char == "&"
                and text[position - 1 : position] != ">"
                and text[position + 1 : position + 2] != ">"
            )
        ):
            return None
        position += 1
    if depth:
        return None
    parts.append(text[start:])
    bare = [_ABOVE.sub("", part, count=1) for part in parts]
    if any(part.split(None, 1)[:1] and part.split()[0] in _COMPOUND for part in bare):
        return None
    return parts


_COMPOUND = frozenset(["if", "for", "while", "until", "case", "{", "!", "function"])
_PARTIAL = frozenset(["}", "select", "then", "else", "elif", "do", "fi", "done", "esac", "coproc"])


def _closing(text: str, position: int) -> int:
    """The position after the quoted string that begins here, -1 if it does not end."""
    quote = text[position]
    position += 1
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            return position + 1
        position += 1
    return -1


# -- heredocs

_RELIABLE = regex(r"(\S+=\S+\s+)*(cd|mkdir|export|rm|cp|mv|chmod|chown|echo|printf|set)\s")
"""Commands of which nobody expects that they fail; and those of :data:`_INSTALLS`."""

_LASTS = regex(
    r"(cd|pushd|popd|export|unset|set|shopt|source|\.|umask|read|trap|alias|eval|exec|declare|local"
    r"|readonly|typeset|let)(\s|\Z)|[A-Za-z_]\w*\+?=\S*\s*\Z"
)
"""Commands that change the shell for those behind them."""


def script_of(source: str, step: PlannedStep) -> Chain | None:
    """The source of a RUN that is only a heredoc, as a chain of the heredoc's lines.

    None where a line is more than a plain command: a loop, a function, a
    quotation or a heredoc over several lines.
    """
    found = re.match(
        r"(\s*RUN(?:\s+(?:\\\n\s*)?--[a-z]+=\S+)*\s+(?:\\\n\s*)?<<(-?)([\"']?)(\w+)\3)[ \t]*\n",
        source,
        re.IGNORECASE,
    )
    if found is None or step.escape != "\\" or len(step.instruction.heredocs) != 1:
        return None
    *body, end = source[found.end() :].split("\n")
    if end.lstrip("\t" if found[2] else "") != found[4]:
        return None
    opening = body.pop(0) if body and body[0].startswith("#!") else ""
    if opening and not re.match(r"#!\s*(/usr/bin/env\s+)?\S*?\b(ba|da|a|z|k)?sh\b", opening):
        return None
    parts = list(_commands("\n".join(body)))
    if not parts or None in parts:
        return None
    segments, comments = _told([part for part in parts if part is not None])
    if not all(segments):
        return None
    strict = re.search(r"\s-[a-z]*e", " ".join((opening, *step.shell[1:]))) is not None
    return Script(found[1], segments, comments, opening, end, strict)


def _commands(body: str) -> Iterator[str | None]:
    """The commands of a script, each with the comments above; None for any other line."""
    waiting = ""
    lines = iter(body.split("\n"))
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            waiting += f"{line.strip()}\n" if line.strip() else ""
            continue
        while re.search(r"(?<!\\)(\\\\)*\\\Z", line):
            following = next(lines, None)
            if following is None:
                yield None
                return
            line += f"\n{following}"
        parts = None if "<<" in line or re.search(r"\s#", line) else _parted(line.strip())
        if parts is None:
            yield None
            return
        bare = [part.strip() for part in parts]
        if any(part.split()[:1] and part.split()[0] in _PARTIAL for part in bare):
            yield None
            return
        if all(_RELIABLE.match(part) or _INSTALLS.match(part) for part in bare[:-1]):
            yield waiting + bare[0]
            yield from bare[1:]
        elif any(map(_LASTS.match, bare)):
            yield None
        else:
            yield waiting + line.strip()
        waiting = ""
