"""Fixes for needless reinstallations: other orders of steps, tried on the cache model.

The model says which environment step misses and which step is the root of that miss; the root is
moved, and the model is asked again, until every environment step hits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace

from ..cache import Dialect, Snapshot
from ..cache.prediction import Comparison
from ..context.edits import apply_argument_edits
from ..dockerfile import declared, stage_chain, stages_of
from ..dockerfile.instructions import mounts
from ..environments.tools import tool_of
from ..errors import DockerCacheError
from ..model import Edit
from ..regexes import regex
from ..values import dataclass
from .cutting import cut_above
from .effects import effects_of
from .mounting import narrowed
from .ordering import Obstacle, Order, described, sunk, unlocated
from .site import Site
from .splitting import parted_declaration, splits
from .touched import spoken

__all__ = ["Rewriting", "reordered"]

_MOST_CHANGES = 12
_MOST_DRAFTS = 32


@dataclass(frozen=True)
class Rewriting:
    """A rewritten Dockerfile with a description of the changes, or only the obstacle in words."""

    text: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Missed:
    """An environment step that does not plainly hit, and the step at the root of its miss."""

    line: int
    root: int | None


@dataclass(frozen=True)
class _Trial:
    """One draft of the Dockerfile; ``edits`` are the changes that must become harmless.

    ``budget`` holds the number of drafts that may still be tried, one for all drafts of a fix.
    ``origins`` maps the first line of each instruction of the draft to its line in the user's
    Dockerfile, 0 for a new instruction; ``done`` describes the changes so far; ``wanted`` are the
    user's lines of the environment steps in question, None for all environment steps.
    """

    site: Site
    edits: tuple[Edit, ...]
    dialect: Dialect
    origins: Mapping[int, int]
    done: tuple[str, ...] = ()
    wanted: frozenset[int] | None = None
    nonce: str = "fixing"
    budget: list[int] = field(default_factory=lambda: [_MOST_DRAFTS])

    def missed(self, site: Site, back: Mapping[int, int]) -> list[_Missed]:
        """The environment steps of a draft that do not plainly hit after the edits.

        ``back`` maps the lines of the draft to the lines of :attr:`site`.
        """
        before = site.snapshot
        spec = apply_argument_edits(site.spec, self.edits, self.nonce, _defaults(before))
        after = before.after(spec, self.edits, nonce=self.nonce)
        said = Comparison(before, after, self.dialect).run().predictions
        installs = {
            step.line
            for step, command in zip(site.steps, site.commands, strict=True)
            if command is not None and self._is_wanted(back.get(step.line, 0))
        }
        return [
            _Missed(item.step.line, item.root.line if item.root is not None else None)
            for item in said
            if item.runs and item.step.line in installs and item.status != "hit"
        ]

    def _is_wanted(self, line: int) -> bool:
        return self.wanted is None or self.origins.get(line, 0) in self.wanted

    def original(self, line: int) -> int:
        """A line of the draft as the user knows it."""
        return self.origins.get(line) or line


def _defaults(snapshot: Snapshot) -> dict[str, str]:
    defaults: dict[str, str] = {}
    for instruction in snapshot.dockerfile.instructions:
        if instruction.keyword == "ARG":
            for name, value in declared(instruction):
                if value is not None:
                    defaults.setdefault(name, value.strip("\"'"))
    return defaults


_ON_PURPOSE = regex(
    r"CACHE_?(BUST|BREAK|DATE|KILL|INVALID|KEY)|BUST_?CACHE|NO_?CACHE|FORCE_?(RE)?BUILD"
    r"|FORCE_?(RE)?INSTALL|FORCE_?UPDATE",
    re.IGNORECASE,
)
"""Names of arguments that people change in order to run steps again."""


def reordered(
    site: Site, edits: Sequence[Edit], dialect: Dialect, lines: Collection[int] | None = None
) -> Rewriting:
    """A Dockerfile in which these edits leave the environment steps (at ``lines``) hits.

    There is no fix for an argument that exists to install again on purpose, by its name.
    """
    for edit in edits:
        if edit.kind == "build-arg" and _ON_PURPOSE.search(edit.path or ""):
            words = f"build argument {edit.path} seems to be there to install again on purpose"
            return Rewriting(None, (f"{words}: move it yourself if it is not",))
    origins = {step.line: step.line for step in site.steps}
    wanted = None if lines is None else frozenset(lines)
    trial = _Trial(site, tuple(edits), dialect, origins, wanted=wanted)
    return _improved(trial, _MOST_CHANGES)


def _improved(trial: _Trial, left: int) -> Rewriting:
    """Move the guilty steps, one root after the other, always from the same draft."""
    trial.budget[0] -= 1
    if trial.budget[0] < 0:
        return Rewriting(None, ())
    site = trial.site
    guilty: dict[int, set[int]] = {}
    order: Order | None = None
    draft = site
    for _ in range(_MOST_CHANGES):
        try:
            back = {step.line: step.line for step in site.steps} if order is None else order.origins
            missed = trial.missed(draft, back)
        except DockerCacheError:
            return Rewriting(None, ())
        if not missed:
            words = () if order is None else (described(site, order, trial.origins),)
            changed = trial.done or order is not None
            return Rewriting(draft.text if changed else None, (*trial.done, *words))
        found = _culprits(trial, draft, missed[0], order)
        if isinstance(found, Rewriting):
            return found
        last, more = found
        if more <= guilty.get(last, set()):
            return Rewriting(None, ())
        if more == {last}:
            mounted = _mounted(trial, last, left)
            if mounted is not None:
                return mounted
            return _parted(trial, Obstacle(last, last, None, _mounting(trial, last)), left)
        if _is_of_another_stage(site, min(more), last):
            if order is not None:
                return _one_by_one(trial, order, draft, left)
            cut = _cut(trial, min(more), last, left)
            if cut is not None and cut.text is not None:
                return cut
        guilty[last] = guilty.get(last, set()) | more
        if len(guilty) > 1:
            return _one_by_one(trial, order, draft, left)
        edited = [edit.path for edit in trial.edits if edit.path and edit.kind != "build-arg"]
        made = sunk(site, guilty[last], last, edited)
        if isinstance(made, Obstacle):
            return _parted(trial, made, left)
        order, draft = made, site.rewritten(made.text)
    return Rewriting(None, ())


def _one_by_one(trial: _Trial, order: Order | None, draft: Site, left: int) -> Rewriting:
    """Keep the changes of one stage, and go on with the next stage."""
    if order is None or left <= 1:
        return Rewriting(None, ())
    words = described(trial.site, order, trial.origins)
    origins = {new: trial.origins.get(old, 0) for new, old in order.origins.items()}
    done = (*trial.done, words)
    return _improved(replace(trial, site=draft, origins=origins, done=done), left - 1)


def _is_of_another_stage(site: Site, guilty: int, last: int) -> bool:
    return site.steps[guilty].stage.index != site.steps[last].stage.index


def _cut(trial: _Trial, guilty: int, last: int, left: int) -> Rewriting | None:
    """Let the installation stand on a stage of its own where the guilty step is another stage's."""
    site = trial.site
    if left <= 1:
        return None
    arguments = any(edit.kind == "build-arg" for edit in trial.edits)
    # What is installed by name alone may as well go into the stage above: its author has to choose.
    if not arguments and not effects_of(site, last).inputs:
        return None
    without = "arguments" if arguments else "source"
    made = cut_above(site, guilty, last, trial.dialect, without)
    if made is None:
        return None
    words = made.words.format(line=trial.original(site.steps[guilty].line))
    origins = {new: trial.origins.get(old, 0) for new, old in made.origins.items()}
    try:
        draft = site.rewritten(made.text)
    except DockerCacheError:
        return None
    again = replace(trial, site=draft, origins=origins, done=(*trial.done, words))
    return _improved(again, left - 1)


def _mounted(trial: _Trial, position: int, left: int) -> Rewriting | None:
    """Mount only the files that an installation reads, instead of their directory."""
    site = trial.site
    made = narrowed(site, position)
    if made is None or left <= 1:
        return None
    source, paths = made
    line = site.steps[position].line
    sheet = site.sheet.replaced(line, source)
    origins = {new: trial.origins.get(old, 0) for new, old in sheet.origins.items()}
    words = f"mount only {', '.join(paths)} in line {trial.original(line)}"
    again = replace(
        trial, site=site.rewritten(sheet.text), origins=origins, done=(*trial.done, words)
    )
    return _improved(again, left - 1)


def _mounting(trial: _Trial, position: int) -> str:
    """Why an installation runs again although no step above it changes; "" if unknown."""
    step = trial.site.steps[position]
    if not any(mount.type == "bind" and not mount.origin for mount in mounts(step.instruction)):
        return ""
    mounting = f"line {trial.original(step.line)} mounts the directory that the edit is in"
    return f"{mounting}: mount only the files that it reads"


def _culprits(
    trial: _Trial, draft: Site, missed: _Missed, order: Order | None
) -> Rewriting | tuple[int, set[int]]:
    """The last install of the missing stage, and the guilty steps: positions in the trial's site.

    ``draft`` is the site after ``order``.
    """
    site = trial.site
    back = {step.line: step.line for step in site.steps} if order is None else order.origins
    installs = draft.position(missed.line)
    lost = unlocated(draft, installs)
    if lost is not None:
        line = trial.original(back.get(missed.line, 0))
        return Rewriting(None, (f"where {lost} in line {line} comes from is not known",))
    guilty = _guilty(trial, draft, missed, installs)
    lines = {back.get(draft.steps[position].line, 0) for position in guilty}
    if not guilty or 0 in lines:
        return Rewriting(None, ())
    last = site.position(back[missed.line])
    if guilty != {installs}:
        last = _last_install(site, last)
    return last, {site.position(line) for line in lines}


def _parted(trial: _Trial, obstacle: Obstacle, left: int) -> Rewriting:
    """Try to part the RUN that stands in the way, or the line that declares too much."""
    site = trial.site
    if obstacle.conflict is not None and obstacle.conflict.kind == "variable" and left > 1:
        for position in dict.fromkeys((obstacle.moves, obstacle.stays)):
            texts = parted_declaration(site, position)
            found = None if texts is None else _declared_apart(trial, position, texts, left)
            if found is not None and found.text is not None:
                return found
    is_run = site.steps[obstacle.stays].instruction.keyword == "RUN"
    if is_run and left > 1 and not obstacle.final:
        drafts = list(_split(trial, site.steps[obstacle.stays].line))
        # One cut that is enough is better than two.
        for more in dict.fromkeys((1, min(left - 1, 4))):
            for draft in drafts:
                found = _improved(draft, more)
                if found.text is not None:
                    return found
    words = hindrance(site, obstacle, trial.origins)
    return Rewriting(None, (words,) if words else ())


def _split(trial: _Trial, line: int) -> Iterator[_Trial]:
    """The drafts in which the RUN at a line is two, the first of which installs if the RUN does."""
    site = trial.site
    for split in splits(site, line):
        sheet = site.sheet.replaced(line, split.first, split.second)
        try:
            draft = site.rewritten(sheet.text)
            here = next(new for new, old in sheet.origins.items() if old == line)
            installs = draft.commands[draft.position(here)]
        except (DockerCacheError, KeyError):
            continue
        if installs is None and site.commands[site.position(line)] is not None:
            continue
        origins = {new: trial.origins.get(old, 0) for new, old in sheet.origins.items()}
        words = split.words.format(line=trial.original(line))
        yield replace(trial, site=draft, origins=origins, done=(*trial.done, words))


def _declared_apart(
    trial: _Trial, position: int, texts: Sequence[str], left: int
) -> Rewriting | None:
    line = trial.site.steps[position].line
    sheet = trial.site.sheet.replaced(line, *texts)
    origins = {new: trial.origins.get(old, 0) for new, old in sheet.origins.items()}
    words = f"give each variable of line {trial.original(line)} a line"
    try:
        draft = trial.site.rewritten(sheet.text)
    except DockerCacheError:
        return None
    again = replace(trial, site=draft, origins=origins, done=(*trial.done, words))
    return _improved(again, min(left - 1, 4))


def _last_install(site: Site, position: int) -> int:
    """The last environment step of the same stage."""
    stage = site.steps[position].stage.index
    return max(
        p
        for p, command in enumerate(site.commands)
        if command is not None and site.steps[p].stage.index == stage
    )


def _guilty(trial: _Trial, draft: Site, missed: _Missed, installs: int) -> set[int]:
    """The positions in the draft of the steps that make an environment step miss."""
    names = {edit.path for edit in trial.edits if edit.kind == "build-arg"}
    own = draft.steps[installs].stage.index
    chain = {stage.index for stage in stage_chain(stages_of(draft.steps), own)}
    above = [p for p in range(installs) if draft.steps[p].stage.index in chain]
    if names:
        declaring = {
            p
            for p in above
            if draft.steps[p].instruction.keyword == "ARG"
            and names & {name for name, _ in declared(draft.steps[p].instruction)}
        }
        if declaring:
            return declaring
    if missed.root is None:
        return {installs}
    return set([p for p in above if draft.steps[p].line == missed.root][-1:])


def _installs_project(site: Site, position: int) -> bool:
    command = site.commands[position]
    return command is not None and any(
        item.project or item.with_project for item in command.installations
    )


def _split_of(site: Site, position: int) -> str:
    """The command that fetches what a build of another language needs; "" if none is known."""
    command = site.commands[position]
    found = () if command is None else command.installations
    tools = [tool_of(item.tool) for item in found if item.with_project]
    return next((tool.split for tool in tools if tool is not None), "")


def hindrance(site: Site, obstacle: Obstacle, origins: Mapping[int, int]) -> str:
    """A sentence that says what to separate, as no order of steps helps; "" if unknown."""

    def line(position: int) -> str:
        written = site.steps[position].line
        return f"line {origins.get(written) or written}"

    found = obstacle.conflict
    stays, moves = line(obstacle.stays), line(obstacle.moves)
    if obstacle.text:
        return obstacle.text
    if found is None:
        return ""
    effects = effects_of(site, obstacle.stays)
    split = _split_of(site, obstacle.stays)
    if split and found.kind not in ("variable", "state", "unknown"):
        return (
            f"{stays} builds the project together with all that it depends on: fetch that with "
            f"{split} in a step above the source, from its manifests and lock alone"
        )
    if effects.projects and found.kind not in ("variable", "state"):
        manifest, words = effects.projects[0]
        origin = site.visible(obstacle.stays).get(manifest, manifest)
        return (
            f"{origin} installs a part of the project itself ({words}): "
            "install it apart from the dependencies"
        )
    if (
        found.kind == "reads"
        and found.needs is not None
        and _installs_project(site, obstacle.stays)
    ):
        return (
            f"{stays} installs the project itself together with all that it depends on: list its "
            "dependencies in a file, and install that in a step above the source"
        )
    if found.kind == "unknown":
        return f"{found.what}: separate it from {moves}"
    if found.kind == "variable":
        written = site.steps[obstacle.moves].instruction
        if written.keyword == "ARG" and len(declared(written)) > 1:
            return f"{moves} declares {found.what} too, which {stays} uses: give each a line"
        return f"{stays} uses {found.what}: separate that from the installation"
    if found.kind == "reads":
        brought = f"{stays} reads {spoken(found.what)}, which {moves} brings"
        return f"{brought}: separate what it reads from the rest"
    return f"{moves} and {stays} both touch {spoken(found.what)}: separate them"
