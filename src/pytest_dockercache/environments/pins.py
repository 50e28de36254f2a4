"""What an environment file says: whether it can be read at all, and which Python it pins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError

__all__ = ["check_environment_file", "environment_name", "load_yaml", "python_pin"]

_YAML = (".yml", ".yaml")


def check_environment_file(path: Path) -> None:
    """Refuse an environment file that its tool could not read.

    YAML files (``environment.yml``, ``conda-lock.yml``) must parse with safe
    tags only; others need only be readable. Raises ConfigError with line and
    column (1-based).
    """
    content = _content(path)
    if path.suffix.lower() in _YAML:
        load_yaml(content, path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"environment file {path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"environment file {path}: cannot be read: {error.strerror}") from error


def load_yaml(content: bytes | str, path: Path) -> Any:
    """The plain values of a YAML file; ``path`` names it in messages.

    Raises ConfigError with line and column (1-based) for what is no YAML, and
    for a tag that would make anything but a plain value (``!!python/…``).
    """
    import yaml

    try:
        return yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        problem = str(error.problem or error.context or error).strip()
        if "could not determine a constructor for the tag" in problem:
            tag = problem.rpartition("tag ")[2]
            raise ConfigError(
                f"{path}{place}: the YAML tag {tag} is refused: an environment file holds "
                "plain values only; remove the tag"
            ) from None
        raise ConfigError(
            f"{path}{place}: invalid YAML: {problem}; correct the file at this place"
        ) from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(
            f"{path}:{_place(content, error.position, error.encoding)}: invalid YAML: "
            f"{error.reason}; correct the file at this place"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "cannot be parsed"
        raise ConfigError(f"{path}: invalid YAML: {first}; correct the file") from None


def _place(content: bytes | str, position: int, encoding: str) -> str:
    """Line and column of the ``position`` that PyYAML's reader stumbled at.

    It counts characters, and bytes where ``encoding`` could not decode them.
    """
    if isinstance(content, bytes):
        content = content.decode("utf-8" if encoding == "unicode" else "latin-1", "replace")
    before = content[:position]
    return f"{before.count(chr(10)) + 1}:{position - before.rfind(chr(10))}"


def environment_name(path: Path) -> str:
    """The ``name:`` of a conda environment file, "" for a file without one.

    Raises ConfigError for a file that cannot be read or parsed.
    """
    if path.suffix.lower() not in _YAML:
        return ""
    document = load_yaml(_content(path), path)
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def python_pin(path: Path) -> str | None:
    """The version part of the file's ``python`` pin as a match spec, None if it pins none.

    ``3.10`` (of ``python=3.10``), ``==3.10.4``, ``>=3.10,<3.11``, ``3.10.*``.
    Understood are conda environment files, pixi.toml, ``requires-python`` of
    pyproject.toml, Pipfile and ``.python-version``; other files pin nothing.
    Raises ConfigError for a file that cannot be read or parsed.
    """
    name = path.name.lower()
    if path.suffix.lower() in _YAML:
        return _conda_pin(load_yaml(_content(path), path))
    if name == ".python-version":
        return _version_file_pin(_content(path).decode("utf-8", "replace"))
    if name in ("pixi.toml", "pyproject.toml", "pipfile"):
        return _toml_pin(_content(path).decode("utf-8", "replace"))
    return None


def _conda_pin(document: Any) -> str | None:
    if not isinstance(document, dict):
        return None
    for key in ("dependencies", "package"):
        listed = document.get(key)
        if not isinstance(listed, list):
            continue
        for item in listed:
            if isinstance(item, str):
                pin = _spec_pin(item)
                if pin is not None:
                    return pin
            elif isinstance(item, dict) and item.get("name") == "python" and "version" in item:
                return f"=={item['version']}"  # conda-lock's list of packages
    return None


_SPEC = re.compile(
    r"""^\s*(?:[^\s:\[]+(?:\[[^\]]*\])?::(?::)?)?   # channel/subdir::
    python\s*
    (?P<rest>(?:[\s=<>!~\[].*)?)$""",
    re.VERBOSE | re.IGNORECASE,
)


def _spec_pin(spec: str) -> str | None:
    """The version of a conda match spec for python, "" and ``*`` counting as none."""
    found = _SPEC.match(spec.split("#", 1)[0])
    if found is None:
        return None
    rest = found["rest"].strip()
    bracket = re.search(r"\[(.*)\]\s*$", rest)
    if bracket:
        rest = rest[: bracket.start()].strip()
        inner = re.search(r"version\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\]\s]+)", bracket[1])
        if inner:
            rest = inner[1].strip("\"'")
    # "3.10.4 h12debd9_0" and "=3.10.4=h12debd9_0" name a build as well.
    if re.fullmatch(r"={1,2}[^=\s]+=\S+", rest):
        rest = rest.rpartition("=")[0]
    rest = re.sub(r"\s*([,|])\s*", r"\1", rest)
    rest = re.sub(r"([=<>!~])\s+", r"\1", rest)
    words = rest.split()
    version = words[0] if words else ""
    if version.startswith("=") and not version.startswith("=="):
        version = version[1:]
    return version if version not in ("", "*") else None


def _version_file_pin(text: str) -> str | None:
    for line in text.splitlines():
        word = line.split("#", 1)[0].strip().removeprefix("cpython-").removeprefix("python-")
        if re.fullmatch(r"\d+(\.\d+)*", word):
            return word
    return None


def _toml_pin(text: str) -> str | None:
    """``python`` of pixi and Pipfile, ``requires-python``; read by line, tomllib is 3.11's."""
    section = ""
    pins: dict[str, str] = {}
    for line in text.splitlines():
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            section = header[1].replace('"', "").replace(" ", "")
            continue
        assigned = re.match(
            r"""\s*["']?([\w-]+)["']?\s*=\s*(?:\{.*?version\s*=\s*)?["']([^"']*)["']""", line
        )
        if assigned:
            pins.setdefault(f"{section}:{assigned[1]}", assigned[2].strip())
    for key in (
        "dependencies:python",
        "tool.pixi.dependencies:python",
        "requires:python_full_version",
        "requires:python_version",
        "project:requires-python",
        "tool.poetry.dependencies:python",
    ):
        pin = (
            pins.get(key, "").removeprefix("=")
            if not pins.get(key, "").startswith("==")
            else (pins[key])
        )
        if pin and pin != "*":
            return _match_spec(pin)
    return None


def _match_spec(pin: str) -> str:
    """A constraint of PEP 440, Poetry or pixi as the version of a match spec.

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
    """Poetry's ``^3.10`` as ``>=3.10,<4`` and ``~3.10`` as ``>=3.10,<3.11``; all else as it is."""
    found = re.fullmatch(r"([\^~])(\d+)(?:\.(\d+))?(?:\.\d+)*", part)
    if found is None:
        return part
    operator, major, minor = found.groups()
    last = f"{major}.{int(minor) + 1}" if operator == "~" and minor else int(major) + 1
    return f">={part[1:]},<{last}"
