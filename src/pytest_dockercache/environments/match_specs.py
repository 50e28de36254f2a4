"""conda's version order and match specs: the one grammar for every text that names a conda package.

The grammar is written from conda's own rules (``conda.models.version``,
``conda.models.match_spec``) and held against py-rattler in the tests. The
package itself does without py-rattler, a compiled dependency for every user.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from ..errors import ConfigError, Unverifiable
from ..limits import MATCH_SPEC
from ..regexes import regex
from ..values import dataclass

__all__ = ["MatchSpec", "compare", "parse_package_url", "parse_spec", "version_matches"]

_Part = int | float | str
_Version = list[list[_Part]]


@lru_cache(maxsize=4096)
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
    """Whether a version begins with another by components: 3.10 does not begin with 3.1."""
    whole, head = _split(version), _split(prefix)
    if head[1]:
        return _order(whole[0], head[0]) == 0 and _begins(whole[1], head[1])
    return _begins(whole[0], head[0])


def _begins(whole: _Version, head: _Version) -> bool:
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


# --- the version part ---------------------------------------------------------------------------


class _Condition(NamedTuple):
    """One comparison of a version part; ``operator`` is ``glob`` for a star inside the version,
    ``regex`` for a pattern, ``begins`` and ``begins not`` for a star at the end."""

    operator: str
    version: str


class _Any(NamedTuple):
    """Alternatives, of which at least one has to fit."""

    of: tuple[_Tree, ...]


class _All(NamedTuple):
    """Conditions that all have to fit."""

    of: tuple[_Tree, ...]


_Tree = _Condition | _Any | _All


def version_matches(spec: str, version: str) -> bool:
    """Whether a version satisfies the version part of a match spec.

    ``,`` is "and", ``|`` is "or"; ``,`` binds closer than ``|``, parentheses group. ``1.2`` is
    exact; ``1.2.*``, ``1.2*`` and ``=1.2`` match every version that begins with 1.2 (3.1.* does not
    match 3.10). Raises ConfigError for a spec or a version that cannot be read.
    """
    return _fits(_parse_versions(spec), version)


def _fits(tree: _Tree, version: str) -> bool:
    if isinstance(tree, _Any):
        return any(_fits(part, version) for part in tree.of)
    if isinstance(tree, _All):
        return all(_fits(part, version) for part in tree.of)
    return _holds(tree, version)


def _holds(condition: _Condition, version: str) -> bool:
    operator, wanted = condition
    if operator == "any":
        return True
    if operator == "regex":
        return re.match(wanted, version) is not None
    if operator == "glob":
        return fnmatch.fnmatchcase(version.lower(), wanted)
    if operator in ("begins", "begins not"):
        return _starts_with(version, wanted) == (operator == "begins")
    order = compare(version, wanted)
    if operator == "~=":
        head, dot, _ = wanted.rpartition(".")
        # The epoch (1!2.0) is the first component of both.
        begins = (
            _starts_with(version, head)
            if dot
            else _begins(*(_split(v)[0][:1] for v in (version, wanted)))
        )
        return order >= 0 and begins
    return {"==": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0,
            ">": order > 0, ">=": order >= 0}[operator]  # fmt: skip


@lru_cache(maxsize=4096)
def _parse_versions(spec: str) -> _Tree:
    """The version part of a match spec as a tree.

    Raises ConfigError for a text that is no version spec.
    """
    tight = re.sub(r"\s*([()|,])\s*|(?<=[=<>!~])\s+", r"\1", spec.strip())
    tokens = re.findall(r"\^[^$]*\$|[()|,]|[^()|,]+", tight)
    tree, rest = _alternatives(tokens, spec)
    if rest:
        raise ConfigError(f"the version spec {spec!r} is not understood")
    return tree


def _alternatives(tokens: list[str], spec: str) -> tuple[_Tree, list[str]]:
    found = []
    while True:
        together: list[_Tree] = []
        while True:
            tree, tokens = _operand(tokens, spec)
            together.append(tree)
            if tokens[:1] != [","]:
                break
            tokens = tokens[1:]
        found.append(together[0] if len(together) == 1 else _All(tuple(together)))
        if tokens[:1] != ["|"]:
            break
        tokens = tokens[1:]
    return (found[0] if len(found) == 1 else _Any(tuple(found))), tokens


def _operand(tokens: list[str], spec: str) -> tuple[_Tree, list[str]]:
    if not tokens or tokens[0] in ("|", ",", ")"):
        raise ConfigError(f"the version spec {spec!r} has an empty part")
    if tokens[0] != "(":
        return _condition(tokens[0], spec), tokens[1:]
    tree, rest = _alternatives(tokens[1:], spec)
    if rest[:1] != [")"]:
        raise ConfigError(f"the version spec {spec!r} has a parenthesis that is not closed")
    return tree, rest[1:]


def _condition(part: str, spec: str) -> _Condition:
    if part.startswith("^") and part.endswith("$"):
        return _Condition("regex", part)
    found = re.fullmatch(r"(==|!=|<=|>=|~=|=|<|>)?([^\s<>=!~][^\s<>=~]*)", part)
    if found is None:
        raise ConfigError(f"the version spec {spec!r} is not understood")
    operator, wanted = found[1] or "", found[2]
    stem = re.sub(r"\.?\*+$", "", wanted)
    starred = stem != wanted
    if not stem and operator in ("", "=", "==", ">="):
        return _Condition("any", "")
    if "*" in stem:
        if operator not in ("", "=", "=="):
            raise ConfigError(f"the version spec {spec!r} is not understood")
        return _Condition("glob", wanted.lower())
    _split(stem)  # refuses a text that is no version
    if operator == "=" or (starred and operator in ("", "==")):
        return _Condition("begins", stem)
    if starred and operator == "!=":
        return _Condition("begins not", stem)
    # conda ignores the star behind the other operators.
    return _Condition(operator or "==", stem)


# --- the whole spec -----------------------------------------------------------------------------


@dataclass(frozen=True)
class MatchSpec:
    """A conda match spec: conditions on a package's name, version, build and channel.

    ``version`` and ``build`` are "" where every one fits; ``text`` is the spec as it was written.
    ``others`` are the conditions in brackets that an installed package's record cannot decide
    (``license=BSD``).
    """

    name: str
    version: str = ""
    build: str = ""
    channel: str = ""
    text: str = ""
    others: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the spec names one version and one build."""
        return bool(self.version and self.build) and not re.search(
            r"[<>!~|,*^()]", self.version + self.build
        )

    @property
    def plain(self) -> bool:
        """Whether the spec names a version or its beginning, and no range: ``numpy=1.26.4``."""
        return re.fullmatch(r"[\w.!+]+?(\.\*)?", self.version) is not None

    def matches(self, version: str, build: str = "", channel: str = "") -> bool:
        """Whether a package of this name fits; an unknown channel ("") fits."""
        if self.version and not _version_fits(self.version, version):
            return False
        if self.build and not _glob(self.build, build):
            return False
        return not (self.channel and channel) or same_channel(self.channel, channel)


def _version_fits(wanted: str, version: str) -> bool:
    """A version that is not conda's, in a damaged record, satisfies only its own text."""
    try:
        return version_matches(wanted, version)
    except ConfigError:
        return wanted == version


def _glob(pattern: str, text: str) -> bool:
    if pattern.startswith("^"):
        return re.match(pattern, text) is not None
    return fnmatch.fnmatchcase(text, pattern)


def same_channel(wanted: str, found: str) -> bool:
    """Whether a channel's name and the URL or name in a record mean one channel."""
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

    ``numpy``, ``numpy=1.26``, ``numpy = 1.26``, ``numpy 1.26.* py310*``,
    ``numpy (>=1.24,<2)``, ``conda-forge::numpy``,
    ``numpy[version='>=1.26', build=py310*]``, or the URL of a package.

    Raises ConfigError for a text that is no match spec, and Unverifiable for a
    spec that only holds under a condition (``; if …``).
    """
    written = text.strip()
    if len(written) > MATCH_SPEC:
        raise ConfigError(
            f"{written[:60]!r}… is not a conda match spec: it has {len(written):,} characters"
        )
    if "://" in written.partition("::")[0] and re.search(r"\.(conda|tar\.bz2)(#|\s|$)", written):
        return parse_package_url(written)
    text = written.partition("#")[0].strip()
    if re.search(r"[\s;]if\s", text):
        raise _conditional(written)
    text, brackets = _without_brackets(text, written)
    # conda: CHANNEL:NAMESPACE:NAME, of which the namespace is mostly left empty.
    *channels, text = text.rsplit(":", 2)
    # conda.models.match_spec, _NAME_VERSION_RE: the name ends at a blank or an operator.
    found = re.fullmatch(r"([A-Za-z0-9_.*-]+)(?=[\s=<>!~(]|$)(.*)", text.strip(), re.DOTALL)
    if found is None:
        raise _no_spec(written)
    version, build = _version_and_build(found[2], written)
    version = _plain(version, bool(build))
    if "version" in brackets:
        inside = re.sub(r"\s+", "", brackets.pop("version"))
        version = _plain(inside, "build" in brackets)
    build = brackets.pop("build", build)
    if version:
        try:
            _parse_versions(version)
        except ConfigError as error:
            raise _no_spec(written, error.verdict) from None
    channel = channels[0] if len(channels) == 2 else ""
    return MatchSpec(
        name=found[1].lower(),
        version="" if version == "*" else version,
        build="" if build == "*" else build,
        channel=brackets.pop("channel", channel),
        text=written,
        others=tuple(f"{key}={value}" for key, value in sorted(brackets.items())),
    )


def _no_spec(written: str, why: str = "") -> ConfigError:
    return ConfigError(f"{written!r} is not a conda match spec" + (f": {why}" if why else ""))


def _conditional(written: str) -> Unverifiable:
    return Unverifiable(f"whether the condition of {written!r} is met is not known")


_BRACKET_KEYS = frozenset(
    ("version", "build", "channel", "build_number", "subdir", "md5", "sha256", "url", "fn",
     "license", "license_family", "features", "track_features", "namespace", "optional", "extras",
     "flags")
)  # fmt: skip
_BRACKET_ITEM = regex(r"\s*([\w-]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(\[[^\]]*\]|[^,\s\]]+))\s*,?")


def _without_brackets(text: str, written: str) -> tuple[str, dict[str, str]]:
    """A spec without its brackets, and the keys and values in the brackets."""
    section = re.search(r"\[(.*)\]", text, re.DOTALL)
    if section is None:
        if "[" in text:
            raise _no_spec(written, "a bracket is not closed")
        return text, {}
    brackets: dict[str, str] = {}
    position = 0
    while section[1][position:].strip():
        item = _BRACKET_ITEM.match(section[1], position)
        if item is not None and item[1] == "when":
            raise _conditional(written)
        if item is None or item[1] not in _BRACKET_KEYS:
            raise _no_spec(written, f"{section[0]} is not understood")
        brackets[item[1]] = next(value for value in item.groups()[1:] if value is not None)
        position = item.end()
    return (text[: section.start()] + text[section.end() :]).strip(), brackets


_VERSION_AND_BUILD = regex(
    r"""(.+?[^><!,|]?)             # the version does not end in an operator,
    (?:(?<![=!|,<>~])[ =]          # nor does the build's "=" or blank stand behind one
    ([^-=,|<>~()]+?))?$""",
    re.VERBOSE,
)
"""conda.models.match_spec, ``_VERSION_BUILD_RE``; parentheses are no part of a build."""


def _version_and_build(rest: str, written: str) -> tuple[str, str]:
    """The version and the build behind the name, "" for a missing part."""
    text = re.sub(r"(?<=[=<>!~,|(])\s+", "", re.sub(r"\s+", " ", rest.strip()))
    if not text:
        return "", ""
    found = _VERSION_AND_BUILD.fullmatch(text)
    if found is None:
        raise _no_spec(written)
    return found[1].replace(" ", ""), (found[2] or "").strip()


def _plain(version: str, with_build: bool) -> str:
    """``==1.2`` as ``1.2`` and ``=1.2`` as ``1.2.*``; with a build ``=1.2`` is exact as well."""
    found = re.fullmatch(r"(==?)([^=<>!~,|()]+)", version)
    if found is None:
        return version
    operator, bare = found.groups()
    if operator == "==" or with_build or bare.endswith("*"):
        return bare
    return bare + ("*" if "*" in bare else ".*")


def parse_package_url(text: str) -> MatchSpec:
    """Read the URL or file name of a conda package: ``…/linux-64/numpy-1.26.4-py310h_0.conda``."""
    address, _, _ = text.partition("#")
    head, _, file = address.rpartition("/")
    stem = re.sub(r"\.(conda|tar\.bz2)$", "", file)
    parts = stem.rsplit("-", 2)
    if stem == file or len(parts) != 3:
        raise ConfigError(f"{text!r} is not the URL of a conda package")
    return MatchSpec(parts[0].lower(), parts[1], parts[2], head, text)
