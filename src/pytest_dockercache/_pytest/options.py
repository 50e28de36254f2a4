"""Reads options and ini keys into checked values; every mistake names its option and the remedy."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ..checks.settings import DEFAULTS, CheckSettings
from ..engines.registry import require_engine
from ..errors import ConfigError
from ..patterns import why_invalid
from ..project import Settings
from ..values import dataclass

__all__ = ["DockerfileChoice", "ImageChoice", "Options", "ReportChoice", "read_options"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True)
class DockerfileChoice:
    """A Dockerfile that an option names: its absolute path, and the named context and target.

    ``explicit`` is True for the command line: such a Dockerfile is always collected, a Dockerfile
    of the ini file only where nothing else was asked for.
    """

    path: Path
    context: Path | None = None
    target: str | None = None
    explicit: bool = True


@dataclass(frozen=True)
class ImageChoice:
    """An image that is already built: a daemon's tag or ID, or the absolute path of a file.

    ``explicit`` is as for :class:`DockerfileChoice`.
    """

    reference: str
    explicit: bool = True

    @property
    def file(self) -> Path | None:
        """The archive or OCI directory, None for an image of a daemon."""
        from ..image import is_file_reference

        return Path(self.reference) if is_file_reference(self.reference) else None


@dataclass(frozen=True)
class ReportChoice:
    """A report to write at the end: its type, and its absolute path, None for standard output."""

    kind: str
    path: Path | None


@dataclass(frozen=True)
class Baseline:
    """An earlier run: the path of its JSON report, the parsed report, and the growth allowed."""

    path: Path
    document: Mapping[str, Any]
    max_growth: int | None = None


@dataclass(frozen=True)
class Options:
    """Every option, checked.

    ``given`` is True if ``--dockercache`` is on the command line. ``hosted_reports`` is False where
    the unasked reports for a CI host are turned off. ``env_step_given`` is how
    ``settings.env_step`` was given, for messages.
    """

    settings: Settings
    check_settings: CheckSettings = DEFAULTS
    given: bool = True
    strict: bool = False
    keep: bool = False
    skip: frozenset[str] = frozenset()
    reports: tuple[ReportChoice, ...] = ()
    hosted_reports: bool = True
    dockerfiles: tuple[DockerfileChoice, ...] = ()
    images: tuple[ImageChoice, ...] = ()
    env_step_given: str = ""
    base_image: str | None = None
    context: Path | None = None
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    platform: str | None = None
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    fix: Path | None = None
    baseline: Baseline | None = None


@dataclass(frozen=True)
class _Value:
    """One value as it was given, with its origin: an option, or an ini key and its file."""

    text: str
    name: str
    base: Path
    explicit: bool

    def wrong(self, problem: str, remedy: str) -> ConfigError:
        return ConfigError(f"{self.name}={self.text}: {problem}; {remedy}")

    def path(self, text: str | None = None) -> Path:
        given = os.path.expanduser(self.text if text is None else text)
        path = Path(os.path.abspath(self.base / given))
        try:
            os.stat(path)
        except OSError as problem:
            if problem.errno == errno.ENAMETOOLONG:
                raise self.wrong("the path is too long", "name a shorter one") from None
        return path


class _OptionReader:
    """The values of an invocation: the command line first, then the ini file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        ini = config.inipath
        self._ini_base = ini.parent if ini is not None else config.rootpath
        self._ini_name = ini.name if ini is not None else "-o"

    def flag(self, name: str) -> bool:
        _, key = _spelled(name)
        return bool(self._config.getoption(key, None) or self._config.getini(key))

    def values(self, name: str) -> tuple[_Value, ...]:
        option, key = _spelled(name)
        given: Any = self._config.getoption(key, None)
        if given:
            base = self._config.invocation_params.dir
            texts = given if isinstance(given, list) else [given]
            return tuple(_Value(text, option, base, True) for text in texts)
        texts = self._config.getini(key) or []
        texts = texts if isinstance(texts, list) else [texts]
        where = f"{key} ({self._ini_name})"
        return tuple(_Value(text, where, self._ini_base, False) for text in texts)

    def value(self, name: str) -> _Value | None:
        found = self.values(name)
        return found[-1] if found else None

    def text(self, name: str) -> str | None:
        found = self.value(name)
        return found.text if found is not None else None

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(value.text for value in self.values(name))


def read_options(config: pytest.Config, checks: tuple[str, ...]) -> Options:
    """Read and check every option; ``checks`` are the IDs of the checks that exist.

    Raises ConfigError with the option, its value, and what is valid.
    """
    reader = _OptionReader(config)
    hidden = _size(reader.value("max-hidden"))
    settings = Settings(
        engine=_engine(reader.value("engine")),
        builder=reader.text("builder"),
        timeout=_timeout(reader.value("timeout")),
        edit=reader.text("edit"),
        env_step=_pattern(reader.value("env-step")),
        environment=reader.texts("environment"),
        root=config.rootpath,
    )
    check_settings = CheckSettings(
        python=_python(reader.value("python")),
        base_layers="check" if _base_layers(reader.value("base-layers")) else "ignore",
        max_hidden=CheckSettings.max_hidden if hidden is None else hidden,
        max_size=_size(reader.value("max-size")),
        min_saving=_share(reader.value("min-saving")),
        compare=_compared(reader.value("compare")),
        cache_from=_caches(reader.values("cache-from"), "src"),
        cache_to=_caches(reader.values("cache-to"), "dest"),
        buildkit_image=reader.text("buildkit-image"),
        build_log=_build_log(reader.value("build-log"), reader.value("since")),
        since=reader.text("since"),
    )
    images = tuple(_image(value) for value in reader.values("image"))
    context = reader.value("context")
    reports = reader.values("report")
    return Options(
        settings=settings,
        check_settings=check_settings,
        given=bool(config.getoption("dockercache")),
        strict=reader.flag("strict"),
        keep=reader.flag("keep"),
        skip=_skipped(reader.values("skip"), checks),
        reports=_reports(reports),
        hosted_reports=all(value.text.strip() != "none" for value in reports),
        dockerfiles=tuple(_dockerfile(value) for value in reader.values("dockerfile")),
        images=tuple(dict.fromkeys(images)),
        env_step_given=_given(reader.value("env-step")),
        base_image=_base_image(reader.value("base-image"), images),
        context=_directory(context, context.text) if context is not None else None,
        target=reader.text("target"),
        build_args=_build_args(reader.values("build-arg")),
        platform=reader.text("platform"),
        secrets=reader.texts("secret"),
        ssh=reader.texts("ssh"),
        fix=_patch_file(reader.value("fix")),
        baseline=_baseline(reader.value("baseline"), reader.value("max-growth")),
    )


def check_engine(name: str, where: str) -> str:
    """The name of a known engine. Raises a ConfigError that says where the name was given."""
    if name != "auto":
        require_engine(name, where)
    return name


def _engine(value: _Value | None) -> str:
    return "auto" if value is None else check_engine(value.text, f"{value.name}={value.text}")


def _timeout(value: _Value | None) -> float | None:
    if value is None:
        return None
    seconds = _number(value.text)
    if seconds is None or seconds <= 0:
        raise value.wrong("not a number of seconds above 0", "for example 600")
    return seconds


def _share(value: _Value | None) -> float | None:
    if value is None:
        return None
    text = value.text.strip()
    share = _number(text.rstrip("%"))
    if share is not None and text.endswith("%"):
        share /= 100
    if share is None or not 0 <= share <= 1:
        raise value.wrong("not a share between 0 and 1", "for example 0.8 or 80%")
    return share


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _size(value: _Value | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", value.text.strip().lower())
    if found is None:
        raise value.wrong("not a size", "for example 500000, 10MB or 1.5GiB")
    return round(float(found[1]) * _UNITS[found[2] or ""])


def _pattern(value: _Value | None) -> str | None:
    if value is None:
        return None
    if why := why_invalid(value.text):
        raise value.wrong(f"not a regular expression ({why})", "escape it")
    return value.text


def _given(value: _Value | None) -> str:
    return "" if value is None else f"{value.name}={value.text}"


def _python(value: _Value | None) -> str | None:
    if value is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)*((a|b|rc)\d+)?", value.text.strip()):
        raise value.wrong("not a Python version", "for example 3.10 or 3.10.4")
    return value.text.strip()


def _base_layers(value: _Value | None) -> bool:
    if value is None or value.text == "ignore":
        return False
    if value.text != "check":
        raise value.wrong("unknown value", "valid: ignore, check")
    return True


def _skipped(values: tuple[_Value, ...], checks: tuple[str, ...]) -> frozenset[str]:
    skipped = set()
    for value in values:
        for check in filter(None, re.split(r"[,\s]+", value.text)):
            if check not in checks:
                raise value.wrong(f"unknown check {check}", f"valid: {_list(checks)}")
            skipped.add(check)
    return frozenset(skipped)


def _reports(values: tuple[_Value, ...]) -> tuple[ReportChoice, ...]:
    asked = (_report(value) for value in values if value.text.strip() != "none")
    return tuple(dict.fromkeys(asked))


def _report(value: _Value) -> ReportChoice:
    from ..report.writing import TYPES

    kind, colon, path = value.text.partition(":")
    if kind not in TYPES or not path:
        raise value.wrong(
            f"unknown report type {kind}" if colon else "not of the form TYPE:PATH",
            f"valid: {', '.join(f'{name}:PATH' for name in TYPES)}, none",
        )
    if path == "-":
        return ReportChoice(kind, None)
    return ReportChoice(kind, _writable(value, value.path(path)))


def _baseline(value: _Value | None, growth: _Value | None) -> Baseline | None:
    """The earlier run that this one is compared with."""
    if value is None:
        if growth is not None:
            remedy = "name the earlier run with --dockercache-baseline=FILE"
            raise growth.wrong("there is nothing to have grown from", remedy)
        return None
    from ..report.baseline import read_baseline

    path = value.path()
    try:
        return Baseline(path, read_baseline(path), _size(growth))
    except FileNotFoundError:
        raise value.wrong(f"no file {path}", "name the JSON report of an earlier run") from None
    except ConfigError as problem:
        raise value.wrong(problem.verdict, "name the JSON report of an earlier run") from None
    except (OSError, ValueError, RecursionError) as problem:
        said = getattr(problem, "strerror", None) or "it is no JSON report of ours"
        remedy = "name what --dockercache-report=json:FILE has written"
        raise value.wrong(said, remedy) from None


def _patch_file(value: _Value | None) -> Path | None:
    """Where the proven fixes are written."""
    if value is None:
        return None
    if not value.text.strip():
        raise value.wrong("not a file", "name the patch to write")
    return _writable(value, value.path())


def _writable(value: _Value, path: Path) -> Path:
    """The path, if a file can be written there: better said now than after the builds."""
    from ..report.files import require_writable

    try:
        require_writable(path)
    except IsADirectoryError as problem:
        raise value.wrong(str(problem), "name a file") from None
    except OSError as problem:
        said = problem.strerror or str(problem)
        if isinstance(problem, PermissionError):
            said = "no permission to write there"
        raise value.wrong(said, "name a path that can be written") from None
    return path


def _dockerfile(value: _Value) -> DockerfileChoice:
    text, *parts = re.split(r",(?=\w+=)", value.text)
    named: dict[str, str] = {}
    for part in parts:
        key, _, content = part.partition("=")
        if key not in ("context", "target") or key in named or not content:
            raise value.wrong(f"cannot use {part!r}", "valid: PATH[,context=DIR][,target=STAGE]")
        named[key] = content
    path = value.path(text)
    if not text or path.is_dir():
        raise value.wrong(f"{path} is a directory", "name the Dockerfile in it")
    if not path.exists():
        raise value.wrong(f"no file {path}", "name an existing Dockerfile")
    if not path.is_file():
        raise value.wrong(f"{path} is not a file", "name a Dockerfile")
    context = _directory(value, named["context"]) if "context" in named else None
    return DockerfileChoice(path, context, named.get("target"), value.explicit)


def _image(value: _Value) -> ImageChoice:
    """An image of a daemon by its name, or an image in a file on this machine."""
    text = value.text.strip()
    if not text:
        raise value.wrong("not an image", "name a tag, an ID, an archive or an OCI directory")
    from ..image import is_file_reference

    path = value.path(text)
    if not is_file_reference(text) and not (path / "oci-layout").is_file():
        return ImageChoice(text, value.explicit)
    if not path.exists():
        raise value.wrong(f"no file {path}", "name an archive or an OCI directory that exists")
    if path.is_dir() and not (path / "oci-layout").is_file():
        raise value.wrong(f"{path} is not an OCI directory", "it has no file oci-layout")
    return ImageChoice(str(path), value.explicit)


def _compared(value: _Value | None) -> str | None:
    return None if value is None else _image(value).reference


def _base_image(value: _Value | None, images: tuple[ImageChoice, ...]) -> str | None:
    if value is None:
        return None
    if value.explicit and not images:
        raise value.wrong("no image is judged", "name one with --dockercache-image=REF")
    return _image(value).reference


def _directory(value: _Value, text: str) -> Path:
    path = value.path(text)
    if not path.is_dir():
        missing = "is not a directory" if path.exists() else "does not exist"
        raise value.wrong(f"build context {path} {missing}", "name an existing directory")
    return path


def _build_args(values: tuple[_Value, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, content = value.text.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise value.wrong("not a build argument", "for example VERSION=1.2")
        if equals:
            found[name] = content
        elif name in os.environ:  # as in `docker build --build-arg NAME`
            found[name] = os.environ[name]
    return tuple(found.items())


def _spelled(name: str) -> tuple[str, str]:
    """The command-line option and the ini key of an option's short name."""
    option = f"--dockercache-{name}"
    return option, option[2:].replace("-", "_")


def _caches(values: tuple[_Value, ...], directory: str) -> tuple[str, ...]:
    """Caches to import or export, each as buildx takes it, with absolute directories.

    ``directory`` is the attribute that a local cache must have.
    """
    if not values:
        return ()
    from ..cache_specs import parse_cache_spec

    found = []
    for value in values:
        try:
            spec = parse_cache_spec(value.text)
        except ValueError as problem:
            remedy = f"for example type=registry,ref=REF or type=local,{directory}=DIR"
            raise value.wrong(f"not a cache ({problem})", remedy) from None
        if spec.type == "local" and not spec.get(directory):
            raise value.wrong("it names no directory", f"add {directory}=DIR")
        if spec.type == "registry" and not spec.get("ref"):
            raise value.wrong("it names no image", "add ref=REF")
        if spec.type == "inline" and directory == "src":
            remedy = "name the image that holds the cache: type=registry,ref=IMAGE"
            raise value.wrong("an inline cache lies in an image", remedy)
        found.append(str(spec.with_directories(value.path)))
    return tuple(dict.fromkeys(found))


def _build_log(value: _Value | None, since: _Value | None) -> Path | None:
    """The log of a build that ran elsewhere."""
    if value is None:
        if since is not None and since.explicit:
            raise since.wrong("there is no build to judge", "name one with --dockercache-build-log")
        return None
    path = value.path()
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise value.wrong(f"{path} {what}", "name the log of a build")
    return path


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(values)
