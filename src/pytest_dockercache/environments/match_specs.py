"""conda's version order and match specs, as far as environment files use them.

Written from conda's own rules (``conda.models.version``, ``match_spec``):
py-rattler would do it, at the price of a compiled dependency for every user.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ..errors import ConfigError

__all__ = ["MatchSpec", "compare", "parse_spec", "version_matches"]

_Part = int | float | str
_Version = list[list[_Part]]


def _split(version: str) -> tuple[_Version, _Version]:
    text = version.strip().lower()
    if not re.fullmatch(r"[\*\.\+!_0-9a-z-]+", text):
        raise ConfigError(f"{version!r} is not a version that conda knows")
    if "-" in text and "_" not in text:
        text = text.replace("-", "_")
    epoch, bang, rest = text.rpartition("!")
    main, _, local = rest.partition("+")
    parts = [epoch if bang else "0", *re.split(r"[._]", main.rstrip("_") or "0")]
    if main.endswith("_"):
        # openssl's convention: 1.1_ comes before 1.1a.
        parts[-1] += "_"
    return [_components(part) for part in parts], [
        _components(part) for part in re.split(r"[._]", local) if local
    ]


def _components(text: str) -> list[_Part]:
    found: list[_Part] = []
    for piece in re.findall(r"[0-9]+|[*a-z]+|_|-", text) or ["0"]:
        if piece.isdigit():
            found.append(int(piece))
        elif piece == "post":
            found.append(float("inf"))
        elif piece == "dev":
            found.append("DEV")
        else:
            found.append(piece)
    # conda: a component that begins with letters has a 0 before them.
    return found if isinstance(found[0], int) else [0, *found]


def _order(one: _Version, other: _Version) -> int:
    for left, right in zip_longest(one, other, fillvalue=[0]):
        for a, b in zip_longest(left, right, fillvalue=0):
            if a == b:
                continue
            if isinstance(a, str):
                if not isinstance(b, str):
                    return -1
                return -1 if a < b else 1
            if isinstance(b, str):
                return 1
            return -1 if a < b else 1
    return 0


def compare(one: str, other: str) -> int:
    """Negative, 0 or positive as conda orders two versions. Raises ConfigError for a bad one."""
    first, second = _split(one), _split(other)
    return _order(first[0], second[0]) or _order(first[1], second[1])


def _starts_with(version: str, prefix: str) -> bool:
    (whole, _), (head, _) = _split(version), _split(prefix)
    if len(head) > len(whole):
        whole = whole + [[0]] * (len(head) - len(whole))
    if any(_order([a], [b]) for a, b in zip(whole, head[:-1], strict=False)):
        return False
    last, wanted = whole[len(head) - 1], head[-1]
    for position, part in enumerate(wanted):
        got = last[position] if position < len(last) else 0
        if isinstance(part, str) and isinstance(got, str) and position == len(wanted) - 1:
            if not got.startswith(part):
                return False
        elif got != part:
            return False
    return True


def version_matches(spec: str, version: str) -> bool:
    """Whether a version satisfies the version part of a match spec.

    ``,`` is "and", ``|`` is "or", ``,`` binds closer. ``1.2`` is exact,
    ``1.2.*``, ``1.2*`` and ``=1.2`` are everything that begins with 1.2:
    3.1.* does not match 3.10. Raises ConfigError for what cannot be read.
    """
    if "(" in spec or ")" in spec:
        raise ConfigError(f"parentheses in the version spec {spec!r} are not understood")
    return any(
        all(_condition(part.strip(), version, spec) for part in choice.split(","))
        for choice in spec.split("|")
    )


def _condition(part: str, version: str, spec: str) -> bool:
    if part in ("", "*"):
        if not part:
            raise ConfigError(f"the version spec {spec!r} has an empty part")
        return True
    if part.startswith("^") or part.endswith("$"):
        return re.match(part, version) is not None
    found = re.fullmatch(r"(==|!=|<=|>=|~=|=|<|>)?\s*([^\s<>=!~][^\s<>=~]*)", part)
    if found is None:
        raise ConfigError(f"the version spec {spec!r} is not understood")
    operator, wanted = found[1] or "", found[2]
    open_ended = wanted.endswith("*")
    stem = re.sub(r"\.?\*$", "", wanted)
    if "*" in stem:
        if operator not in ("", "=", "=="):
            raise ConfigError(f"the version spec {spec!r} is not understood")
        return fnmatch.fnmatchcase(version, wanted)
    if not stem:
        return operator != "!="
    if operator in ("", "==") and not open_ended:
        return compare(version, wanted) == 0
    if operator in ("", "=", "=="):
        return _starts_with(version, stem)
    if operator == "!=":
        return not _starts_with(version, stem) if open_ended else compare(version, stem) != 0
    if operator == "~=":
        head, dot, _ = stem.rpartition(".")
        return compare(version, stem) >= 0 and (not dot or _starts_with(version, head))
    order = compare(version, stem)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]


@dataclass(frozen=True)
class MatchSpec:
    """A conda match spec: what it asks of a package's name, version, build and channel.

    ``version`` and ``build`` are "" where anything will do; ``text`` is the
    spec as it was written.
    """

    name: str
    version: str = ""
    build: str = ""
    channel: str = ""
    text: str = ""

    @property
    def exact(self) -> bool:
        """Whether it names one version and one build."""
        plain = not re.search(r"[<>!~|,*^]", self.version + self.build)
        return bool(self.version and self.build) and plain

    def matches(self, version: str, build: str = "", channel: str = "") -> bool:
        """Whether a package of this name fits; a channel that is not known fits."""
        if self.version and not version_matches(self.version, version):
            return False
        if self.build and not _glob(self.build, build):
            return False
        return not (self.channel and channel) or same_channel(self.channel, channel)


def _glob(pattern: str, text: str) -> bool:
    if pattern.startswith("^"):
        return re.match(pattern, text) is not None
    return fnmatch.fnmatchcase(text, pattern)


def same_channel(wanted: str, found: str) -> bool:
    """Whether a channel's name and the URL or name in a record are the same channel."""
    return _channel(wanted) == _channel(found) or _channel(found).endswith("/" + _channel(wanted))


def _channel(text: str) -> str:
    text = text.rstrip("/")
    last = text.rpartition("/")[2]
    if last == "noarch" or re.fullmatch(r"(linux|osx|win)-\w+", last):
        text = text.rpartition("/")[0]
    if found := re.fullmatch(
        r"https?://(?:conda\.anaconda\.org|repo\.anaconda\.com/pkgs)/(.+)", text
    ):
        text = found[1]
    # The packages of "defaults" come from its parts.
    return "defaults" if text in ("main", "r", "msys2", "pkgs/main", "pkgs/r") else text


def parse_spec(text: str) -> MatchSpec:
    """Read a match spec.

    ``numpy``, ``numpy=1.26``, ``numpy 1.26.* py310*``, ``conda-forge::numpy``,
    ``numpy[version='>=1.26', build=py310*]``, or the URL of a package.

    Raises ConfigError for what is none.
    """
    written = text
    text = re.sub(r"\s+#.*$", "", text.strip())
    if "://" in text.partition("::")[0] and re.search(r"\.(conda|tar\.bz2)(#|$)", text):
        return parse_package_url(text)
    brackets: dict[str, str] = {}
    if found := re.search(r"\[(.*)\]\s*$", text):
        text = text[: found.start()].strip()
        for item in re.finditer(r"(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\s]+))", found[1]):
            brackets[item[1]] = next(value for value in item.groups()[1:] if value is not None)
    channel = ""
    if "::" in text:
        channel, _, text = text.rpartition("::")
        if "//" not in channel:
            # channel:namespace::name
            channel = channel.partition(":")[0]
    name_match = re.match(r"[A-Za-z0-9_.*-]+", text)
    if name_match is None:
        raise ConfigError(f"{written!r} is not a conda match spec")
    name, rest = name_match[0].lower(), text[name_match.end() :].strip()
    version, build = _version_and_build(rest, written)
    return MatchSpec(
        name=name,
        version=brackets.get("version", version),
        build=brackets.get("build", build),
        channel=brackets.get("channel", channel),
        text=written.strip(),
    )


def _version_and_build(rest: str, written: str) -> tuple[str, str]:
    if not rest:
        return "", ""
    tight = re.sub(r"\s*(==|!=|<=|>=|~=|,|\||<|>)\s*", r"\1", rest)
    # "name=1.2=build" and "name ==1.2 build": with a build the version is exact.
    found = re.fullmatch(r"(=?=?)\s*([^\s=<>!~,|]+)\s*(?:=|\s)\s*([^\s=]+)", tight)
    if found:
        return _with_build(found[2], found[3])
    if " " in tight:
        head, _, build = tight.rpartition(" ")
        return head.replace(" ", ""), build
    if re.fullmatch(r"=[^=].*", tight) and not re.search(r"[,|]", tight):
        version = tight[1:].strip()
        return (version if version.endswith("*") else version + ".*"), ""
    if tight.startswith("==") and not re.search(r"[,|]", tight):
        return tight[2:], ""
    if not re.match(r"[=<>!~^*0-9a-zA-Z]", tight):
        raise ConfigError(f"{written!r} is not a conda match spec")
    return tight, ""


def _with_build(version: str, build: str) -> tuple[str, str]:
    return ("" if version == "*" else version), ("" if build == "*" else build)


def parse_package_url(text: str) -> MatchSpec:
    """Read the URL or file name of a conda package: ``…/linux-64/numpy-1.26.4-py310h_0.conda``."""
    address, _, _ = text.partition("#")
    head, _, file = address.rpartition("/")
    stem = re.sub(r"\.(conda|tar\.bz2)$", "", file)
    parts = stem.rsplit("-", 2)
    if stem == file or len(parts) != 3:
        raise ConfigError(f"{text!r} is not the URL of a conda package")
    return MatchSpec(parts[0].lower(), parts[1], parts[2], head, text)


def any_match(specs: Sequence[MatchSpec], version: str, build: str = "") -> bool:
    """Whether every one of several specs of one package fits."""
    return all(spec.matches(version, build) for spec in specs)
