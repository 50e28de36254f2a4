"""Why a session is refused in which there is nothing for the plugin to do."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from .. import checks
from ..errors import ConfigError
from ..presentable import presentable
from .discovery import DEFAULT_NAMES, FoundBelow, look_below
from .judging import SessionJudge
from .targets import Target

__all__ = ["nothing_to_do"]


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
    if not found.dockerfiles:
        others = _others(found, judge.config.rootpath)
        return _text(f"{nothing}; name one with --dockercache-dockerfile=PATH", others)
    return _text(f"{nothing}; there are others:", _found(found, judge))


def _text(first: str, rest: Sequence[str]) -> str:
    return presentable("\n".join([first, *rest]))


def _found(found: FoundBelow, judge: SessionJudge) -> list[str]:
    """The Dockerfiles below the root, and the lines of configuration that judge them all."""
    root, ini = judge.config.rootpath, judge.config.inipath
    place = root if ini is None else ini.parent
    named = [os.path.relpath(path, place).replace(os.sep, "/") for path in found.dockerfiles]
    lines = [f"  {path.relative_to(root).as_posix()}" for path in found.dockerfiles]
    name = "pyproject.toml" if ini is None else ini.name
    lines.append(f"to judge them all, write into {name}:")
    if name.endswith(".toml"):
        lines.append("  [tool.pytest.ini_options]" if name == "pyproject.toml" else "  [pytest]")
        lines.append("  dockercache_dockerfile = [")
        lines += [f"    {json.dumps(path, ensure_ascii=False)}," for path in named]
        lines.append("  ]")
    else:
        lines.append("  [tool:pytest]" if name == "setup.cfg" else "  [pytest]")
        lines.append("  dockercache_dockerfile =")
        lines += [f"    {path}" for path in named]
    lines.append("or name those to judge: pytest --dockercache " + _shown_argument(found, root))
    return [*lines, *_others(found, root)]


def _shown_argument(found: FoundBelow, root: Path) -> str:
    return shlex.quote(found.dockerfiles[0].relative_to(root).as_posix())


def _others(found: FoundBelow, root: Path) -> list[str]:
    """What else lies below the root: samples of tests, and files that define builds."""
    lines = []
    if found.samples:
        count = len(found.samples)
        first = found.samples[0].relative_to(root).as_posix()
        more = f" and {count - 1} more" if count > 1 else ""
        lines.append(f"left out as samples of tests: {first}{more}")
    if found.definitions:
        names = [path.relative_to(root).as_posix() for path in found.definitions]
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
