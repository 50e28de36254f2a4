"""Requirement files as pip reads them: encodings, continued lines, options, local paths, ``-r``."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from urllib.parse import unquote

from ..errors import ConfigError, Unverifiable
from ..limits import REQUIREMENT
from ..regexes import regex
from ..values import dataclass
from .documents import content_of
from .names import normalised

__all__ = ["RequirementLines", "decoded", "file_text", "joined_lines", "requirement_lines"]

_MOST_INCLUSIONS = 200
_DEEPEST_INCLUSION = 20


@dataclass(frozen=True)
class RequirementLines:
    """The requests of requirement lines.

    ``pip`` are requirements of PEP 508, ``unverified`` the lines that installed metadata cannot
    confirm, ``hashes`` the digests of ``--hash`` by normalised name.
    """

    pip: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)


def file_text(path: Path) -> str:
    """The text of an environment file. Raises ConfigError for what cannot be read."""
    try:
        return decoded(content_of(path))
    except (UnicodeDecodeError, LookupError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(content: bytes) -> str:
    """Text as pip decodes it: by its byte order mark, a coding line (PEP 263), else as UTF-8.

    pip 24, ``_internal/req/req_file.py``: ``_decode_req_file``.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    for line in content.split(b"\n", 2)[:2]:
        found = re.search(rb"coding[:=]\s*([-\w.]+)", line) if line.startswith(b"#") else None
        if found:
            return content.decode(found[1].decode("ascii"))
    return content.decode("utf-8")


def requirement_lines(
    lines: Iterable[str],
    directory: Path,
    source: str,
    *,
    context: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> RequirementLines:
    """The requests of requirement lines, with the lines of the files that ``-r`` includes.

    ``directory`` is where ``-r`` starts, ``context`` the build context, which
    it must not leave: the build reads the image's own file there.
    ``variables`` are the variables of the step, for ``${NAME}``. Raises
    ConfigError for a line that pip could not read either, Unverifiable for an
    included file that is not in the context.
    """
    reading = _RequirementReader(context, variables or {})
    reading.read(lines, directory, source, 0)
    hashes = {name: frozenset(found) for name, found in reading.hashes.items()}
    return RequirementLines(tuple(reading.pip), tuple(reading.unverified), hashes)


class _RequirementReader:
    """One requirement file while it is read, with everything that it includes."""

    def __init__(self, context: Path | None, variables: Mapping[str, str]) -> None:
        self.context = context
        self.variables = variables
        self.pip: list[str] = []
        self.unverified: list[str] = []
        self.hashes: dict[str, set[str]] = {}
        self.inclusions = 0

    def read(self, lines: Iterable[str], directory: Path, source: str, depth: int) -> None:
        for line in joined_lines(lines):
            text = self._with_values(re.sub(r"(^|\s)#.*$", "", line).strip())
            nested = re.match(r"(?:-r[ =]?|--requirements?[ =])\s*(\S.*)", text)
            if nested and "://" not in nested[1]:
                self._include(nested[1].strip().strip("\"'"), directory, source, depth)
            elif text.startswith("-"):
                if not _BRINGS_NOTHING.match(text):
                    self.unverified.append(text)
            elif text:
                self._require(text, source)

    def _with_values(self, text: str) -> str:
        return re.sub(
            r"\$\{([A-Z0-9_]+)\}", lambda found: self.variables.get(found[1]) or found[0], text
        )

    def _include(self, name: str, directory: Path, source: str, depth: int) -> None:
        self.inclusions += 1
        if depth > _DEEPEST_INCLUSION or self.inclusions > _MOST_INCLUSIONS:
            raise ConfigError(f"{source} includes itself, or too many files")
        if "\0" in name:
            raise ConfigError(f"{source} includes {name!r}, which is no path")
        path = directory / name
        if self.context is not None and not _is_below(path, self.context):
            raise Unverifiable(
                f"{source} includes {name}, which is outside of the build context: "
                "the build reads the image's own file there"
            )
        if not _is_there(path):
            # The file may have existed in the directory of the installation.
            raise Unverifiable(f"{source} includes {name}, which is not beside it")
        self.read(file_text(path).splitlines(), path.parent, str(path), depth + 1)

    def _require(self, text: str, source: str) -> None:
        from packaging.requirements import InvalidRequirement, Requirement

        digests = set(re.findall(r"\s--hash[= ]\s*(sha256:[0-9a-f]{64})", text))
        text = re.split(r"\s--(?:hash|config-settings?|global-option)\b", text)[0].strip()
        if len(text) > REQUIREMENT:
            raise ConfigError(
                f"{source} has the requirement {text[:60]!r}…, which has {len(text):,} characters"
            )
        if egg := re.search(r"[#&]egg=([\w.-]+)", text):
            self.unverified.append(text)
            self.pip.append(egg[1])
        elif _is_place(text):
            wheel = _of_wheel(text)
            (self.unverified if wheel is None else self.pip).append(wheel or text)
        else:
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                if "$" in text:
                    self.unverified.append(text)
                    return
                raise ConfigError(f"{source} has the requirement {text!r}: {error}") from None
            wheel = _of_wheel(text) if requirement.url else None
            if requirement.url and wheel is None:
                self.unverified.append(text)
            self.pip.append(wheel or text)
            if digests:
                self.hashes.setdefault(normalised(requirement.name), set()).update(digests)


def _of_wheel(text: str) -> str | None:
    """The requirement that a line with a wheel's URL or path amounts to, None for any other line.

    A wheel's name and version are those of its metadata: pip installs no other.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    place, *markers = re.split(r"\s+;", text, maxsplit=1)
    place = place.rpartition(" @ ")[2].strip()
    extras = re.search(r"\[[^\]/]*\]$", place)
    name = re.split(r"[?#]", place.removesuffix(extras[0] if extras else ""))[0].rpartition("/")[2]
    if extras is None:
        extras = re.match(r"[\w.-]+\s*(\[[^\]]*\])\s*@\s", text)
    try:
        distribution, version, _, _ = parse_wheel_filename(unquote(name))
    except InvalidWheelFilename:
        return None
    wanted = f"{distribution}{extras[extras.re.groups] if extras else ''}=={version}"
    return f"{wanted} ;{markers[0]}" if markers else wanted


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a directory that may not be entered
        return False


def _is_below(path: Path, context: Path) -> bool:
    """Whether a path leads to a place inside the context, links followed."""
    return path.resolve().is_relative_to(context.resolve())


_PLACE = regex(r"[\w+]+://|file:|\.{1,2}(?:/|\[|$)|[^\s;@]*/|.*\.(?:whl|tar\.gz|tar\.bz2|zip)$")


def _is_place(text: str) -> bool:
    """Whether a line names a URL, a directory or an archive instead of a package."""
    place = re.split(r"\s+;|\s+@\s", text)[0].strip()
    return " @ " not in text and _PLACE.match(re.sub(r"\[[^\]/]*\]$", "", place)) is not None


_BRINGS_NOTHING = regex(
    r"""-i | -f | --(?:
      index-url | pypi-url | extra-index-url | no-index | find-links | no-binary | only-binary
    | prefer-binary | require-hashes | hash | pre | trusted-host | use-feature | index-strategy
    | default-index | index | exclude-newer | always-unzip | process-dependency-links
    )(?![\w-])""",
    re.VERBOSE,
)
"""Option lines that say where from and in which form, and name no requirement."""


def joined_lines(lines: Iterable[str]) -> Iterator[str]:
    """Join each line that ends in a backslash to the next; a comment ends a joined line."""
    pending: list[str] = []
    for line in lines:
        is_comment = re.match(r"\s*#", line) is not None
        if line.endswith("\\") and not is_comment:
            pending.append(line[:-1])
            continue
        yield "".join([*pending, " " + line if is_comment else line])
        pending = []
    if pending:
        yield "".join(pending)
