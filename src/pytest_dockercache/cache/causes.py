"""The cause of a predicted miss: the change, its place, and how the change reaches the step."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from ..dockerfile import Instruction, PlannedStep, stage_chain, stages_of
from ..dockerfile.expansion import variables_in
from ..dockerfile.instructions import declared
from ..model import Reason, shortened
from .contents import PathDifference
from .keys import Content, Facet, Key, Value
from .prediction import CachedStep, Comparison, Prediction, reads_root_by_content, same_value
from .snapshot import Snapshot, is_unknown, readable

__all__ = ["cause", "doubt"]


def cause(comparison: Comparison, prediction: Prediction) -> Reason | None:
    """The reason of a predicted miss; None for a hit and for an unknown step."""
    if prediction.status != "miss":
        return None
    step = prediction.step
    root = prediction.root
    if root is not None and root.instruction.keyword != "FROM":
        return Reason("parent", f"runs on top of line {root.line}", root.line)
    if root is not None:
        if not _is_first(comparison, prediction):
            first = _first(comparison, root)
            if first is not None:
                return Reason("parent", f"runs on top of line {first.line}", first.line)
        return _base(comparison, root)
    rival = _nearest(comparison, prediction)
    if rival is None:
        return Reason("text", _new_text(comparison, step), step.line)
    return _difference(comparison, rival.key, prediction.key)


def doubt(comparison: Comparison, prediction: Prediction) -> str | None:
    """One sentence on what an unknown step depends on; None for any other step."""
    if prediction.status != "unknown":
        return None
    root = prediction.root
    if root is not None and root.instruction.keyword == "FROM":
        return f"the base image {root.stage.base} may run ONBUILD triggers, which only it knows"
    if root is not None and reads_root_by_content(prediction.key, comparison.dialect):
        return (
            f"hits only if the files it stands on, made anew from line {root.line} on, are the same"
        )
    if root is not None:
        return f"runs on top of line {root.line}, which may hit or miss"
    for content in prediction.unsure:
        return _dependence(comparison, content)
    return "a value that only the base image knows decides"


def _dependence(comparison: Comparison, content: Content) -> str:
    if is_unknown(content.source):
        return "a variable that only the base image sets names what it copies"
    if content.origin == "context":
        return (
            f"only the mode of a directory in {content.source} changed, which a builder "
            "does not notice while it has the context of the last build"
        )
    if content.origin == "remote":
        return f"hits only if {content.source} holds what it held before"
    if isinstance(content.origin, int):
        labels = {key.step.stage.index: key.step.stage.label for key in comparison.after_keys}
        label = labels.get(content.origin, str(content.origin))
        line = missed_line(comparison, content.origin)
        what = content.source if content.source.startswith("/") else f"/{content.source}"
        ran = f", where line {line} runs again" if line is not None else ""
        return f"hits only if {what} of stage {label}{ran}, comes out the same"
    return f"hits only if {content.source} of image {content.origin} is what it was before"


def missed_line(comparison: Comparison, stage: int) -> int | None:
    """The line of the first step of a stage, or of its parent stages, that is not a hit."""
    stages = stages_of(key.step for key in comparison.after_keys)
    chain = {item.index for item in stage_chain(stages, stage)}
    for item in comparison.predictions:
        if item.step.stage.index in chain and item.runs and item.status != "hit":
            return item.step.line
    return None


# -- the base


def _is_first(comparison: Comparison, prediction: Prediction) -> bool:
    """Whether a step is the first one on a base that changed."""
    assert prediction.root is not None
    first = _first(comparison, prediction.root)
    return first is None or first is prediction.step


def _first(comparison: Comparison, root: PlannedStep) -> PlannedStep | None:
    for item in comparison.predictions:
        if item.runs and item.root is root:
            return item.step
    return None


def _base(comparison: Comparison, from_: PlannedStep) -> Reason:
    now = from_.stage
    if from_.transfers:
        message = (
            f"every build runs it again: line {from_.line} starts from the directory of the named "
            f"context {now.base}, on which nothing is reused"
        )
        return Reason("base", message, from_.line)
    before = _stage_before(comparison, from_)
    if before is None:
        return Reason("base", f"no build before it stood on {now.base}", from_.line)
    if before.stage.base == now.base:
        platform = f"{before.stage.platform or 'default'} → {now.platform or 'default'}"
        return Reason("base", f"the platform of the base image changed: {platform}", from_.line)
    message = f"the base image changed: {before.stage.base} → {now.base}"
    names = sorted(
        name
        for name in variables_in(from_.instruction.value)
        if dict(comparison.before.build_args).get(name)
        != dict(comparison.after.build_args).get(name)
    )
    if names and from_.instruction.text == before.instruction.text:
        message += f" (build argument {', '.join(names)})"
    return Reason("base", message, from_.line)


def _stage_before(comparison: Comparison, from_: PlannedStep) -> PlannedStep | None:
    stages = [key.step for key in comparison.before_keys if key.step.instruction.keyword == "FROM"]
    for step in stages:
        if step.stage.name is not None and step.stage.name == from_.stage.name:
            return step
    for step in stages:
        if step.stage.index == from_.stage.index:
            return step
    return None


# -- the matching step of the earlier build


def _nearest(comparison: Comparison, prediction: Prediction) -> CachedStep | None:
    """The record that the step would have matched without a change."""
    key = prediction.key
    same = [
        record
        for record in prediction.rivals
        if record.key.step.instruction.keyword == key.step.instruction.keyword
    ]
    if not same:
        return None

    def distance(record: CachedStep) -> tuple[int, int, float, int]:
        facets = len(_unequal(record.key.operation, key.operation))
        contents = sum(
            comparison.same_content(old, new) != "equal"
            for old, new in zip(record.key.contents, key.contents, strict=False)
        ) + abs(len(record.key.contents) - len(key.contents))
        texts = SequenceMatcher(
            None, record.key.step.instruction.text, key.step.instruction.text
        ).ratio()
        apart = abs(record.key.step.line - key.step.line)
        return (min(1, facets), contents, 1 - texts, apart)

    return min(same, key=distance)


def _new_text(comparison: Comparison, step: PlannedStep) -> str:
    return f"the {step.instruction.keyword} of line {step.line} is new here"


def _unequal(old: Sequence[Facet], new: Sequence[Facet]) -> list[tuple[Facet, Facet]]:
    return [
        (first, second)
        for first, second in zip(old, new, strict=False)
        if first.name == second.name and same_value(first.value, second.value) != "equal"
    ]


def _itself(comparison: Comparison, old: Key, new: Key) -> Reason:
    """``--from=STAGE`` now is (or no longer is) the state that the step stands on.

    BuildKit merges two inputs that are one state.
    """
    pairs = zip(
        comparison.copies_itself(old), comparison.copies_itself(new), new.contents, strict=True
    )
    was, stage = next((was, content.origin) for was, now, content in pairs if was != now)
    labels = {key.step.stage.index: key.step.stage.label for key in comparison.after_keys}
    label = labels[stage] if isinstance(stage, int) else stage
    line = missed_line(comparison, stage) if isinstance(stage, int) else None
    message = (
        f"stage {label} is now another one than what this step stands on"
        if was
        else f"stage {label} is now the same as what this step stands on"
    )
    return Reason("parent", message, line or new.step.line)


def _difference(comparison: Comparison, old: Key, new: Key) -> Reason:
    unequal = _unequal(old.operation, new.operation)
    if old.step.instruction.text == new.step.instruction.text and (
        _documents(old.step.instruction) == _documents(new.step.instruction)
    ):
        # The instructions are equal word for word, so an expanded value or the step below has
        # changed.
        for was, now in unequal:
            return _around(comparison, old, new, was, now)
        if comparison.copies_itself(old) != comparison.copies_itself(new):
            return _itself(comparison, old, new)
        found = _content(comparison, old, new)
        if found is not None:
            return found
    else:
        shown = _text_difference(old.step.instruction, new.step.instruction)
        if unequal or len(old.operation) != len(new.operation):
            return Reason("text", shown, new.step.line)
        found = _content(comparison, old, new)
        if found is not None:
            return found
        return Reason("text", shown, new.step.line)
    message = "its cache key is another one, for a reason that the model cannot name"
    return Reason("unexplained", message, new.step.line)


# -- content


def _content(comparison: Comparison, old: Key, new: Key) -> Reason | None:
    line = new.step.line
    for first, second in zip(old.contents, new.contents, strict=False):
        if comparison.same_content(first, second) != "different":
            continue
        if isinstance(second.origin, int):
            label = next(
                key.step.stage.label
                for key in comparison.after_keys
                if key.step.stage.index == second.origin
            )
            root = missed_line(comparison, second.origin)
            message = f"copies from stage {label}, where line {root} missed"
            return Reason("content", message, root or line)
        found = list(comparison.content_differences(first, second))
        for other, another in zip(old.contents, new.contents, strict=False):
            if another is not second and another.origin == "context" == other.origin:
                found += comparison.content_differences(other, another)
        unique = list(dict.fromkeys(found))
        telling = _telling(unique)
        every = list(dict.fromkeys((*telling, *unique)))
        paths = [item.path for item in every]
        paths += [item.other for item in every if item.other is not None]
        message = _said(telling, comparison.before, comparison.after)
        changed = telling[0].what if telling else None
        return Reason("content", message, line, tuple(paths), changed=changed)
    if len(old.contents) != len(new.contents):
        return Reason("text", "it takes another number of sources", line)
    return None


def _telling(found: Sequence[PathDifference]) -> Sequence[PathDifference]:
    """The differences to name: changed children of a directory say more than the directory."""
    return [
        item
        for item in found
        if not (
            item.what in ("added", "removed", "renamed")
            and any(other.path.startswith(item.path + "/") for other in found)
        )
    ] or found


def _said(telling: Sequence[PathDifference], before: Snapshot, after: Snapshot) -> str:
    if all(item.what == "content" for item in telling):
        return f"contains {_listed([item.path for item in telling])}"
    first = telling[0]
    more = len(telling) - 1
    return _one(first, before, after) + (f", and {more} more" if more > 0 else "")


def _one(item: PathDifference, before: Snapshot, after: Snapshot) -> str:
    if item.what == "content":
        return f"contains {item.path}"
    if item.what in ("mode", "type", "link"):
        name = {"mode": "mode", "type": "type", "link": "link target"}[item.what]
        return f"contains {item.path}, whose {name} changed: {item.detail}"
    if item.what == "renamed":
        return f"contains {item.path}, renamed from {item.other}"
    if item.what == "added":
        return f"contains {item.path}, which is new{_let_in(item.path, before, after)}"
    return f"no longer contains {item.path}{_kept_out(item.path, after)}"


def _let_in(path: str, before: Snapshot, after: Snapshot) -> str:
    kept = before.tree.ignore.deciding_line(path) if before.tree.ignore.lines else None
    if kept is not None and not kept.reinclude and before.tree.ignore.excludes(path):
        return f" to the build: {kept} kept it out before"
    line = after.tree.ignore.deciding_line(path) if after.tree.ignore.lines else None
    return f" and let in by {line}" if line is not None and line.reinclude else ""


def _kept_out(path: str, after: Snapshot) -> str:
    if after.tree.ignore.lines and after.tree.ignore.excludes(path):
        return f": {after.tree.ignore.deciding_line(path)} keeps it out"
    return ""


def _listed(paths: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(paths[:limit])
    more = len(paths) - limit
    return shown if more <= 0 else f"{shown} and {more} more"


# -- the surroundings of a step: variables, user, directory, shell


def _around(comparison: Comparison, old: Key, new: Key, was: Facet, now: Facet) -> Reason:
    line = new.step.line
    if was.name in ("environment", "arguments"):
        return _environment(comparison, old, new, was.value, now.value)
    words = _variable_reason(comparison, old.step, new.step)
    if words is not None:
        return words
    if was.name == "command":
        return _setting(comparison, old, new, "SHELL", was, now)
    if was.name == "user":
        return _setting(comparison, old, new, "USER", was, now)
    if was.name in ("directory", "destination", "mounts"):
        return _setting(comparison, old, new, "WORKDIR", was, now)
    if was.name == "platform":
        return Reason("base", f"the platform changed: {was.value} → {now.value}", line)
    if was.name == "proxy":
        return Reason("argument", "build argument for a proxy was given, or is no longer", line)
    for name in ("hostname", "epoch", "namespace"):
        if was.name == name:
            return Reason("argument", f"the builder's {name} changed", line)
    return Reason("text", f"its {was.name} changed", line)


def _setting(
    comparison: Comparison, old: Key, new: Key, keyword: str, was: Facet, now: Facet
) -> Reason:
    """A SHELL, USER or WORKDIR above the step that is another one now."""

    def last(keys: Sequence[Key], step: PlannedStep) -> Instruction | None:
        above = _above(keys, step)
        found = [item.instruction for item in above if item.instruction.keyword == keyword]
        return found[-1] if found else None

    before = last(comparison.before_keys, old.step)
    after = last(comparison.after_keys, new.step)
    if after is None:
        message = f"{keyword} {before.value if before else ''} no longer stands above it"
        return Reason("text", message.replace("  ", " "), new.step.line)
    if before is None:
        return Reason(
            "text", f"{keyword} {after.value} of line {after.line} is new above it", after.line
        )
    message = f"{keyword} changed in line {after.line}: {_arrow(before.value, after.value)}"
    return Reason("text", message, after.line)


def _above(keys: Sequence[Key], step: PlannedStep) -> list[PlannedStep]:
    """The steps above a step, in its stage and in the stages that it is built from."""
    stages = stages_of(key.step for key in keys)
    chain = {stage.index for stage in stage_chain(stages, step.stage.index)}
    found = []
    for key in keys:
        if key.step is step:
            break
        if key.step.stage.index in chain:
            found.append(key.step)
    return found


def _environment(
    comparison: Comparison, old: Key, new: Key, was: Value | None, now: Value | None
) -> Reason:
    before, after = _pairs(was), _pairs(now)
    for name in [*after, *(name for name in before if name not in after)]:
        if before.get(name) == after.get(name):
            continue
        found = _variable(comparison, old.step, new.step, name)
        if found is not None:
            return found
    names = [name for name in after if name in before]
    moved = next(
        (name for name, other in zip(names, [n for n in before if n in after], strict=False)
         if name != other),
        None,
    )  # fmt: skip
    if moved is not None:
        declaration = _declaration(_above(comparison.after_keys, new.step), moved)
        line = declaration.line if declaration is not None else new.step.line
        return Reason("text", f"ENV and ARG above it changed their order: {moved} moved", line)
    return Reason("text", "the environment above it changed", new.step.line)


def _pairs(value: Value | None) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for item in value if isinstance(value, tuple) else ():
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            found[item[0]] = item[1]
    return found


def _variable_reason(comparison: Comparison, old: PlannedStep, new: PlannedStep) -> Reason | None:
    """A variable in the instruction's own text that stands for something else now."""
    before, after = dict(old.environment), dict(new.environment)
    for name in sorted(variables_in(new.instruction.text)):
        if before.get(name) != after.get(name):
            return _variable(comparison, old, new, name)
    return None


def _variable(
    comparison: Comparison, old: PlannedStep, new: PlannedStep, name: str, through: str = ""
) -> Reason | None:
    """Why a variable has another value: the ARG or ENV that gives it, followed to its source."""
    above_now = _above(comparison.after_keys, new)
    above_then = _above(comparison.before_keys, old)
    now, then = _declaration(above_now, name), _declaration(above_then, name)
    before, after = dict(old.environment).get(name), dict(new.environment).get(name)
    if now is None:
        if then is None:
            return None
        message = f"{then.instruction.keyword} {name} no longer stands above it"
        return Reason("text", message + through, new.line)
    keyword, line = now.instruction.keyword, now.line
    if keyword == "ARG" and then is not None and then.instruction.keyword == "ARG":
        given_then = dict(comparison.before.build_args).get(name)
        given_now = dict(comparison.after.build_args).get(name)
        if given_then != given_now:
            message = f"build argument {name} is declared in line {line}{through}"
            return Reason("argument", message, line, argument=name)
        found = _value_source(comparison, now, then, name, through)
        if found is not None:
            return found
        changed = f"ARG {name} has another default: {_arrow(before, after)}"
        return Reason("text", f"{changed} (line {line}){through}", line)
    if then is None:
        return Reason("text", f"{keyword} {name} of line {line} is new above it{through}", line)
    if keyword != then.instruction.keyword:
        message = f"{name} comes from {keyword} in line {line} now: {_arrow(before, after)}"
        return Reason("text", message + through, line)
    found = _value_source(comparison, now, then, name, through)
    if found is not None:
        return found
    message = f"{keyword} {name} changed in line {line}: {_arrow(before, after)}"
    return Reason("text", message + through, line)


def _value_source(
    comparison: Comparison, now: PlannedStep, then: PlannedStep, name: str, through: str
) -> Reason | None:
    """The reason in a variable of a declaration whose own text is unchanged."""
    text_now, text_then = _written(now, name), _written(then, name)
    if text_now != text_then or text_now is None:
        if now.instruction.keyword == "ARG" and text_now is None and text_then is None:
            return _global_argument(comparison, now, name, through)
        return None
    here = f" and reaches it through {now.instruction.keyword} {name} (line {now.line})"
    before, after = dict(then.environment), dict(now.environment)
    for inner in sorted(variables_in(text_now)):
        if inner != name and before.get(inner) != after.get(inner):
            return _variable(comparison, then, now, inner, through or here)
    return None


def _global_argument(
    comparison: Comparison, now: PlannedStep, name: str, through: str
) -> Reason | None:
    for instruction in comparison.after.dockerfile.instructions:
        if instruction.keyword == "ARG" and instruction.stage is None:
            for declared_name, _ in declared(instruction):
                if declared_name == name:
                    message = f"ARG {name} has another default in line {instruction.line}"
                    return Reason("text", message + through, instruction.line)
    return None


def _declaration(above: Sequence[PlannedStep], name: str) -> PlannedStep | None:
    """The last ENV or ARG that gives a variable its value."""
    for step in reversed(above):
        if step.instruction.keyword not in ("ENV", "ARG"):
            continue
        if any(found == name for found, _ in declared(step.instruction)):
            return step
    return None


def _written(step: PlannedStep, name: str) -> str | None:
    values = [value for found, value in declared(step.instruction) if found == name]
    return values[-1] if values else None


# -- text


def _documents(instruction: Instruction) -> tuple[str, ...]:
    return tuple(item.body for item in instruction.heredocs)


def _text_difference(old: Instruction, new: Instruction) -> str:
    if old.keyword != new.keyword:
        return f"{old.keyword} became {new.keyword}"
    if old.text.split() == new.text.split() and _documents(old) == _documents(new):
        if old.text != new.text:
            return "only blanks in its text changed (the indentation of a continuation counts)"
        return "its text changed"
    if old.text == new.text:
        for before, after in zip(_documents(old), _documents(new), strict=False):
            if before != after:
                return f"the text of its heredoc changed: {_lines_arrow(before, after)}"
        return "the text of its heredoc changed"
    flags = [flag for flag in new.flags if flag not in old.flags]
    gone = [flag for flag in old.flags if flag not in new.flags]
    if old.value == new.value and (flags or gone):

        def named(items: Sequence[object], show: Callable[[object], str]) -> str:
            return " ".join(show(item) for item in items) or "nothing"

        def show(flag: object) -> str:
            value = getattr(flag, "value", None)
            return f"--{getattr(flag, 'name', '')}" + ("" if value is None else f"={value}")

        return f"its flags changed: {named(gone, show)} → {named(flags, show)}"
    return f"its text changed: {_arrow(old.value, new.value)}"


def _lines_arrow(old: str, new: str) -> str:
    before, after = old.splitlines(), new.splitlines()
    for first, second in zip(before, after, strict=False):
        if first != second:
            return _arrow(first.strip() or first, second.strip() or second)
    extra = (after[len(before) :] or before[len(after) :] or [""])[0]
    return f"{'+' if len(after) > len(before) else '-'} {_cut(extra.strip())}"


def _arrow(old: str | None, new: str | None, width: int = 32) -> str:
    """``old → new``, reduced to the words in which they differ."""
    if old is None or new is None:
        return f"{_quoted(old, width)} → {_quoted(new, width)}"
    before, after = old.split(" "), new.split(" ")
    head = len(posixpath.commonprefix([before, after]))
    rest, other = before[head:], after[head:]
    tail = len(posixpath.commonprefix([rest[::-1], other[::-1]]))
    rest, other = rest[: len(rest) - tail], other[: len(other) - tail]
    if not rest and not other:
        rest, other = before, after
    return f"{_quoted(' '.join(rest), width)} → {_quoted(' '.join(other), width)}"


def _quoted(text: str | None, width: int) -> str:
    if text is None:
        return "unset"
    return f'"{_cut(text, width)}"'


def _cut(text: str, width: int = 40) -> str:
    return shortened(readable(text), width)
