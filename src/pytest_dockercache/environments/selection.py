"""The part of a lock that a command installs: groups, extras and members, by its command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from ..shell.script import Word
from ..values import dataclass

__all__ = [
    "EVERYTHING",
    "LockSelection",
    "conda_lock_selection",
    "pdm_selection",
    "pip_selection",
    "pipenv_selection",
    "pixi_selection",
    "poetry_selection",
    "uv_selection",
]

EVERYTHING = "*"
"""Stands for all groups, all extras or all members (``--all-groups``, ``-G :all``)."""

Removal = Literal["", "unlisted", "unselected"]
"""The packages that a command uninstalls: none, those that its lock lacks, or all unchosen ones."""


@dataclass(frozen=True)
class LockSelection:
    """The part of a lock that one command installs.

    ``groups`` and ``extras`` are installed besides the tool's default groups, ``only`` instead of
    them; ``without`` and ``without_extras`` are left out. ``default_groups`` is False when the
    default groups are left out, ``default`` when the project's own dependencies are. ``dev`` is
    None unless the command line asks for development dependencies or excludes them. ``project``,
    ``members`` and ``local`` say whether the project, the workspace's members and local packages
    are installed; packages in ``left_out`` are not. ``packages`` are the members of a workspace
    that stand for the project. ``environment`` is pixi's. ``removes`` says which packages the
    command uninstalls. ``tool`` is set if a tool reads the groups of a shared lock format in its
    own way (``pdm``). ``unknown`` holds words that only the running container knows: with any of
    them, the part of the lock is not known.
    """

    groups: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    without_extras: tuple[str, ...] = ()
    default_groups: bool = True
    default: bool = True
    dev: bool | None = None
    project: bool = True
    members: bool = True
    local: bool = True
    left_out: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    environment: str = ""
    removes: Removal = ""
    tool: str = ""
    unknown: tuple[str, ...] = ()


class CommandOptions(Protocol):
    """The options of a command line that was taken apart."""

    def values(self, *names: str) -> tuple[Word, ...]:
        """The values of the options of these names, in the order of the command line."""

    def has(self, *names: str) -> bool:
        """Whether the command line has any of these options."""


class _OptionWords:
    """Names that options and variables give; remembers the words that are not known."""

    def __init__(self, options: CommandOptions, variables: Mapping[str, str]) -> None:
        self.options = options
        self.variables = variables
        self.unknown: list[str] = []

    def of(self, *names: str, variable: str = "") -> tuple[str, ...]:
        """The names that options hold, else the variable; split at commas and blanks."""
        words: Sequence[Word] = self.options.values(*names)
        if not words and variable in self.variables:
            words = [Word(self.variables[variable])]
        self.unknown += [word.text or "$(…)" for word in words if not word.known]
        return tuple(
            part for word in words if word.known for part in re.split(r"[,\s]+", word.text) if part
        )

    def is_set(self, *flags: str, variable: str = "") -> bool:
        """Whether the command line has a flag, or the flag's variable is true."""
        return self.options.has(*flags) or _is_true(self.variables.get(variable, ""))


def _is_true(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on", "y", "t")


def _all_or(wanted: bool, names: Iterable[str]) -> tuple[str, ...]:
    return (EVERYTHING,) if wanted else tuple(names)


def uv_selection(options: CommandOptions, variables: Mapping[str, str]) -> LockSelection:
    """The part of ``uv.lock`` that ``uv sync`` or ``uv run`` installs."""
    words = _OptionWords(options, variables)
    without = words.of("--no-group", variable="UV_NO_GROUP")
    if words.is_set("--no-dev", variable="UV_NO_DEV") and not options.has("--dev", "--only-dev"):
        without += ("dev",)
    only = words.of("--only-group") + (("dev",) if options.has("--only-dev") else ())
    return LockSelection(
        groups=_all_or(options.has("--all-groups"), words.of("--group")),
        only=only,
        without=without,
        extras=_all_or(options.has("--all-extras"), words.of("--extra")),
        without_extras=words.of("--no-extra"),
        default_groups=not words.is_set("--no-default-groups", variable="UV_NO_DEFAULT_GROUPS"),
        default=not only,
        project=not only
        and not words.is_set("--no-install-project", variable="UV_NO_INSTALL_PROJECT"),
        members=not words.is_set("--no-install-workspace", variable="UV_NO_INSTALL_WORKSPACE"),
        local=not words.is_set("--no-install-local", variable="UV_NO_INSTALL_LOCAL"),
        left_out=words.of("--no-install-package"),
        packages=_all_or(options.has("--all-packages", "--all"), words.of("--package")),
        removes="" if options.has("--inexact", "--no-exact") else "unselected",
        unknown=tuple(words.unknown),
    )


def poetry_selection(
    options: CommandOptions, variables: Mapping[str, str], action: str
) -> LockSelection:
    """The part of ``poetry.lock`` that ``poetry install``, ``sync`` or ``update`` installs."""
    words = _OptionWords(options, variables)
    without = words.of("--without")
    if options.has("--no-dev"):
        without += ("dev",)
    only = words.of("--only")
    return LockSelection(
        groups=_all_or(options.has("--all-groups"), words.of("--with")),
        only=only,
        without=without,
        extras=_all_or(options.has("--all-extras"), words.of("-E", "--extras")),
        project=not options.has("--no-root"),
        local=not options.has("--no-directory"),
        removes="unselected" if action == "sync" or options.has("--sync") else "",
        unknown=tuple(words.unknown),
    )


def pdm_selection(options: CommandOptions, variables: Mapping[str, str]) -> LockSelection:
    """The part of ``pdm.lock`` that ``pdm install`` or ``pdm sync`` installs."""
    words = _OptionWords(options, variables)
    groups = words.of("-G", "--group", "--with")
    production, dev = options.has("--prod", "--production"), options.has("-d", "--dev")
    removes: Removal = "unlisted" if options.has("--clean") else ""
    return LockSelection(
        groups=tuple(EVERYTHING if group == ":all" else group for group in groups),
        without=words.of("--without"),
        default=not options.has("--no-default"),
        dev=False if production else True if dev else None,
        project=not words.is_set("--no-self", variable="PDM_NO_SELF"),
        removes="unselected" if options.has("--only-keep", "--clean-unselected") else removes,
        tool="pdm",
        unknown=tuple(words.unknown),
    )


def pipenv_selection(options: CommandOptions, variables: Mapping[str, str]) -> LockSelection:
    """The categories of ``Pipfile.lock`` that ``pipenv install`` or ``pipenv sync`` installs."""
    words = _OptionWords(options, variables)
    return LockSelection(
        only=_all_or(options.has("--all"), words.of("--categories")),
        extras=words.of("--extras"),
        dev=words.is_set("-d", "--dev", variable="PIPENV_DEV"),
        removes="unlisted" if options.has("--clean") else "",
        unknown=tuple(words.unknown),
    )


def pixi_selection(options: CommandOptions, variables: Mapping[str, str]) -> LockSelection:
    """The environment of ``pixi.lock`` that ``pixi install`` makes, ``*`` for all of them."""
    words = _OptionWords(options, variables)
    named = words.of("-e", "--environment", variable="PIXI_ENVIRONMENT_NAME")
    return LockSelection(
        environment=EVERYTHING if options.has("-a", "--all") else (named or ("default",))[-1],
        left_out=words.of("--skip"),
        removes="unselected",
        unknown=tuple(words.unknown),
    )


def conda_lock_selection(options: CommandOptions, micromamba: bool) -> LockSelection:
    """The categories of ``conda-lock.yml`` that a command installs.

    ``conda-lock install`` takes ``main`` and ``dev`` unless it is told not to; ``micromamba`` takes
    those of ``--category``, or only ``main`` without that option.
    """
    words = _OptionWords(options, {})
    return LockSelection(
        only=words.of("--category"),
        extras=words.of("-E", "--extras"),
        dev=not micromamba and not options.has("--no-dev"),
        unknown=tuple(words.unknown),
    )


def pip_selection(
    options: CommandOptions, variables: Mapping[str, str], *, sync: bool
) -> LockSelection:
    """The part of a ``pylock.toml`` that ``uv pip`` installs.

    ``sync`` says whether the command uninstalls packages that its files do not have (``uv pip
    sync``). pip itself has no option for a part of ``pylock.toml``: its ``--group`` means the
    groups of ``pyproject.toml``.
    """
    words = _OptionWords(options, variables)
    groups = [group for group in words.of("--group") if ":" not in group]
    return LockSelection(
        groups=_all_or(options.has("--all-groups"), groups),
        extras=_all_or(options.has("--all-extras"), words.of("--extra")),
        removes="unselected" if sync else "",
        unknown=tuple(words.unknown),
    )
