"""The settings of one image: what is built, how it is read, and what it is held against."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path

from ..checks.settings import DEFAULTS, CheckSettings
from ..patterns import why_invalid
from ..project import Settings
from ..values import dataclass
from .given import GivenValue, ValueReader, last, last_text

__all__ = [
    "IMAGE_KEYS",
    "ImageChoice",
    "ImageOptions",
    "read_image",
    "read_image_options",
    "read_size",
]

IMAGE_KEYS = (
    "context",
    "target",
    "build-arg",
    "build-context",
    "platform",
    "builder",
    "secret",
    "ssh",
    "cache-from",
    "cache-to",
    "buildkit-image",
    "timeout",
    "edit",
    "env-step",
    "environment",
    "python",
    "max-hidden",
    "max-size",
    "max-reship",
    "min-saving",
    "base-layers",
    "compare",
    "skip",
)
"""The options that may be given for one image; all others are about the whole session."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True)
class ImageOptions:
    """The options of one image, checked: its own before those of all images.

    ``settings`` say how it is built and read, ``check_settings`` what it is held against, and
    ``skip`` are the IDs of checks to leave out. ``env_step_given`` is how ``settings.env_step`` was
    given, for messages. The others say what is built, as :class:`~pytest_dockercache.model.
    BuildSpec` does; ``context`` is None where none was named. The last four are said by files that
    define builds alone; ``written`` is a Dockerfile whose text such a file holds.
    """

    settings: Settings
    check_settings: CheckSettings = DEFAULTS
    skip: frozenset[str] = frozenset()
    env_step_given: str = ""
    context: Path | None = None
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    run_options: tuple[tuple[str, str], ...] = ()
    uncached: tuple[str, ...] = ()
    uncached_by: str = ""
    written: Path | None = None

    @property
    def platform(self) -> str | None:
        """The platform to build for, the first of several; None for the builder's own."""
        return self.platforms[0] if self.platforms else None

    def each_platform(self) -> tuple[ImageOptions, ...]:
        """The options for each platform: these alone where none or one is named."""
        return tuple(self._of(platform) for platform in self.platforms or (None,))

    def _of(self, platform: str | None) -> ImageOptions:
        demands = self.check_settings
        demands = replace(
            demands,
            cache_from=tuple(_placed(cache, platform) for cache in demands.cache_from),
            cache_to=tuple(_placed(cache, platform) for cache in demands.cache_to),
        )
        platforms = () if platform is None else (platform,)
        return replace(self, platforms=platforms, check_settings=demands)


@dataclass(frozen=True)
class ImageChoice:
    """An image that is already built: a daemon's tag or ID, or the absolute path of a file.

    ``explicit`` is True for the command line: such an image is always judged, one of the ini file
    only where nothing else was asked for.
    """

    reference: str
    explicit: bool = True

    @property
    def file(self) -> Path | None:
        """The archive or OCI directory, None for an image of a daemon."""
        from ..image import is_file_reference

        return Path(self.reference) if is_file_reference(self.reference) else None


def read_image_options(
    reader: ValueReader, settings: Settings, demands: CheckSettings, checks: tuple[str, ...]
) -> ImageOptions:
    """Read and check the options of one image.

    ``settings`` and ``demands`` have what holds for the whole session. ``checks`` are the IDs of
    the checks that exist. Raises ConfigError with the value, where it was given, and what is valid.
    """
    hidden = read_size(last(reader, "max-hidden"))
    platforms = _platforms(reader.values("platform"))
    if len(platforms) > 1:
        _require_places(reader.values("cache-to"))
    named = last(reader, "env-step")
    return ImageOptions(
        settings=replace(
            settings,
            builder=last_text(reader, "builder"),
            timeout=_timeout(last(reader, "timeout")),
            edit=last_text(reader, "edit"),
            env_step=_pattern(named),
            environment=_texts(reader, "environment"),
        ),
        check_settings=replace(
            demands,
            python=_python(last(reader, "python")),
            base_layers="check" if _base_layers(last(reader, "base-layers")) else "ignore",
            max_hidden=CheckSettings.max_hidden if hidden is None else hidden,
            max_size=read_size(last(reader, "max-size")),
            max_reship=read_size(last(reader, "max-reship")),
            min_saving=_share(last(reader, "min-saving")),
            compare=_compared(last(reader, "compare")),
            cache_from=_caches(reader.values("cache-from"), "src"),
            cache_to=_caches(reader.values("cache-to"), "dest"),
            buildkit_image=last_text(reader, "buildkit-image"),
        ),
        skip=_skipped(reader.values("skip"), checks),
        env_step_given="" if named is None else named.shown,
        context=_directory(last(reader, "context")),
        target=last_text(reader, "target"),
        build_args=_build_args(reader.values("build-arg")),
        contexts=_contexts(reader.values("build-context")),
        platforms=platforms,
        secrets=_texts(reader, "secret"),
        ssh=_texts(reader, "ssh"),
    )


def _texts(reader: ValueReader, name: str) -> tuple[str, ...]:
    return tuple(value.text for value in reader.values(name))


def _timeout(value: GivenValue | None) -> float | None:
    if value is None:
        return None
    seconds = _number(value.text)
    if seconds is None or seconds <= 0:
        raise value.wrong("not a number of seconds above 0", "for example 600")
    return seconds


def _share(value: GivenValue | None) -> float | None:
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


def read_size(value: GivenValue | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", value.text.strip().lower())
    if found is None:
        raise value.wrong("not a size", "for example 500000, 10MB or 1.5GiB")
    return round(float(found[1]) * _UNITS[found[2] or ""])


def _pattern(value: GivenValue | None) -> str | None:
    if value is None:
        return None
    if why := why_invalid(value.text):
        raise value.wrong(f"not a regular expression ({why})", "escape it")
    return value.text


def _python(value: GivenValue | None) -> str | None:
    if value is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)*((a|b|rc)\d+)?", value.text.strip()):
        raise value.wrong("not a Python version", "for example 3.10 or 3.10.4")
    return value.text.strip()


def _base_layers(value: GivenValue | None) -> bool:
    if value is None or value.text == "ignore":
        return False
    if value.text != "check":
        raise value.wrong("unknown value", "valid: ignore, check")
    return True


def _skipped(values: tuple[GivenValue, ...], checks: tuple[str, ...]) -> frozenset[str]:
    skipped = set()
    for value in values:
        for check in filter(None, re.split(r"[,\s]+", value.text)):
            if check not in checks:
                raise value.wrong(f"unknown check {check}", f"valid: {', '.join(checks)}")
            skipped.add(check)
    return frozenset(skipped)


def _directory(value: GivenValue | None) -> Path | None:
    if value is None:
        return None
    path = value.path()
    if not path.is_dir():
        missing = "is not a directory" if path.exists() else "does not exist"
        raise value.wrong(f"build context {path} {missing}", "name an existing directory")
    return path


def _build_args(values: tuple[GivenValue, ...]) -> tuple[tuple[str, str], ...]:
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


def _contexts(values: tuple[GivenValue, ...]) -> tuple[tuple[str, str], ...]:
    """Named contexts: directories with their absolute paths, and what only buildx resolves."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, content = value.text.partition("=")
        if not equals or not name or not content:
            raise value.wrong("not a named context", "for example shared=../shared")
        if "://" not in content and not content.startswith("git@"):
            path = value.path(content)
            if not path.is_dir():
                missing = "is not a directory" if path.exists() else "does not exist"
                raise value.wrong(
                    f"the named context {path} {missing}", "name an existing directory"
                )
            content = str(path)
        found[name] = content
    return tuple(found.items())


def _caches(values: tuple[GivenValue, ...], directory: str) -> tuple[str, ...]:
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


PLATFORM = "{platform}"
"""What stands for the platform in the place of a cache."""


def _placed(cache: str, platform: str | None) -> str:
    """A cache with the platform in its place: ``linux-arm64`` for ``{platform}``."""
    if PLATFORM not in cache:
        return cache
    from ..dockerfile.platforms import default_platform

    return cache.replace(PLATFORM, (platform or default_platform()).replace("/", "-"))


def _platforms(values: tuple[GivenValue, ...]) -> tuple[str, ...]:
    found = []
    for value in values:
        for platform in value.text.split(","):
            if not re.fullmatch(r"[\w.-]+(/[\w.-]+){0,2}", platform.strip()):
                raise value.wrong("not a platform", "for example linux/amd64 or linux/arm64")
            found.append(platform.strip())
    return tuple(dict.fromkeys(found))


def _require_places(caches: tuple[GivenValue, ...]) -> None:
    """Refuse to export the caches of several platforms to one place.

    An export takes the place of the one before.
    """
    from ..cache_specs import parse_cache_spec

    for value in caches:
        spec = parse_cache_spec(value.text)
        if PLATFORM not in str(spec) and spec.type != "inline":
            raise value.wrong(
                "each platform would replace the cache of the one before",
                f"put {PLATFORM} into its place, for example ref=REGISTRY/APP:cache-{PLATFORM}",
            )


def _compared(value: GivenValue | None) -> str | None:
    return None if value is None else read_image(value).reference


def read_image(value: GivenValue) -> ImageChoice:
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
