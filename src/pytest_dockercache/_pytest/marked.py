"""Reads the ``dockercache`` marker of a test, and makes the values of its fixtures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigError
from ..model import BuildSpec, Edit
from . import judge_of
from .contexts import candidates
from .options import check_engine
from .outcomes import reported
from .targets import Target
from .targets import spec_of as spec_of_image

if TYPE_CHECKING:
    from ..testing import DockerCache

__all__ = ["edit_of", "rebuild_of", "spec_of"]

KEYWORDS = ("dockerfile", "context", "target", "build_args", "edit", "engine")


def spec_of(item: pytest.Item) -> BuildSpec:
    """The build that a test's marker asks for; by default of the nearest Dockerfile above the test.

    Relative paths are relative to the rootdir. Fails the test's set-up with
    the text of a ConfigError.
    """
    with reported():
        return _spec(item)


def edit_of(item: pytest.Item) -> Edit | str | Iterable[Edit | str] | None:
    """The ``edit=`` of a test's marker."""
    with reported():
        edit: Edit | str | Iterable[Edit | str] | None = _keywords(item).get("edit")
        return edit


def rebuild_of(
    item: pytest.Item,
    spec: BuildSpec,
    edit: Edit | str | Iterable[Edit | str] | None,
    engine: str,
) -> DockerCache:
    """The value of the ``dockercache`` fixture, which builds nothing before its first use."""
    from ..testing import DockerCache

    with reported():
        named = _keywords(item).get("engine", engine)
        name = check_engine(str(named), f"engine={named!r} of {item.nodeid}")
        judge = judge_of(item.config)
        subject = judge.subject(spec, name)
        project = subject.project  # a problem with the project is an error of the set-up
        own = judge.image_options(spec)
        demands = own.check_settings
        if own.env_step_given in judge.named_steps:
            named_steps = judge.named_steps[own.env_step_given]
            named_steps.require(judge.shown(spec.written_in), project)
        # The closest setting counts: the test's own marker goes before a fixture of its project.
        marked = _keywords(item).get("edit")
        edits = _edits(edit if marked is None else marked)
        if not edits and subject.settings.edit is None:
            # Not every test needs an edit, and not every project has a file to edit.
            return DockerCache(subject, settings=demands)
        edits = edits or (project.source_edit,)
        return DockerCache(subject, edits, settings=demands)


def _keywords(item: pytest.Item) -> Mapping[str, Any]:
    """The marker's keywords; a keyword of the closest marker wins."""
    found: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("dockercache"))):
        if mark.args:
            raise ConfigError(
                f"@pytest.mark.dockercache of {item.nodeid} takes keywords only; "
                f"valid: {', '.join(KEYWORDS)}"
            )
        for name, value in mark.kwargs.items():
            if name not in KEYWORDS:
                raise ConfigError(
                    f"@pytest.mark.dockercache of {item.nodeid}: unknown keyword {name}; "
                    f"valid: {', '.join(KEYWORDS)}"
                )
            if value is not None:
                found[name] = value
    return found


def _absent(item: pytest.Item, keyword: str, value: object, what: str) -> ConfigError:
    return ConfigError(
        f"@pytest.mark.dockercache({keyword}={str(value)!r}) of {item.nodeid}: "
        f"no {what}; the path is relative to {item.config.rootpath}"
    )


def _spec(item: pytest.Item) -> BuildSpec:
    keywords = _keywords(item)
    judge = judge_of(item.config)
    options = judge.options.image.each_platform()[0]
    root = item.config.rootpath
    default = judge.target_of_test(item.path)
    named = keywords.get("dockerfile")
    context = keywords.get("context")
    if named is not None:
        path = _below(root, "dockerfile", named, item)
        if not path.is_file():
            raise _absent(item, "dockerfile", named, f"file {path}")
        known = [target for target in judge.selection.every if target.path == path]
        default = known[0] if known else Target(path, "", options, candidates(path, root))
    if default is None:
        raise ConfigError(
            f"no Dockerfile for {item.nodeid}: there is none in {root}; "
            "name one with @pytest.mark.dockercache(dockerfile=PATH)"
        )
    options = default.options
    if context is None:
        where = default.spec().context
    else:
        where = _below(root, "context", context, item)
        if not where.is_dir():
            raise _absent(item, "context", context, f"directory {where}")
    target = keywords.get("target", options.target)
    if target is not None and not isinstance(target, str):
        raise ConfigError(
            f"@pytest.mark.dockercache(target=…) of {item.nodeid}: "
            f"{target!r} is not the name of a stage"
        )
    build_args = _build_args(keywords.get("build_args"), item)
    spec = spec_of_image(default.path, where, replace(options, target=target))
    return spec.with_build_args(build_args)


def _build_args(value: object, item: pytest.Item) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"@pytest.mark.dockercache(build_args=…) of {item.nodeid}: {value!r} is not a mapping; "
            "for example {'VERSION': '1.2'}"
        )
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)):
            raise ConfigError(
                f"@pytest.mark.dockercache(build_args=…) of {item.nodeid}: {name!r} is no name of "
                "a build argument"
            )
    return {str(name): str(content) for name, content in value.items()}


def _edits(value: Edit | str | os.PathLike[str] | Iterable[Edit | str] | None) -> tuple[Edit, ...]:
    if value is None:
        return ()
    if isinstance(value, (Edit, str, os.PathLike)):
        return (_edit(value),)
    if isinstance(value, Iterable):
        return tuple(_edit(one) for one in value)
    return (_edit(value),)


def _edit(value: object) -> Edit:
    if isinstance(value, Edit):
        return value
    if isinstance(value, (str, os.PathLike)):
        return Edit.append(Path(value).as_posix())
    raise ConfigError(
        f"edit={value!r} is not an edit; give a path of the build context, "
        "or an Edit such as Edit.append('src/main.py')"
    )


def _below(root: Path, keyword: str, path: object, item: pytest.Item) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise ConfigError(
            f"@pytest.mark.dockercache({keyword}=…) of {item.nodeid}: {path!r} is not a path; "
            f"give one relative to {root}"
        )
    return Path(os.path.abspath(root / path))
