"""The text of a RUN with a command more, a word less, or another RUN behind it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from ..regexes import regex
from ..shell.running import SHELLS
from .chains import Chain, chain_of
from .site import Site

__all__ = ["appended", "chain_at", "joined", "told_before", "without_segment"]


def chain_at(site: Site, line: int) -> Chain | None:
    """The RUN at a line as a chain of commands, None for an instruction that is no plain chain."""
    step = next((item for item in site.steps if item.line == line), None)
    if step is None or step.instruction.keyword != "RUN":
        return None
    return chain_of(site.sheet.source(line), step.escape)


_TOLD = regex(
    r"(umask|set|shopt|export|unset|source|\.|eval|alias|trap|ulimit|declare|local|readonly|typeset"
    r"|\w+ activate)(\s|\Z)|[A-Za-z_]\w*\+?=\S*\s*\Z"
)
"""Commands after which the same shell does other commands in another way."""

_UNMOVED = regex(
    r"(rm|rmdir|chown|chmod|chgrp)\s[^$`~]*\Z|find\s[^$`~]*-delete\s*\Z"
    r"|(apt-get|apk|dnf|yum|conda|mamba|micromamba|pip|uv)\s+(-\S+\s+)*(clean|cache)\b[^$`]*\Z"
)
"""Commands that do the same whatever the shell was told."""


def told_before(one: Chain, other: Chain) -> str:
    """What the shell of one RUN is told, and would hold for another RUN's commands; "" if none."""
    told = next((segment for segment in one.segments if _TOLD.match(segment)), "")
    return told if told and not all(map(_UNMOVED.match, other.segments)) else ""


def appended(site: Site, line: int, command: str) -> str | None:
    """The source of the RUN at ``line`` with one more command at its end.

    None for a RUN in exec form, and where the end of the script is not plain.
    """
    step = next(item for item in site.steps if item.line == line)
    instruction = step.instruction
    if instruction.keyword != "RUN" or instruction.exec_form is not None or step.escape != "\\":
        return None
    source = site.sheet.source(line)
    if instruction.heredocs:
        return _in_document(site, line, command)
    body = source.rstrip()
    if not any(posixpath.basename(word) in SHELLS for word in step.shell):
        return None
    if re.search(r"\s#", body.rpartition("\n")[2]):
        return None  # An appended command would be a part of the shell's comment.
    if (
        _ends_itself(body)
        or re.search(r"(&&|\|\||[|&;(\\])\s*\Z", body)
        or re.search(r"(?m)^\s*#[^\n]*\Z", body)
    ):
        return None
    return f"{body} \\\n    && {command}"


def _ends_itself(script: str) -> bool:
    """Whether a script's last command is the end of the shell, which does no command behind it."""
    return (
        re.search(r"(?:\A\s*RUN\s+|[;&|(\n]\s*)(exit|exec)\b[^;&|\n]*\Z", script.rstrip())
        is not None
    )


def _in_document(site: Site, line: int, command: str) -> str | None:
    """A heredoc script with one more line, if the heredoc is all that the RUN is."""
    step = next(item for item in site.steps if item.line == line)
    instruction = step.instruction
    document = instruction.heredocs[0]
    first = document.body.split("\n", 1)[0]
    plain = re.fullmatch(r"<<-?[\"']?\w+[\"']?", instruction.value.strip())
    if plain is None or len(instruction.heredocs) > 1 or first.startswith("#!"):
        return None
    lines = site.sheet.source(line).split("\n")
    if lines[-1].strip() != document.name or _ends_itself(document.body):
        return None
    return "\n".join([*lines[:-1], command, lines[-1]])


def joined(site: Site, first: int, second: int) -> str | None:
    """The source of one RUN with the commands of two RUNs; None if that is not plain."""
    one, other = chain_at(site, first), chain_at(site, second)
    if one is None or other is None:
        return None
    flags = re.findall(r"--[a-z]+=\S+", other.head)
    if any(flag not in one.head for flag in flags):
        return None
    segments = list(one.segments)
    if told_before(one, other) or _ends_itself("\n" + segments[-1]):
        return None
    if any(re.match(r"(cd|pushd)\s", segment) for segment in segments):
        step = next(item for item in site.steps if item.line == second)
        segments.append(f"cd {step.workdir}")
    both = replace(one, comments={**other.comments, **one.comments})
    return both.text((*segments, *other.segments))


def without_segment(chain: Chain, number: int) -> str | None:
    """The RUN without one of its commands, None if it has only this command."""
    rest = (*chain.segments[:number], *chain.segments[number + 1 :])
    return chain.text(rest) if rest else None
