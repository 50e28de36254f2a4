"""The wanted packages: environment files, requirement files and locks as values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError
from ..values import dataclass
from .documents import load_yaml, not_understood, yaml_line
from .match_specs import MatchSpec, parse_package_url, parse_spec
from .requirement_files import file_text, requirement_lines
from .tools.conda import is_explicit

if TYPE_CHECKING:
    from .markers import Machine
    from .selection import LockSelection

__all__ = ["Requirements", "in_turn", "parse_requirements", "read_requirements"]

Kind = Literal["environment", "export", "explicit", "conda-lock", "pip", "lock"]
"""The form of a file: images satisfy ``environment`` and ``pip``, and equal the other forms."""


@dataclass(frozen=True)
class Requirements:
    """The requests of a file.

    ``conda`` are match specs, ``pip`` requirement lines as PEP 508 has them, ``unverified`` the
    entries that installed metadata cannot confirm (URLs, local projects, option lines). A lock
    (``exact``) also says that nothing else is installed: ``optional`` names the packages that the
    lock allows without demanding them; ``managers`` are the package managers whose packages the
    file lists.

    ``digests`` are those of conda's packages; ``alternatives`` are, by the name of a distribution
    of pip's, the digests and commits of which it has one. ``removes`` says whether the command
    uninstalls packages that the file does not have, None where the file's form decides. ``choose``
    makes the requirements for a given Python, for a lock whose packages depend on the image's
    Python.
    """

    source: str
    kind: Kind
    conda: tuple[MatchSpec, ...] = ()
    pip: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    name: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, frozenset[str]] = field(default_factory=dict)
    removes: bool | None = None
    choose: Callable[[Machine], Requirements] | None = None

    def on(self, machine: Machine) -> Requirements:
        """The requirements for a Python and a platform: themselves, unless a lock has to choose.

        Raises Unverifiable where too little is known to choose.
        """
        if self.choose is None:
            return self
        found = self.choose(machine)
        return found if self.removes is not False else replace(found, removes=False)

    @property
    def exact(self) -> bool:
        """Whether an installed package that the file does not name is an error."""
        if self.removes is not None:
            return self.removes
        return self.kind in ("export", "explicit", "conda-lock")

    @property
    def managers(self) -> tuple[str, ...]:
        """The package managers whose packages an exact file lists completely."""
        if self.kind == "explicit":
            return ("conda",)
        # uv, poetry, pdm and pip-sync leave what conda installed to conda.
        pip_only = not self.conda and (self.kind == "lock" or self.removes is not None)
        return ("pip",) if pip_only else ("conda", "pip")


def in_turn(wanted: Sequence[Requirements]) -> Requirements:
    """The result of several commands that install into one environment, the last command last.

    A command that uninstalls all packages that its file does not have undoes the earlier commands.
    """
    if len(wanted) == 1:
        return wanted[0]

    def choose(machine: Machine) -> Requirements:
        first, *others = (item.on(machine) for item in wanted)
        found = first
        for item in others:
            found = item if item.removes else _added(found, item)
        return found

    return replace(wanted[-1], choose=choose)


def _added(before: Requirements, item: Requirements) -> Requirements:
    """The requirements of two commands, the second of which only adds to the first."""
    pip = {line.partition(";")[0].strip(): line for line in (*before.pip, *item.pip)}
    return replace(
        before,
        conda=tuple(dict.fromkeys((*before.conda, *item.conda))),
        pip=tuple(pip.values()),
        unverified=tuple(dict.fromkeys((*before.unverified, *item.unverified))),
        optional=before.optional | item.optional,
        digests={**before.digests, **item.digests},
        alternatives={**before.alternatives, **item.alternatives},
    )


def read_requirements(
    path: Path,
    *,
    platform: str = "linux/amd64",
    specs: bool = False,
    selection: LockSelection | None = None,
    context: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Requirements:
    """Read ``environment.yml``, the output of ``conda env export``, an ``@EXPLICIT`` list, a lock,
    or a plain list: requirements of pip, with ``specs`` conda's match specs.

    ``platform`` is the image's: some locks have one list per platform. ``selection`` is the part of
    a lock that a command installs. ``context`` is the build context, which included files must not
    leave; ``variables`` are those of the step that reads the file. Raises ConfigError, with the
    position, for a text that cannot be read, and Unverifiable where an included file is missing.
    """
    return parse_requirements(
        file_text(path),
        path,
        platform=platform,
        specs=specs,
        selection=selection,
        context=context,
        variables=variables,
    )


def parse_requirements(
    text: str,
    path: Path,
    *,
    platform: str = "linux/amd64",
    specs: bool = False,
    selection: LockSelection | None = None,
    context: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Requirements:
    """Read a text as :func:`read_requirements` does; ``-r`` lines are relative to ``path``."""
    from . import locks
    from .locks import conda_lock, pixi

    if (form := locks.format_of(path)) is not None:
        return locks.lock_requirements(text, path, form, selection)
    if is_explicit(text):
        return _parse_explicit(text, path)
    is_yaml = path.suffix.lower() in (".yml", ".yaml") or path.name.lower() == "pixi.lock"
    if not is_yaml and specs:
        lines = enumerate((re.sub(r"(^|\s)#.*$", "", line) for line in text.splitlines()), 1)
        listed = tuple(_spec(line, path, number) for number, line in lines if line.strip())
        return Requirements(str(path), "environment", listed)
    if not is_yaml:
        found = requirement_lines(
            text.splitlines(), path.parent, str(path), context=context, variables=variables
        )
        removes = True if selection is not None and selection.removes else None
        return Requirements(
            str(path),
            "pip",
            pip=found.pip,
            unverified=found.unverified,
            optional=frozenset(_SEEDS if removes else ()),
            alternatives=found.hashes,
            removes=removes,
        )
    document = _load(text, path)
    if path.name.lower() == "pixi.lock":
        return pixi.resolve(document, selection or pixi.DEFAULT, platform, str(path))
    if isinstance(document.get("package"), list):
        return conda_lock.resolve(document, selection, platform, str(path))
    return _parse_environment(document, path, text, context)


_SEEDS = ("pip", "setuptools", "wheel", "uv")
"""Packages that ``uv pip sync`` leaves where another tool made the environment."""


def _load(text: str, path: Path) -> dict[str, Any]:
    document = load_yaml(text, path)
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no environment file: a mapping with dependencies: is needed")
    return document


def _parse_environment(
    document: Mapping[str, Any], path: Path, text: str, context: Path | None
) -> Requirements:
    dependencies = document.get("dependencies")
    if not isinstance(dependencies, list):
        raise ConfigError(f"{path} has no list of dependencies:")
    specs: list[MatchSpec] = []
    pip: list[str] = []
    for number, item in enumerate(dependencies):
        if isinstance(item, str):
            try:
                specs.append(parse_spec(item))
            except ConfigError:
                specs.append(_spec(item, path, yaml_line(text, ("dependencies", number))))
        elif isinstance(item, dict) and list(item) == ["pip"] and isinstance(item["pip"], list):
            pip.extend(str(line) for line in item["pip"])
        elif item is not None:
            raise ConfigError(not_understood(path, "dependency", item))
    specs = [spec for spec in specs if not spec.name.startswith("__")]
    # conda env export writes the prefix, and without --no-builds a build for every package.
    exported = all(spec.exact for spec in specs) or (
        bool(document.get("prefix")) and all(spec.plain for spec in specs)
    )
    exported = exported and bool(specs)
    found = requirement_lines(pip, path.parent, str(path), context=context)
    return Requirements(
        str(path),
        "export" if exported else "environment",
        tuple(specs),
        found.pip,
        found.unverified,
        name=str(document.get("name") or ""),
    )


def _spec(text: str, path: Path, line: int | None) -> MatchSpec:
    """A match spec of a file. Raises ConfigError with the place of a text that is no match spec."""
    try:
        return parse_spec(text)
    except ConfigError as error:
        raise ConfigError(f"{path}{f':{line}' if line else ''}: {error}") from None


def _parse_explicit(text: str, path: Path) -> Requirements:
    specs: list[MatchSpec] = []
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "@")):
            continue
        try:
            spec = parse_package_url(line)
        except ConfigError as error:
            raise ConfigError(f"{path}:{number}: {error}") from None
        specs.append(spec)
        _, _, digest = line.partition("#")
        if digest:
            kind = "sha256:" if len(digest.removeprefix("sha256:")) == 64 else "md5:"
            digests[spec.name] = kind + digest.removeprefix("sha256:").lower()
    return Requirements(str(path), "explicit", tuple(specs), digests=digests)
