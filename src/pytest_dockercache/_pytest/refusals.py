"""Why a session is refused in which there is nothing for the plugin to do."""

from __future__ import annotations

import os

from .. import checks
from .judging import SessionJudge
from .targets import DEFAULT_NAMES, Target

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
    return (
        "--dockercache: no Dockerfile or Containerfile in "
        f"{' or '.join(map(str, places))}, and no marked test; "
        "name one with --dockercache-dockerfile=PATH"
    )


def _no_check(judge: SessionJudge, target: Target) -> str:
    """Why a Dockerfile or image that is judged has no check, and there is no marked test."""
    options = judge.options
    every = [
        check.id
        for check in checks.CHECKS.values()
        if check.applies(options.check_settings)
        and (target.image is None or check.needs == "image")
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
    return f"--dockercache: {named} is judged only where its own option is given"
