"""One RUN split into two: one for the dependencies, one for the commands that need the source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..dockerfile import declared
from ..dockerfile.expansion import split_words, variables_in
from ..model import on_one_line
from ..regexes import regex
from ..values import dataclass
from .chains import Chain, chain_of, script_of
from .site import Site

__all__ = ["Split", "parted_declaration", "splits"]


@dataclass(frozen=True)
class Split:
    """Two RUNs in place of one, and a description with ``{line}`` for the RUN's line."""

    first: str
    second: str
    words: str


_ASSIGNED = regex(r"(?:export\s+)?([A-Za-z_]\w*)=(?:\"[^\"]*\"|'[^']*'|[^\s\"']*)\s*\Z")
_CARRIED = regex(
    r"(cd|pushd|popd|export|unset|set|shopt|source|\.|umask)(\s|\Z)"
    r"|(conda|micromamba|mamba) activate|eval \"\$\((conda|micromamba|mamba) shell[. \w-]*\)\"\s*\Z"
)
"""Commands whose effect lasts for the rest of the script, and which can be given again."""

_LASTING = regex(
    r"(read|mapfile|readarray|trap|alias|unalias|eval|exec|declare|local|readonly|typeset|let|getopts"
    r"|printf -v|enable|ulimit|hash|ssh-agent)(\s|\Z)|[A-Za-z_]\w*(\[[^]]*\])?\+?=\S*\s*\Z"
)
"""Commands whose effect lasts, and cannot be had a second time by giving them again."""


def _carried(first: Sequence[str], rest: Sequence[str]) -> tuple[str, ...] | None:
    """The first commands that have to be repeated before the rest; None if that does not help.

    The value of a command substitution may differ the second time.
    """
    found: list[str] = []
    for segment in first:
        assigned = _ASSIGNED.match(segment)
        made_anew = re.search(r"\$\(|`|\$\$|\$RANDOM", segment) is not None
        if assigned and not made_anew:
            found.append(segment)
        elif _name_of(segment):
            name = _name_of(segment)
            if any(re.search(rf"\b{name}\b", other) for other in rest):
                return None
        elif _CARRIED.match(segment) and (segment.startswith("eval ") or not made_anew):
            found.append(segment)
        elif _CARRIED.match(segment) or _LASTING.match(segment):
            return None
    return tuple(found)


def _name_of(segment: str) -> str:
    """The variable that a command sets to the output of another; "" for other commands."""
    found = re.match(r"(?:export\s+)?([A-Za-z_]\w*)=(?:\"[^\"]*)?(?:\$\(|`)", segment)
    return found[1] if found and re.search(r"[)`]\"?\s*\Z", segment) else ""


_CLEANING = regex(
    r"(conda|mamba|micromamba) clean\b|rm -r?f?r? (~|/root)/\.cache|rm -rf /var/lib/apt/lists|"
    r"(uv cache (clean|prune)|pip3? cache purge|apt-get clean)\b|find /[^|]* -delete\Z"
)
"""Commands that belong to the RUN whose waste they remove."""


_REMOVING = regex(
    r"(?:apt|apt-get|aptitude|apk|dnf|microdnf|yum|zypper|pip[0-9.]*|conda|mamba|micromamba)\s+"
    r"(?:-\S+\s+)*(?:purge|remove|autoremove|del|erase|uninstall)\b"
)


def _undoes(first: Sequence[str], rest: Sequence[str]) -> bool:
    """Whether the rest of a RUN takes away what its first commands brought.

    The layer of the first commands would keep it.
    """
    before = "\n".join(first)
    for segment in rest:
        if _REMOVING.search(segment):
            return True
        if segment.startswith("rm ") and not _CLEANING.match(segment):
            words = [word.rstrip("/*") for word in segment.split()[1:] if word[0] not in "-\\"]
            if any(word and word in before for word in words):
                return True
    return False


def splits(site: Site, line: int) -> Iterator[Split]:
    """Ways to part the RUN at ``line``, the best first."""
    step = next(item for item in site.steps if item.line == line)
    source = site.sheet.source(line)
    chain = chain_of(source, step.escape) or script_of(source, step)
    # Files in a tmpfs, and what is written to a bind mount, are gone when their RUN ends.
    if chain is None or re.search(r"type=tmpfs|--mount=\S*\b(rw|readwrite)\b", chain.head):
        return
    yield from _without_project(chain)
    count = len(chain.segments)
    for end in range(count - 1, 0, -1):
        rest = chain.segments[end:]
        if all(_CLEANING.match(segment) for segment in rest):
            continue
        if _undoes(chain.segments[:end], rest):
            continue
        cleaning = _cleaning(rest)
        carried = _carried(chain.segments[:end], rest)
        if carried is None or len(carried) == end:
            continue
        if not chain.stops_after(chain.segments[:end]):
            continue
        yield Split(
            chain.text((*chain.segments[:end], *cleaning)),
            chain.text((*carried, *rest)),
            "part line {line} before " + _escaped(_short(rest[0])),
        )


def parted_declaration(site: Site, position: int) -> tuple[str, ...] | None:
    """An ENV or ARG that declares several names, as one instruction for each; else None.

    Within one instruction a name has still the value that it had before it.
    """
    step = site.steps[position]
    instruction = step.instruction
    if instruction.keyword not in ("ENV", "ARG") or step.triggered:
        return None
    words = split_words(instruction.value, step.escape)
    names = {name for name, _ in declared(instruction, step.escape)}
    if len(words) < 2 or len(names) != len(words) or names & set(variables_in(instruction.text)):
        return None
    lines = site.sheet.source(step.line).split("\n")
    if any(line.lstrip().startswith("#") for line in lines) or any("\n" in word for word in words):
        return None
    return tuple(f"{instruction.keyword} {word}" for word in words)


def _escaped(text: str) -> str:
    return '"' + text.replace("{", "{{").replace("}", "}}") + '"'


def _short(text: str) -> str:
    return on_one_line(re.sub(r"\\\n\s*", "", text), 40)


_WITH_PROJECT: tuple[tuple[re.Pattern[str], str], ...] = (
    (regex(r"\buv\s+sync\b"), "--no-install-project"),
    (regex(r"\buv\s+sync\b"), "--no-install-workspace"),
    (regex(r"\bpoetry\s+(?:-\S+\s+)*(?:install|sync)\b"), "--no-root"),
    (regex(r"\bpdm\s+(?:install|sync)\b"), "--no-self"),
)


_GO_BUILD = regex(r"([A-Z]\w*=\S*\s+)*go\s+(build|install|test)\b(?!.*@)")
"""A build that fetches the modules of ``go.mod`` on its way."""


def _without_project(chain: Chain) -> Iterator[Split]:
    for expression, flag in _WITH_PROJECT:
        for number, segment in enumerate(chain.segments):
            found = expression.search(segment)
            if found is None or flag in segment:
                continue
            first = f"{segment[: found.end()]} {flag}{segment[found.end() :]}"
            command = on_one_line(found[0])
            yield from _around(
                chain, number, first, segment, f"install with {command} {flag} first"
            )
            break
    for number, segment in enumerate(chain.segments):
        if _GO_BUILD.match(segment):
            words = "fetch with go mod download first"
            yield from _around(chain, number, "go mod download", segment, words)
            break
    for number, segment in enumerate(chain.segments):
        parted = _parted_pip(segment)
        if parted is not None:
            words = "part line {line}: first what the requirements name, then the project"
            yield from _around(chain, number, *parted, words)


def _cleaning(rest: Sequence[str]) -> tuple[str, ...]:
    """The commands of the second RUN that clean up after the first and remove nothing it needs."""
    found = [segment for segment in rest if _CLEANING.match(segment)]
    if any(re.search(r"\b(apt|apt-get|aptitude)\b.*\binstall\b", segment) for segment in rest):
        found = [segment for segment in found if "apt" not in segment]
    return tuple(found)


def _around(chain: Chain, number: int, first: str, second: str, words: str) -> Iterator[Split]:
    before, after = chain.segments[:number], chain.segments[number + 1 :]
    carried = _carried(before, (second, *after))
    if carried is None or not chain.stops_after((*before, first)):
        return
    if _undoes((*before, first), after):
        return
    cleaning = _cleaning(after)
    yield Split(
        chain.text((*before, first, *cleaning)), chain.text((*carried, second, *after)), words
    )


def _parted_pip(segment: str) -> tuple[str, str] | None:
    """``pip install -r requirements.txt -e .`` as two commands."""
    if "\\\n" in segment or not re.search(r"\bpip[0-9.]*\s+install\b", segment):
        return None
    words = segment.split()
    start = words.index("install") + 1
    head, rest = words[:start], words[start:]
    required: list[str] = []
    local: list[str] = []
    both: list[str] = []
    index = 0
    while index < len(rest):
        word = rest[index]
        plain = word.strip("'\"")
        if word in ("-r", "--requirement", "-e", "--editable") and index + 1 < len(rest):
            into = required if word in ("-r", "--requirement") else local
            into += rest[index : index + 2]
            index += 2
            continue
        if re.match(r"-r\S|--requirement=", word):
            required.append(word)
        elif re.match(r"--editable=", word) or re.match(r"\.{1,2}(/|\[|\Z)", plain):
            local.append(word)
        elif word.startswith("-"):
            both.append(word)
            if word in (
                "-c",
                "--constraint",
                "-i",
                "--index-url",
                "--extra-index-url",
                "-f",
                "--find-links",
            ):
                index += 1
                both += rest[index : index + 1]
        else:
            return None
        index += 1
    if not required or not local:
        return None
    return " ".join([*head, *both, *required]), " ".join([*head, *both, *local])
