"""Reads options and ini keys into checked values; every mistake names its option and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ..checks.settings import CheckSettings
from ..engines.registry import require_engine
from ..errors import ConfigError
from ..project import Settings
from ..values import dataclass
from .choices import DockerfileChoice, Own, chosen_dockerfiles
from .defined_images import DefinedImages
from .given import GivenValue, ImageReader, OptionReader
from .image_options import ImageChoice, ImageOptions, read_image, read_image_options, read_size
from .image_tables import read_tables

__all__ = ["Options", "ReportChoice", "check_engine", "read_options"]


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

    ``image`` are the options of an image for which nothing else is said. ``given`` is True if
    ``--dockercache`` is on the command line. ``defined`` reads the files that define builds.
    ``hosted_reports`` is False where the unasked reports for a CI host are turned off.
    """

    image: ImageOptions
    defined: DefinedImages
    given: bool = True
    strict: bool = False
    keep: bool = False
    reports: tuple[ReportChoice, ...] = ()
    hosted_reports: bool = True
    dockerfiles: tuple[DockerfileChoice, ...] = ()
    images: tuple[ImageChoice, ...] = ()
    base_image: str | None = None
    fix: Path | None = None
    baseline: Baseline | None = None


def read_options(config: pytest.Config, checks: tuple[str, ...]) -> Options:
    """Read and check every option; ``checks`` are the IDs of the checks that exist.

    Raises ConfigError with the option, its value, and what is valid.
    """
    reader = OptionReader(config)
    settings = Settings(
        engine=_engine(reader.value("engine")),
        root=config.rootpath,
    )
    demands = CheckSettings(
        build_log=_build_log(reader.value("build-log"), reader.value("since")),
        since=reader.text("since"),
    )

    def image_options(own: Own) -> ImageOptions:
        return read_image_options(ImageReader(reader, own), settings, demands, checks)

    defined = DefinedImages(config.invocation_params.dir, config.rootpath, image_options)
    images = tuple(read_image(value) for value in reader.values("image"))
    reports = reader.values("report")
    return Options(
        image=image_options({}),
        given=bool(config.getoption("dockercache")),
        strict=reader.flag("strict"),
        keep=reader.flag("keep"),
        reports=_reports(reports),
        hosted_reports=all(value.text.strip() != "none" for value in reports),
        dockerfiles=_chosen(reader, config, image_options, defined),
        defined=defined,
        images=tuple(dict.fromkeys(images)),
        base_image=_base_image(reader.value("base-image"), images),
        fix=_patch_file(reader.value("fix")),
        baseline=_baseline(reader.value("baseline"), reader.value("max-growth")),
    )


def _chosen(
    reader: OptionReader,
    config: pytest.Config,
    image_options: Callable[[Own], ImageOptions],
    defined: DefinedImages,
) -> tuple[DockerfileChoice, ...]:
    """The Dockerfiles and defined images to judge; what the command line names stands alone."""
    dockerfiles = chosen_dockerfiles(
        reader.values("dockerfile"), read_tables(config.rootpath), image_options
    )
    images = defined.chosen({"compose": reader.values("compose"), "bake": reader.values("bake")})
    found = (*dockerfiles, *images)
    explicit = tuple(choice for choice in found if choice.explicit)
    return explicit or found


def check_engine(name: str, where: str) -> str:
    """The name of a known engine. Raises a ConfigError that says where the name was given."""
    if name != "auto":
        require_engine(name, where)
    return name


def _engine(value: GivenValue | None) -> str:
    return "auto" if value is None else check_engine(value.text, value.shown)


def _reports(values: tuple[GivenValue, ...]) -> tuple[ReportChoice, ...]:
    asked = (_report(value) for value in values if value.text.strip() != "none")
    return tuple(dict.fromkeys(asked))


def _report(value: GivenValue) -> ReportChoice:
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


def _baseline(value: GivenValue | None, growth: GivenValue | None) -> Baseline | None:
    """The earlier run that this one is compared with."""
    if value is None:
        if growth is not None:
            remedy = "name the earlier run with --dockercache-baseline=FILE"
            raise growth.wrong("there is nothing to have grown from", remedy)
        return None
    from ..report.baseline import read_baseline

    path = value.path()
    try:
        return Baseline(path, read_baseline(path), read_size(growth))
    except FileNotFoundError:
        raise value.wrong(f"no file {path}", "name the JSON report of an earlier run") from None
    except ConfigError as problem:
        raise value.wrong(problem.verdict, "name the JSON report of an earlier run") from None
    except (OSError, ValueError, RecursionError) as problem:
        said = getattr(problem, "strerror", None) or "it is no JSON report of ours"
        remedy = "name what --dockercache-report=json:FILE has written"
        raise value.wrong(said, remedy) from None


def _patch_file(value: GivenValue | None) -> Path | None:
    """Where the proven fixes are written."""
    if value is None:
        return None
    if not value.text.strip():
        raise value.wrong("not a file", "name the patch to write")
    return _writable(value, value.path())


def _writable(value: GivenValue, path: Path) -> Path:
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


def _base_image(value: GivenValue | None, images: tuple[ImageChoice, ...]) -> str | None:
    if value is None:
        return None
    if value.explicit and not images:
        raise value.wrong("no image is judged", "name one with --dockercache-image=REF")
    return read_image(value).reference


def _build_log(value: GivenValue | None, since: GivenValue | None) -> Path | None:
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
