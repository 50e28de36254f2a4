"""Where pip's own settings have it install: ``target`` and the like of a pip.conf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..context.entries import ContextEntry
from ..dockerfile import PlannedStep
from ..errors import ConfigError
from ..regexes import regex
from .documents import content_of
from .flow import StepView, follow_files

__all__ = ["configured_targets"]

_FILES = regex(r"(?:/etc|.*/(?:\.config/pip|\.pip|xdg/pip|\.?venv))/pip\.conf")
_MENTIONS = regex(r"pip\.conf|PIP_CONFIG_FILE|\bpip[\d.]*\s+config\b")
_SETS = regex(r"""(?:^|[\n"'])[ \t]*(target|prefix|root|user)[ \t]*=[ \t]*([^\s"'\\;&|]+)""")
_CONFIG_SET = regex(
    r"""\bconfig\s+(?:--\w+\s+)*set\s+(?:--\w+\s+)*["']?(?:global|install|site|user)\."""
    r"""(target|prefix|root|user)["']?\s+["']?([^\s"'\\;&|]+)"""
)


def configured_targets(
    steps: Sequence[PlannedStep], entries: Sequence[ContextEntry], context: Path | None
) -> Mapping[int, str]:
    """The directory into which pip's settings have it install, by the line of a RUN.

    Known are a ``pip.conf`` of the context (and any file that PIP_CONFIG_FILE names), one that a
    step before in the same stage writes, and ``pip config set``. The value is ``~/.local`` for
    ``user``. A line without such a setting is left out.
    """
    found: dict[int, str] = {}
    written: dict[int, str] = {}
    texts = [_text(step) for step in steps]
    said = any(_MENTIONS.search(text) for text in texts)
    if not said and not any(entry.path.endswith("pip.conf") for entry in entries):
        return found
    views, _ = follow_files(steps, {entry.path: entry for entry in entries})
    for position, step in enumerate(steps):
        stage = step.stage.index
        if step.instruction.keyword == "FROM" and step.stage.parent in written:
            written[stage] = written[step.stage.parent]
        named = dict(step.environment).get("PIP_CONFIG_FILE", "")
        text = texts[position]
        if step.instruction.keyword in ("RUN", "COPY", "ADD"):
            setting = _in_text(text, named)
            if setting is not None:
                written[stage] = setting
        if step.instruction.keyword != "RUN":
            continue
        setting = written.get(stage, "")
        for content in _files(views[position], named, context):
            setting = _last(_SETS.findall(content)) or setting
        if setting:
            found[step.line] = setting
    return found


def _text(step: PlannedStep) -> str:
    bodies = (document.body for document in step.instruction.heredocs)
    return "\n".join((step.instruction.text, *bodies))


def _in_text(text: str, named: str) -> str | None:
    """The place that the text of a step sets, None if it sets none."""
    if "config" in text and (given := _CONFIG_SET.findall(text)):
        return _last(given)
    if "pip.conf" in text or (named and named in text):
        _, section, settings = text.replace("\\n", "\n").partition("[")  # no variable of a shell
        return _last(_SETS.findall(section + settings)) or None
    return None


def _files(view: StepView, named: str, context: Path | None) -> Iterator[str]:
    """The texts of the context's files that are pip's settings in a step."""
    if context is None:
        return
    there = {**view.before.at, **view.own.at}
    for path, origin in there.items():
        if path == named or _FILES.fullmatch(path):
            try:
                yield content_of(context / origin).decode("utf-8", "replace")
            except ConfigError:
                continue


def _last(settings: Sequence[tuple[str, str]]) -> str:
    for name, value in reversed(settings):
        if name != "user":
            return value
        if value.lower() in ("1", "true", "yes", "on"):
            return "~/.local"
    return ""
