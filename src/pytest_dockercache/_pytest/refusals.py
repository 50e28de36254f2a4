"""Why a session is refused in which there is nothing for the plugin to do."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import checks
from ..errors import ConfigError
from ..presentable import presentable
from .defined_images import what_is_built
from .discovery import DEFAULT_NAMES, FoundBelow, look_below
from .judging import SessionJudge
from .targets import Target

__all__ = ["nothing_to_do"]

_MOST_READ = 20
"""Files that define builds and are read for a message: buildx takes a tenth of a second each."""


def nothing_to_do(judge: SessionJudge) -> str:
    """The text of the usage error: the files that were looked for, and the option to give."""
    selection = judge.selection
    if selection.targets:
        return _no_check(judge, selection.targets[0])
    if selection.arguments and selection.left_out:
        node = selection.left_out[0]
        return (
            "--dockercache: nothing to check among the arguments; "
            f"add {node}, or mark tests with @pytest.mark.dockercache"
        )
    places = dict.fromkeys((judge.config.invocation_params.dir, judge.config.rootpath))
    for path in (place / name for place in places for name in DEFAULT_NAMES):
        if os.path.lexists(path) and not path.is_file():
            what = "a directory" if path.is_dir() else "no file that can be read"
            return (
                f"--dockercache: {path} is {what}; "
                "name a Dockerfile with --dockercache-dockerfile=PATH"
            )
    nothing = (
        f"--dockercache: no Dockerfile or Containerfile in {' or '.join(map(str, places))}, "
        "and no marked test"
    )
    try:
        found = look_below(judge.config.rootpath, judge.config.rootpath)
    except ConfigError as problem:
        return _text(nothing, [str(problem)])
    named = _named(found, judge)
    if not any(named.values()):
        others = _others(found.samples, found.definitions, judge.config.rootpath)
        return _text(f"{nothing}; name one with --dockercache-dockerfile=PATH", others)
    return _text(f"{nothing}; there are others:", _found(found, named, judge))


def _text(first: str, rest: Sequence[str]) -> str:
    return presentable("\n".join([first, *rest]))


Named = Mapping[str, tuple[Path, ...]]
"""The files to name with each key of the ini file."""


def _named(found: FoundBelow, judge: SessionJudge) -> Named:
    """The files that judge the most: compose and bake files, and Dockerfiles that none of them has.

    A file that defines builds counts where it defines an image that can be judged and that no file
    before it defines.
    """
    from ..definitions import kind_of

    kinds = {"compose": "dockercache_compose", "bake": "dockercache_bake"}
    named: dict[str, list[Path]] = {key: [] for key in kinds.values()}
    built: set[Path] = set()
    known: set[tuple[object, ...]] = set()
    for file in _readable(found.definitions):
        key = kinds.get(kind_of(file) or "")
        if key is None:
            continue
        choices = [
            choice
            for choice in judge.options.defined.of_file(file)
            if choice.problem is None and what_is_built(choice) not in known
        ]
        if choices:
            named[key].append(file)
            known.update(map(what_is_built, choices))
            built.update(choice.path for choice in choices)
    rest = [path for path in found.dockerfiles if path not in built]
    return {
        "dockercache_dockerfile": tuple(rest),
        **{key: tuple(files) for key, files in named.items()},
    }


def _readable(definitions: Sequence[Path]) -> list[Path]:
    """Files that stand for themselves: an override is read with the file that it overrides."""
    alone = [path for path in definitions if not path.stem.endswith((".override", "-override"))]
    # `compose.yaml` before `compose.prod.yaml`, which may want variables.
    alone.sort(key=lambda path: (len(path.parts), path.parent, len(path.name)))
    return alone[:_MOST_READ]


def _found(found: FoundBelow, named: Named, judge: SessionJudge) -> list[str]:
    """The files below the root to judge, and the lines of configuration that judge them all."""
    root, ini = judge.config.rootpath, judge.config.inipath
    place = root if ini is None else ini.parent
    files = [path for paths in named.values() for path in paths]
    lines = [f"  {path.relative_to(root).as_posix()}" for path in files]
    name = "pyproject.toml" if ini is None else ini.name
    lines.append(f"to judge them all, write into {name}:")
    toml = name.endswith(".toml")
    section = "tool:pytest" if name == "setup.cfg" else "pytest"
    if name == "pyproject.toml":
        section = "tool.pytest.ini_options"
    lines.append(f"  [{section}]")
    for key, paths in named.items():
        shown = [os.path.relpath(path, place).replace(os.sep, "/") for path in paths]
        if not shown:
            continue
        lines.append(f"  {key} = [" if toml else f"  {key} =")
        lines += [
            f"    {json.dumps(path, ensure_ascii=False)}," if toml else f"    {path}"
            for path in shown
        ]
        if toml:
            lines.append("  ]")
    first = shlex.quote(files[0].relative_to(root).as_posix())
    lines.append(f"or name those to judge: pytest --dockercache {first}")
    others = tuple(path for path in found.definitions if path not in files)
    return [*lines, *_others(found.samples, others, root)]


def _others(samples: Sequence[Path], definitions: Sequence[Path], root: Path) -> list[str]:
    """What else lies below the root: samples of tests, and files that may define builds."""
    lines = []
    if samples:
        count = len(samples)
        first = samples[0].relative_to(root).as_posix()
        more = f" and {count - 1} more" if count > 1 else ""
        lines.append(f"left out as samples of tests: {first}{more}")
    if definitions:
        names = [path.relative_to(root).as_posix() for path in definitions]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        first = shlex.quote(names[0])
        lines.append(
            f"{', '.join(names[:5])}{more} may define builds; "
            f"to judge what one builds: pytest --dockercache {first}"
        )
    return lines


def _no_check(judge: SessionJudge, target: Target) -> str:
    """Why a Dockerfile or image that is judged has no check, and there is no marked test."""
    options = target.options
    every = [
        check.id
        for check in checks.CHECKS.values()
        if check.applies(options.check_settings) and target.judged_by(check.needs)
    ]
    wanted = every if target.checks is None else target.checks
    left_out = [check for check in wanted if check in options.skip]
    if left_out:
        what = f"every check of {target.node}"
        if target.checks is not None:
            what = ", ".join(f"{target.node}::{check}" for check in left_out)
        return (
            f"--dockercache: --dockercache-skip leaves out {what}, and there is no marked "
            "test; leave out fewer checks"
        )
    named = ", ".join(f"{target.node}::{check}" for check in wanted)
    if options.check_settings.build_log is not None and target.image is None:
        return (
            f"--dockercache: {named}: nothing is built with --dockercache-build-log, which judges "
            f"{target.node}::env-layer-reused alone"
        )
    return f"--dockercache: {named} is judged only where its own option is given"
