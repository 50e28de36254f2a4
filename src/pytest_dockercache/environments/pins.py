"""The Python that a project's files pin, and the environment that a conda file names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..context.entries import ContextEntry
from ..dockerfile import PlannedStep
from ..errors import ConfigError
from ..regexes import regex
from ..values import dataclass
from .documents import YAML_SUFFIXES, content_of, load_toml, load_yaml, table, yaml_line
from .flow import follow_files
from .match_specs import MatchSpec, parse_package_url, parse_spec, version_matches
from .platforms import subdir
from .selection import EVERYTHING
from .steps import EnvironmentCommand

__all__ = ["PythonPin", "environment_name", "python_pins", "request_files"]


@dataclass(frozen=True)
class PythonPin:
    """A wanted version of Python and where it stands.

    ``spec`` is the version part of a conda match spec, in which a bare
    ``3.10`` means every 3.10 (``==3.10`` is that version alone). ``origin``
    is the file or the option, ``line`` the line in the file (1-based) where
    that is known. ``environment`` is the one of pixi's environments that the pin
    is for, "" for a pin that counts in every environment.
    """

    spec: str
    origin: str
    line: int | None = None
    environment: str = ""

    @property
    def place(self) -> str:
        """The origin for a message, with the line where it is known."""
        return self.origin if self.line is None else f"{self.origin}:{self.line}"

    def fits(self, version: str) -> bool:
        """Whether a version fits the pin: ``3.1`` is no 3.10.

        Raises ConfigError for a pin that cannot be read.
        """
        try:
            bare = re.fullmatch(r"\d+(\.\d+)*", self.spec) is not None
            return version_matches(f"={self.spec}" if bare else self.spec, version)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: python is pinned to {self.spec!r}: {error}") from None


def environment_name(path: Path) -> str:
    """The ``name:`` of a conda environment file, "" for a file without one.

    Raises ConfigError for a file that cannot be read or parsed.
    """
    if path.suffix.lower() not in YAML_SUFFIXES:
        return ""
    document = load_yaml(content_of(path), path)
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def python_pins(
    path: Path,
    *,
    platform: str = "linux/amd64",
    specs: bool = False,
    environments: Sequence[str] = ("default",),
) -> tuple[PythonPin, ...]:
    """Every pin of Python in a file that counts on a platform; none if it pins none.

    Of pixi's files those pins count that are for one of ``environments`` (:data:`EVERYTHING`: for
    any environment), and each pin names its own.

    Understood are conda environment files, ``@EXPLICIT`` lists, lists of match
    specs (with ``specs``), conda-lock's and pixi's files, ``requires-python``
    and Poetry's ``python`` in pyproject.toml, the locks of uv, Poetry, PDM,
    Pipenv and PEP 751, Pipfile, setup.cfg and ``.python-version``. Raises
    ConfigError, with the place, for a file that cannot be read or parsed.
    """
    origin = str(path)
    content = content_of(path)
    found = [PythonPin(spec, origin, line) for spec, line in _found(path, content, platform, specs)]
    pixi = _of_pixi(path, content)
    known = ("default", *filter("default".__ne__, table(pixi, "environments"))) if pixi else ()
    for name in known if EVERYTHING in environments else environments:
        read = _in_pixi_lock if path.name.lower() == "pixi.lock" else _in_pixi
        found += [
            PythonPin(spec, origin, line, name) for spec, line in read(pixi, subdir(platform), name)
        ]
    return tuple(pin for pin in found if pin.spec not in ("", "*"))


def request_files(
    plan: Sequence[PlannedStep],
    entries: Iterable[ContextEntry],
    commands: Sequence[EnvironmentCommand],
) -> dict[str, tuple[int, ...]]:
    """The ``.python-version`` files of the context that uv finds, with the lines of its steps.

    uv looks in its working directory and in the directories above it.
    """
    lines = {command.line for command in commands if command.tool.split()[:1] == ["uv"]}
    if not lines:
        return {}
    found: dict[str, tuple[int, ...]] = {}
    views, _ = follow_files(plan, {entry.path: entry for entry in entries})
    for view in views.values():
        if view.step.line in lines and view.step.instruction.keyword == "RUN":
            directory = PurePosixPath(view.step.workdir)
            for place in (directory, *directory.parents):
                there = str(place / ".python-version")
                origin = view.own.at.get(there) or view.before.at.get(there)
                if origin is not None:
                    found[origin] = (*found.get(origin, ()), view.step.line)
                    break
    return found


_Found = Iterator[tuple[str, "int | None"]]


def _of_pixi(path: Path, content: bytes) -> Mapping[str, Any]:
    """The tables of pixi's in a file of its own, or in pyproject.toml; empty for other files."""
    name = path.name.lower()
    if name == "pixi.lock":
        document = load_yaml(content, path)
        return document if isinstance(document, dict) else {}
    if name == "pixi.toml":
        return load_toml(content, path)
    return table(load_toml(content, path), "tool", "pixi") if name == "pyproject.toml" else {}


def _found(path: Path, content: bytes, platform: str, specs: bool) -> _Found:
    name = path.name.lower()
    text = content.decode("utf-8-sig", "replace")
    if name in ("pixi.lock", "pixi.toml"):
        return iter(())
    if path.suffix.lower() in YAML_SUFFIXES:
        return _in_yaml(load_yaml(content, path), content, path, platform)
    if name == ".python-version":
        return _in_version_file(text)
    if name == "pipfile.lock":
        return _in_json(text, path)
    if name in ("pipfile", "uv.lock", "poetry.lock", "pdm.lock") or path.suffix == ".toml":
        return _in_toml(load_toml(content, path), name)
    if name == "setup.cfg":
        return _in_setup_cfg(text, path)
    if re.search(r"^@EXPLICIT\s*$", text, re.MULTILINE) or specs:
        return _in_list(text, path)
    return iter(())


# --- conda's files ------------------------------------------------------------------------------


def _version(spec: MatchSpec) -> str:
    """The version part of a match spec as a pin has it: ``3.10`` for ``3.10.*``."""
    if re.fullmatch(r"\d+(\.\d+)*\.\*", spec.version):
        return spec.version[:-2]
    return f"=={spec.version}" if re.fullmatch(r"\d[\w.!+]*", spec.version) else spec.version


_PYTHON = regex(r"(?:^\s*|::|/)python(?=[\s=<>!~\[(-]|$)", re.IGNORECASE)


def _spec(text: str, path: Path, line: int | None) -> MatchSpec | None:
    """The match spec if it is a spec for ``python``, else None."""
    if not _PYTHON.search(text):
        return None
    try:
        spec = parse_spec(text)
    except ConfigError as error:
        raise ConfigError(f"{path}{f':{line}' if line else ''}: {error}") from None
    return spec if spec.name == "python" else None


def _in_yaml(document: Any, content: bytes, path: Path, platform: str) -> _Found:
    if not isinstance(document, dict):
        return
    for number, item in enumerate(_list(document.get("dependencies"))):
        if isinstance(item, str) and _PYTHON.search(item):
            line = yaml_line(content, ("dependencies", number))
            if (spec := _spec(item, path, line)) is not None:
                yield _version(spec), line
    for number, item in enumerate(_list(document.get("package"))):  # conda-lock's
        if not isinstance(item, dict) or item.get("manager") == "pip":
            continue
        here = item.get("platform") in (None, subdir(platform))
        if item.get("name") == "python" and here and item.get("version") is not None:
            yield f"=={item['version']}", yaml_line(content, ("package", number))


def _in_pixi_lock(document: Mapping[str, Any], wanted: str, environment: str) -> _Found:
    chosen = table(document, "environments", environment)
    for item in _list(table(chosen, "packages").get(wanted)):
        url = item.get("conda") if isinstance(item, dict) else None
        if isinstance(url, str) and re.search(r"/python-[^/-]+-[^/-]+\.(conda|tar\.bz2)$", url):
            yield f"=={parse_package_url(url).version}", None


def _in_list(text: str, path: Path) -> _Found:
    """Of a list of match specs or of URLs, one a line."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith(("#", "@")):
            spec = _spec(line, path, number)
            if spec is not None:
                yield _version(spec), number


# --- everybody else's ---------------------------------------------------------------------------


def _in_version_file(text: str) -> _Found:
    """Of the first line, which pyenv and uv take: a version, a range, or uv's request."""
    for number, line in enumerate(text.splitlines(), 1):
        request = line.partition("#")[0].strip()
        if request:
            if (spec := _request(request)) is not None:
                yield spec, number
            return


def _request(text: str) -> str | None:
    """The version of Python that a word means to uv or pyenv, None for a word without a version.

    ``3.10``, ``>=3.10,<3.11``, ``cpython@3.10``, ``pypy3.10-7.3.12``,
    ``cpython-3.10.4-linux-x86_64-gnu``, ``3.13t``, ``cp310``.
    """
    text = re.sub(r"^(cpython|python|cp|pypy|pp)[@-]?(?=[\d<>=!~])", "", text.lower())
    if text[:1] in "<>=!~":
        return _match_spec(text)
    if found := re.fullmatch(r"3(\d{1,2})(t?)", text):
        return f"3.{found[1]}"
    found = re.fullmatch(r"(\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?)(?:t|-dev|\+\w+)*(?:-.*)?", text)
    return found[1] if found else None


def _in_json(text: str, path: Path) -> _Found:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: invalid JSON: {error}; correct the file") from None
    yield from _required(table(document, "_meta", "requires"))


def _required(requires: Mapping[str, Any]) -> _Found:
    """The Python that a Pipfile requires: ``python_full_version``, else ``python_version``."""
    for key in ("python_full_version", "python_version"):
        if isinstance(requires.get(key), str):
            yield requires[key], None
            return


def _in_setup_cfg(text: str, path: Path) -> _Found:
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except Error as error:
        raise ConfigError(f"{path}: {error}; correct the file") from None
    wanted = parser.get("options", "python_requires", fallback="")
    if wanted:
        yield _match_spec(wanted), None


def _in_toml(document: Mapping[str, Any], name: str) -> _Found:
    if name == "pipfile":
        yield from _required(table(document, "requires"))
        return
    places: list[Any] = [
        table(document, "project").get("requires-python"),
        document.get("requires-python") if name != "pyproject.toml" else None,
        table(document, "metadata").get("python-versions"),
    ]
    if name == "pyproject.toml":
        python = table(document, "tool", "poetry", "dependencies").get("python")
        places += python if isinstance(python, list) else [python]
    targets = _list(table(document, "metadata").get("targets"))  # pdm.lock's
    alternatives = [table(target).get("requires_python") for target in targets]
    if alternatives and all(alternatives):
        places.append(" || ".join(str(item) for item in alternatives))
    for value in places:
        if isinstance(value, dict):
            value = value.get("version")
        if isinstance(value, str) and value.strip():
            yield _match_spec(value), None


def _in_pixi(document: Mapping[str, Any], wanted: str, environment: str) -> _Found:
    """The pins of one environment of pixi's: those of its features, the nameless one included."""
    made = table(document, "environments").get(environment)
    features = made if isinstance(made, list) else table(made).get("features")
    named = [table(document, "feature", str(name)) for name in _list(features)]
    alone = isinstance(made, dict) and made.get("no-default-feature") is True
    for part in (*(() if alone else (document,)), *named):
        targets = table(part, "target")
        here = [targets.get(name) for name in (wanted, wanted.partition("-")[0], "unix")]
        for place in (part, *here):
            value = table(place, "dependencies").get("python")
            if isinstance(value, dict):
                value = value.get("version")
            if isinstance(value, str) and value.strip():
                yield _match_spec(value), None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _match_spec(pin: str) -> str:
    """A constraint of PEP 440, Poetry or pixi as the version part of a match spec.

    Poetry separates alternatives by ``||``, and conditions by a comma or a
    blank; a blank before anything else stands before pixi's build.
    """
    pin = re.sub(r"([=<>!~^])\s+", r"\1", pin)
    choices = []
    for choice in re.split(r"\|+", pin):
        parts = re.split(r"\s*,\s*|\s+(?=[=<>!~^])", choice.strip().strip(","))
        choices.append(",".join(_condition(part.split()[0]) for part in parts if part.strip()))
    return "|".join(choices)


def _condition(part: str) -> str:
    """A condition of Poetry's or pip's in conda's grammar.

    ``^3.10`` becomes ``>=3.10,<4``, ``~3.10`` becomes ``>=3.10,<3.11``, ``===`` becomes ``==``, and
    a lone ``=3.10`` becomes ``3.10``; other conditions are unchanged.
    """
    part = re.sub(r"^===", "==", part)
    part = re.sub(r"^=(?!=)", "", part)
    found = re.fullmatch(r"([\^~])(\d+)(?:\.(\d+))?(?:\.\d+)*", part)
    if found is None:
        return part
    operator, major, minor = found.groups()
    last = f"{major}.{int(minor) + 1}" if operator == "~" and minor else int(major) + 1
    return f">={part[1:]},<{last}"
