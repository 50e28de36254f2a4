"""Fixes for the waste in an image: caches, bytecode, hidden bytes.

A RUN has to remove the files that it leaves behind: a later RUN frees nothing. Files that a COPY
brings have to be removed in the stage that they come from, or left out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial

from ..context.gomatch import has_wildcard
from ..dockerfile import PlannedStep, Transfer, declared, stage_chain, stages_of
from ..dockerfile.instructions import mounts
from ..errors import DockerCacheError
from ..regexes import regex
from ..values import dataclass
from .directories import parents
from .editing_runs import appended, chain_at, joined, told_before, without_segment
from .effects import effects_of
from .leaving_out import leaving_out, without_bytecode_of_image
from .reinstalling import Rewriting
from .site import Site
from .standing_between import conflict
from .touched import Effects, Paths

__all__ = ["Hidden", "Waste", "without_bytecode", "without_caches", "without_hidden"]


@dataclass(frozen=True)
class Waste:
    """Files in the directory ``path`` of the layer of the instruction at ``line``.

    ``kind`` is the tool to which a cache belongs (``conda``, ``pip``), ``bytecode`` for ``.pyc``
    files. ``torn`` says that the bytes are copies of linked files, made by a change of owner or
    mode.
    """

    line: int
    path: str
    kind: str = "bytecode"
    torn: bool = False


@dataclass(frozen=True)
class Hidden:
    """Files that the instruction at ``line`` adds and the instruction at ``hidden_by`` hides.

    ``how`` is ``deletes``, ``replaces`` or ``changes``.
    """

    line: int
    hidden_by: int
    path: str
    how: str


@dataclass(frozen=True)
class _Draft:
    """The Dockerfile so far; ``origins`` maps its lines to the user's."""

    site: Site
    origins: Mapping[int, int]
    words: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())
    mounts: bool = True

    def line(self, written: int) -> int:
        """The line in this draft of the instruction at a line of the user's Dockerfile."""
        return next((new for new, old in self.origins.items() if old == written), 0)

    def replaced(self, line: int, text: str | None, words: str) -> _Draft:
        """The draft with another instruction at a line of its own; None for no instruction."""
        sheet = self.site.sheet
        sheet = sheet.without([line]) if text is None else sheet.replaced(line, text)
        origins = {new: self.origins.get(old, 0) for new, old in sheet.origins.items()}
        return replace(
            self,
            site=self.site.rewritten(sheet.text),
            origins=origins,
            words=(*self.words, words) if words else self.words,
        )

    def split(self, line: int, texts: Sequence[str]) -> _Draft:
        """The draft with several instructions in place of one."""
        sheet = self.site.sheet.replaced(line, *texts)
        origins = {new: self.origins.get(old, 0) for new, old in sheet.origins.items()}
        return replace(self, site=self.site.rewritten(sheet.text), origins=origins)

    def hindered(self, words: str) -> _Draft:
        return replace(self, problems=(*self.problems, words))

    def step(self, line: int) -> PlannedStep:
        return self.site.steps[self.site.position(line)]

    def result(self) -> Rewriting:
        if self.problems:
            return Rewriting(None, self.problems[:1])
        return Rewriting(self.site.text if self.words else None, self.words)


def _begun(site: Site) -> _Draft:
    return _Draft(site, {step.line: step.line for step in site.steps})


# -- package caches


def without_caches(site: Site, waste: Sequence[Waste], *, mounts: bool = True) -> Rewriting:
    """A Dockerfile whose steps leave no package caches in these places.

    ``mounts`` says whether the builder is BuildKit, which has more options of a COPY.
    """
    draft = replace(_begun(site), mounts=mounts)
    torn = _torn_links(site, waste)
    if torn is not None:
        return torn
    for line in sorted({item.line for item in waste}):
        places = [item for item in waste if item.line == line]
        draft = _guarded(draft, line, partial(_cleaned, waste=places))
    return draft.result()


def _guarded(draft: _Draft, line: int, change: Callable[[_Draft, int], _Draft]) -> _Draft:
    here = draft.line(line)
    if not here:
        return draft.hindered(f"line {line} is not found again")
    try:
        return change(draft, here)
    except DockerCacheError as problem:
        return draft.hindered(problem.verdict)
    except KeyError as problem:
        return draft.hindered(str(problem))


def _torn_links(site: Site, waste: Sequence[Waste]) -> Rewriting | None:
    """Packages whose links a later chown or chmod tears: both in one RUN keep them linked."""
    lines = {item.line for item in waste if item.torn}
    if len(lines) != 1 or not all(item.torn for item in waste):
        return None
    (line,) = lines
    chain = chain_at(site, line)
    if chain is None or not all(re.match(r"(chown|chmod|chgrp)\b", s) for s in chain.segments):
        return None
    position = site.position(line)
    for earlier in range(position - 1, -1, -1):
        if site.steps[earlier].stage.index != site.steps[position].stage.index:
            break
        if site.commands[earlier] is not None:
            return _joined(_begun(site), site.steps[earlier].line, line).result()
    return None


def _cleaned(draft: _Draft, line: int, waste: Sequence[Waste]) -> _Draft:
    step = draft.step(line)
    if step.instruction.keyword in ("COPY", "ADD"):
        return _copied_waste(draft, line, waste)
    source = draft.site.sheet.source(line)
    new, words = source, []
    rest: list[Waste] = []
    for item in waste:
        flagged = _without_cache(new, item.kind)
        if flagged is None:
            rest.append(item)
        elif flagged[0] != new:
            new = flagged[0]
            words.append(f"give {flagged[1]} in line {draft.origins.get(line) or line}")
    if words:
        draft = draft.replaced(line, new, " and ".join(words))
    held = next((item.path for item in rest if _holds_more(draft.site, item.path)), None)
    if held is not None:
        return draft.hindered(f"{held} holds more than a cache: let its tool keep none there")
    later = _needing(draft.site, line, waste)
    if later is not None:
        shown = draft.origins.get(later) or later
        return draft.hindered(
            f"line {shown} needs what line {draft.origins.get(line) or line} keeps in "
            f"{waste[0].path}: make one RUN of both, which removes it at its end"
        )
    removal = _removal(draft.step(line), rest)
    if removal:
        return _with_command(draft, line, removal)
    return draft


_FROM_CACHE = regex(r"--(prefer-)?offline\b|\b\w*OFFLINE=(1|true|yes)\b|--use-index-cache\b")
_APT = regex(r"\b(apt|apt-get|aptitude)\s")


def _needing(site: Site, line: int, waste: Sequence[Waste]) -> int | None:
    """The line of a later step that needs caches which a step fills, None if there is none."""
    position = site.position(line)
    own = site.steps[position].stage.index
    gone = Paths(trees=frozenset(item.path for item in waste))
    kinds = {item.kind for item in waste}
    updated: set[int] = set()
    for step in site.steps[position + 1 :]:
        stages = {stage.index for stage in stage_chain(stages_of(site.steps), step.stage.index)}
        for transfer in step.transfers:
            sources = frozenset(posixpath.join("/", source) for source in transfer.sources)
            if transfer.origin == own and any(
                _within(source, path) for source in sources for path in gone.trees
            ):
                return step.line
        if own not in stages or step.instruction.keyword != "RUN":
            continue
        text = step.instruction.text
        if "apt" in kinds and step.stage.index not in updated and _APT.search(text):
            if not re.search(r"\b(apt|apt-get|aptitude)\s+(-\S+\s+)*update\b", text):
                return step.line
            updated.add(step.stage.index)
        if _FROM_CACHE.search(text) and kinds - {"apt"}:
            return step.line
    return None


_SHARED = frozenset(
    ["/bin", "/etc", "/home", "/lib", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local", "/var"]
)


def _holds_more(site: Site, path: str) -> bool:
    """Whether a directory may hold more than a cache."""
    if path.rstrip("/") in _SHARED or path == "/":
        return True
    for position, step in enumerate(site.steps):
        if step.instruction.keyword in ("COPY", "ADD"):
            writes = effects_of(site, position).writes
            if any(_within(place, path) for place in (*writes.files, *writes.trees)):
                return True
        if _within(step.workdir, path) and step.workdir != "/":
            return True
    return False


_NO_CACHE: Mapping[str, tuple[re.Pattern[str], str]] = {
    "pip": (regex(r"\bpip[0-9.]*\s+(?:install|wheel|download)\b"), "--no-cache-dir"),
    # uv venv caches the interpreter's answers too.
    "uv": (
        regex(r"\buv\s+(?:pip\s+(?:install|sync)|sync|add|tool\s+install|venv|export)\b"),
        "--no-cache",
    ),
}


def _without_cache(source: str, kind: str) -> tuple[str, str] | None:
    """A RUN whose installer keeps no cache, and the option; None where no option does it."""
    if kind not in _NO_CACHE:
        return None
    expression, option = _NO_CACHE[kind]
    if kind == "pip" and re.search(r"\buv\s+pip\b", source):
        return None
    found = list(expression.finditer(source))
    if not found:
        return None
    for match in reversed(found):
        end = match.end()
        command = re.match(r"[^&|;\n]*", source[end:])
        if command is not None and re.search(rf"{option}(\s|\Z)", command[0]):
            continue
        source = f"{source[:end]} {option}{source[end:]}"
    source = re.sub(r"\s--cache-dir(=|\s+)(\"[^\"]*\"|'[^']*'|\S+)", "", source)
    return source, option


_CONDA = regex(
    r"((?:/[\w.-]+)*/?\b(?:micromamba|mamba|conda))\s+(?:-\S+\s+)*"
    r"(?:env|install|create|update|remove)\b"
)
"""The tool as a RUN calls it, since a tool that is called by its path may not be on PATH."""


def _removal(step: PlannedStep, waste: Sequence[Waste]) -> str:
    """The command that removes these places in the RUN that makes them."""
    commands: dict[str, None] = {}
    places: list[str] = []
    for item in waste:
        text = step.instruction.text
        tool = _CONDA.search(text) or re.search(r"\b(micromamba|mamba|conda)\b", text)
        if item.kind.startswith("conda") and tool and item.path.rstrip("/").endswith("/pkgs"):
            commands[f"{tool[1]} clean --all --force-pkgs-dirs --yes"] = None
        elif item.kind == "apt" and item.path.startswith("/var/lib/apt/lists"):
            places.append("/var/lib/apt/lists/*")
        else:
            places.append(_word(item.path))
    if places:
        commands[f"rm -rf {' '.join(dict.fromkeys(places))}"] = None
    return " && ".join(commands)


def _word(path: str) -> str:
    return path if re.fullmatch(r"[\w./@%+=:,-]+", path) else "'" + path.replace("'", "'\\''") + "'"


def _with_command(draft: _Draft, line: int, command: str) -> _Draft:
    written = draft.origins.get(line) or line
    if _is_mounted(draft.step(line), command):
        return draft.hindered(
            f"line {written} mounts a part of what it would have to clean: let it leave its own "
            "files in another directory"
        )
    new = appended(draft.site, line, command)
    if new is None:
        return draft.hindered(f"the RUN in line {written} has to do {command!r} at its end")
    return draft.replaced(line, new, f'do "{command}" at the end of the RUN in line {written}')


_PLACE = regex(r"(?<![\w.])(?:/|~/)[\w./@%+=:,~-]*")


def _is_mounted(step: PlannedStep, text: str) -> bool:
    """Whether shell text names a place where a RUN mounts something, or that holds such a place.

    A mount cannot be removed, and what a bind mount holds cannot be changed.
    """
    named = [posixpath.normpath(found[0]) for found in _PLACE.finditer(text)]
    named = [re.sub(r"\A~", "/root", place) for place in named]
    targets = [
        posixpath.normpath(posixpath.join("/", step.workdir, mount.target))
        for mount in mounts(step.instruction)
        if mount.target
    ]
    return any(
        _within(target, place) or _within(place, target) for target in targets for place in named
    )


def _copied_waste(draft: _Draft, line: int, waste: Sequence[Waste]) -> _Draft:
    """Leave out a COPY that brings only waste; else remove the waste in the stage of its files."""
    site, step = draft.site, draft.step(line)
    written = draft.origins.get(line) or line
    transfer = step.transfers[0] if step.transfers else None
    if transfer is None or transfer.origin == "context":
        return draft.hindered(f"keep the waste out of what line {written} copies")
    if isinstance(transfer.origin, str):
        return _copied_from_image(draft, line, waste, written)
    destination = posixpath.normpath(transfer.destination)
    if waste[0].kind != "bytecode" and any(_within(destination, item.path) for item in waste):
        position = site.position(line)
        later = [
            p
            for p in range(position + 1, len(site.steps))
            if site.steps[p].stage.index == step.stage.index
        ]
        if any(_reads(site, position, p) for p in later) or _is_read_elsewhere(site, step):
            return draft.hindered(f"line {written} copies a package cache that other lines use")
        return draft.replaced(line, None, f"leave out line {written}: it copies a package cache")
    return _in_stage(draft, transfer, waste, written)


def _copied_from_image(draft: _Draft, line: int, waste: Sequence[Waste], written: int) -> _Draft:
    """Leave a package cache of another image out of what a COPY takes from it."""
    site = draft.site
    position = site.position(line)
    failed = draft.hindered(f"keep the waste out of what line {written} copies")
    gone = Paths(trees=frozenset(item.path for item in waste))
    for p in range(position + 1, len(site.steps)):
        step = site.steps[p]
        if step.stage.index == site.steps[position].stage.index and (
            site.commands[p] is not None or _touches(effects_of(site, p), step, gone)
        ):
            return failed
    made = leaving_out(site, line, [item.path for item in waste], draft.mounts)
    if made is None or any(_holds_more(site, item.path) for item in waste):
        return failed
    draft = replace(draft, words=(*draft.words, made.words.format(line=written)))
    return draft.split(line, made.sources)


def _reads(site: Site, copied: int, later: int) -> bool:
    effects = effects_of(site, later)
    if site.steps[later].instruction.keyword != "RUN":
        return False
    return (
        bool(effects.unknown) or effects.reads.meeting(effects_of(site, copied).writes) is not None
    )


def _is_read_elsewhere(site: Site, step: PlannedStep) -> bool:
    """Whether another stage stands on the stage of a step, or copies from it."""
    index = step.stage.index
    return any(
        other.stage.parent == index or any(t.origin == index for t in other.transfers)
        for other in site.steps
    )


def _within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")


def _in_stage(draft: _Draft, transfer: Transfer, waste: Sequence[Waste], written: int) -> _Draft:
    """Remove waste by the RUN of the stage that a COPY takes it from."""
    instead = f"remove it in the stage that line {written} copies from"
    places = [(item, _back(transfer, item.path)) for item in waste]
    if any(place is None for _, place in places):
        return draft.hindered(instead)
    there = [replace(item, path=place or "") for item, place in places]
    maker = _maker(draft.site, transfer.origin, [item.path for item in there])
    if maker is None:
        return draft.hindered(instead)
    line = draft.site.steps[maker].line
    if waste[0].kind == "bytecode":
        return _with_command(draft, line, _deletion([item.path for item in there]))
    return _with_command(draft, line, _removal(draft.site.steps[maker], there))


def _back(transfer: Transfer, path: str) -> str | None:
    """Where a path of a COPY's destination comes from in its stage."""
    if len(transfer.sources) != 1 or re.search(r"[*?\[]", transfer.sources[0]):
        return None
    source = "/" + transfer.sources[0].strip("/")
    destination = posixpath.normpath(transfer.destination)
    if _within(path, destination):
        return posixpath.normpath(source + path[len(destination.rstrip("/")) :])
    if _within(destination, path):
        return source
    return None


def _maker(site: Site, stage: int | str, places: Sequence[str]) -> int | None:
    """The RUN of a stage behind which nothing is written to these places; None if there is none.

    That is the RUN that installs last, if no later RUN of the stage may write there; else its last
    RUN; and one of the stages that it is built from, if it has none of its own.
    """
    written = Paths(trees=frozenset(places))
    for holding in stage_chain(stages_of(site.steps), stage):
        steps = [p for p, step in enumerate(site.steps) if step.stage.index == holding.index]
        own = [p for p in steps if site.steps[p].instruction.keyword == "RUN"]
        writing = [p for p in own if _may_write(site, p, written)]
        found = (writing or own)[-1:]
        after = found[0] if found else -1
        copies = [p for p in steps if p > after and p not in own]
        if any(effects_of(site, p).writes.meeting(written) is not None for p in copies):
            return None
        if found:
            return found[0] if _may_remove(site, own, found[0]) else None
    return None


def _may_write(site: Site, position: int, places: Paths) -> bool:
    effects = effects_of(site, position)
    if site.commands[position] is not None or effects.unknown:
        return True
    return effects.writes.meeting(places) is not None


def _may_remove(site: Site, runs: Sequence[int], position: int) -> bool:
    """Whether a RUN is done by root, or by the user who did all RUNs of its stage so far."""
    user = site.steps[position].user.split(":")[0]
    return user in ("", "0", "root") or all(
        site.steps[p].user.split(":")[0] == user for p in runs if p <= position
    )


# -- bytecode


def without_bytecode(site: Site, waste: Sequence[Waste], *, mounts: bool = True) -> Rewriting:
    """A Dockerfile whose steps leave no bytecode in these places.

    ``mounts`` says whether the builder is BuildKit, which has more options of a COPY.
    """
    draft = replace(_begun(site), mounts=mounts)
    asked = _asked_for(site)
    for line in sorted({item.line for item in waste}):
        step = site.steps[site.position(line)]
        if "compileall" in step.instruction.text:
            return Rewriting(
                None, (f"line {line} compiles on purpose (compileall): leave that out",)
            )
        uses_uv = re.search(r"\buv\b", step.instruction.text)
        if uses_uv and "--compile-bytecode" in step.instruction.text:
            draft = _guarded(draft, line, _not_compiling)
            continue
        if uses_uv and asked and not _is_compiled_by_pip(step):
            continue
        paths = [item.path for item in waste if item.line == line]
        draft = _guarded(draft, line, partial(_undone, paths=paths))
    for line in asked:
        draft = _guarded(draft, line, _without_variable)
    return draft.result()


def _is_compiled_by_pip(step: PlannedStep) -> bool:
    return re.search(r"(?<!uv )\bpip[0-9.]*\s+install", step.instruction.text) is not None


_COMPILES = "UV_COMPILE_BYTECODE"


def _asked_for(site: Site) -> list[int]:
    """The lines of ENV and ARG that make uv compile."""
    found = []
    for step in site.steps:
        if step.instruction.keyword in ("ENV", "ARG") and not step.triggered:
            for name, value in declared(step.instruction, step.escape):
                if name == _COMPILES and (value or "").strip("\"'").lower() in ("1", "true", "yes"):
                    found.append(step.line)
    return found


def _not_compiling(draft: _Draft, line: int) -> _Draft:
    source = re.sub(r"\s--compile-bytecode\b", "", draft.site.sheet.source(line))
    written = draft.origins.get(line) or line
    return draft.replaced(line, source, f"leave out --compile-bytecode in line {written}")


def _without_variable(draft: _Draft, line: int) -> _Draft:
    """An ENV or ARG without UV_COMPILE_BYTECODE."""
    step = draft.step(line)
    written = draft.origins.get(line) or line
    words = f"leave out {_COMPILES} in line {written}"
    names = [name for name, _ in declared(step.instruction, step.escape)]
    if names == [_COMPILES]:
        return draft.replaced(line, None, words)
    source = draft.site.sheet.source(line)
    assignment = re.compile(rf"{_COMPILES}=(\"[^\"]*\"|'[^']*'|[^\s\\]*)[ \t]*(\\\n[ \t]*)?")
    new = assignment.sub("", source, count=1)
    new = re.sub(r"[ \t]*(\\\n?)?\s*\Z", "", new)
    if new == source or _COMPILES in new:
        return draft.hindered(f"leave {_COMPILES} out of line {written}")
    return draft.replaced(line, new, words)


def _undone(draft: _Draft, line: int, paths: Sequence[str]) -> _Draft:
    step = draft.step(line)
    written = draft.origins.get(line) or line
    if step.instruction.keyword not in ("COPY", "ADD"):
        return _with_command(draft, line, _deletion(paths))
    transfer = step.transfers[0] if step.transfers else None
    if transfer is None or not isinstance(transfer.origin, int):
        made = without_bytecode_of_image(draft.site, line) if draft.mounts else None
        if made is None:
            return draft.hindered(f"keep __pycache__ out of what line {written} copies")
        return draft.replaced(line, made.sources[0], made.words.format(line=written))
    return _in_stage(draft, transfer, [Waste(line, path) for path in paths], written)


def _deletion(paths: Iterable[str]) -> str:
    return f"find {' '.join(_word(path) for path in dict.fromkeys(paths))} -name '*.pyc' -delete"


# -- hidden bytes


def without_hidden(site: Site, hidden: Sequence[Hidden], *, mounts: bool = True) -> Rewriting:
    """A Dockerfile in which these bytes are not hidden, because no layer carries them twice.

    ``mounts`` says whether the builder knows ``RUN --mount`` and ``COPY --chmod``.
    """
    draft = replace(_begun(site), mounts=mounts)
    problem = ""
    for item in hidden:
        first, second = draft.line(item.line), draft.line(item.hidden_by)
        if not first or not second:
            continue
        try:
            made = _revealed(draft, first, second, item)
        except (DockerCacheError, KeyError):
            continue
        if made.problems:
            problem = problem or made.problems[0]
            continue
        draft = made
    if not draft.words:
        return Rewriting(None, (problem,) if problem else ())
    return draft.result()


def _revealed(draft: _Draft, first: int, second: int, item: Hidden) -> _Draft:
    one, other = draft.step(first), draft.step(second)
    keywords = (one.instruction.keyword, other.instruction.keyword)
    if one.stage.index != other.stage.index:
        return draft.hindered("the two lines belong to different stages")
    if keywords == ("RUN", "RUN"):
        return _joined(draft, first, second)
    if keywords[0] in ("COPY", "ADD") and keywords[1] == "RUN":
        if item.how == "changes":
            return _owned(draft, first, second)
        if item.how == "deletes":
            return _not_brought(draft, first, second, item)
    return draft.hindered(
        f"line {item.line} and line {item.hidden_by} both make {item.path}: give up one of them"
    )


def _joined(draft: _Draft, first: int, second: int) -> _Draft:
    """The second RUN as the end of the first, if nothing between them stands against it."""
    site = draft.site
    a, b = site.position(first), site.position(second)
    shown = (draft.origins.get(first) or first, draft.origins.get(second) or second)
    for between in range(a + 1, b):
        if site.steps[between].stage.index != site.steps[a].stage.index:
            continue
        found = conflict(site, between, b)
        if found is not None:
            line = draft.origins.get(site.steps[between].line) or site.steps[between].line
            return draft.hindered(
                f"line {shown[1]} deletes or changes what line {shown[0]} makes, and needs line "
                f"{line} between them ({found.what}): separate the two parts of line {shown[1]}"
            )
    text = joined(site, first, second)
    chain = chain_at(site, second)
    if chain is not None and _is_mounted(site.steps[a], " ".join(chain.segments)):
        return draft.hindered(
            f"line {shown[1]} deletes what line {shown[0]} mounts, besides what it makes: separate "
            "the two"
        )
    one = chain_at(site, first)
    told = "" if one is None or chain is None else told_before(one, chain)
    if told:
        return draft.hindered(
            f"line {shown[1]} does more than delete what line {shown[0]} makes, whose shell was "
            f'told "{told}": separate the two parts of line {shown[1]}'
        )
    if text is None:
        return draft.hindered(
            f"line {shown[1]} has to be a part of the RUN in line {shown[0]}, which is no plain "
            "chain of commands"
        )
    removed = draft.replaced(second, None, "")
    here = removed.line(shown[0])
    return removed.replaced(here, text, f"join line {shown[1]} to line {shown[0]}")


_CHOWN = regex(r"(chown|chmod)\s+((?:-\S+\s+)*)(\S+)\s+(\S.*)\Z", re.DOTALL)


def _owned(draft: _Draft, first: int, second: int) -> _Draft:
    """``COPY --chown`` and ``--chmod`` instead of a RUN that changes the copied files."""
    site = draft.site
    chain = chain_at(site, second)
    shown = draft.origins.get(second) or second
    instead = f"set the owner while copying, not in line {shown}"
    if chain is None:
        return draft.hindered(instead)
    if not any(re.match(r"ch(own|grp)\b", segment) for segment in chain.segments):
        instead = instead.replace("owner", "mode")
    draft_text = draft
    for number, segment in enumerate(chain.segments):
        found = _CHOWN.match(segment)
        if found is None:
            continue
        made = _owned_by(draft_text, first, second, number, found)
        if made is not None:
            return made
    return draft.hindered(instead)


def _owned_by(
    draft: _Draft, first: int, second: int, number: int, found: re.Match[str]
) -> _Draft | None:
    site = draft.site
    command, options, value, rest = found.groups()
    position, changing = site.position(first), site.position(second)
    stage = site.steps[position].stage.index
    recursive = re.search(r"-[a-zA-Z]*R|--recursive", options) is not None
    if command == "chmod" and not (draft.mounts and re.fullmatch(r"[0-7]{3,4}", value)):
        return None
    if re.search(r"[*?\[$\"'`\\]", rest) or not recursive or value.endswith(":"):
        return None
    trees = [
        posixpath.normpath(posixpath.join(site.steps[changing].workdir, word))
        for word in rest.split()
    ]
    covered = Paths(trees=frozenset(trees))
    copies: list[int] = []
    for p in range(changing):
        step = site.steps[p]
        if step.stage.index != stage or step.instruction.keyword == "FROM":
            continue
        effects = effects_of(site, p)
        if step.instruction.keyword in ("COPY", "ADD"):
            if effects.writes.meeting(covered) is None:
                continue
            writes = [*effects.writes.files, *effects.writes.trees]
            real = [path for path in writes if path.startswith("/")]
            if not all(any(_within(path, tree) for tree in trees) for path in real):
                return None
            copies.append(p)
        elif step.instruction.keyword == "RUN" and p != changing:
            if effects.unknown and any(c < p for c in copies):
                return None
            if effects.writes.meeting(covered) is not None:
                return None
        elif step.instruction.keyword == "WORKDIR" and p > position:
            continue
    flag = "chown" if command == "chown" else "chmod"
    if position not in copies or not _is_there(site, copies, value, command, second):
        return None
    shown = ", ".join(str(draft.origins.get(site.steps[p].line, 0)) for p in copies)
    for line in [site.steps[p].line for p in copies]:
        written = draft.origins.get(line, 0)
        here = draft.line(written)
        source = draft.site.sheet.source(here)
        flags = {item.name for item in draft.step(here).instruction.flags}
        # A linked layer knows no names: it is made without the files of the image below it.
        if flag in flags or ("link" in flags and re.search(r"[^\d:]", value)):
            return None
        new = re.sub(r"\A(\s*(?:COPY|ADD))\b", rf"\1 --{flag}={value}", source, flags=re.IGNORECASE)
        draft = draft.replaced(here, new, "")
    written = draft.origins.get(second, 0) or second
    here = draft.line(written)
    chain = chain_at(draft.site, here)
    assert chain is not None
    kept = _directories(site, changing, trees, copies, command, value)
    if kept:
        segment = f"{command} {value} {' '.join(kept)}"
        segments = (*chain.segments[:number], segment, *chain.segments[number + 1 :])
        new_run: str | None = chain.text(segments)
    else:
        new_run = without_segment(chain, number)
    what = "owner" if flag == "chown" else "mode"
    words = f"set the {what} by COPY --{flag}={value} in line {shown} instead of line {written}"
    if flag == "chown" and ":" not in value:
        words += ", which sets the group as well"
    return draft.replaced(here, new_run, words)


def _is_there(site: Site, copies: Sequence[int], owner: str, command: str, second: int) -> bool:
    """Whether the image knows the owner's name when the files are copied."""
    names = [name for name in owner.split(":") if name and not name.isdigit() and name != "root"]
    if command == "chmod" or not names:
        return True
    if any("$" in name for name in names):
        return False
    first = min(copies)
    for name in names:
        word = re.compile(
            rf"\b(user|group)add\b.*\b{re.escape(name)}\b|\badd(user|group)\b.*\b{re.escape(name)}\b"
        )
        makers = [p for p, step in enumerate(site.steps) if word.search(step.instruction.text)]
        if makers and not any(p < first for p in makers):
            return False
    del second
    return True


def _directories(
    site: Site,
    changing: int,
    trees: Sequence[str],
    copies: Sequence[int],
    command: str,
    value: str,
) -> list[str]:
    """The directories whose own owner or mode has to be set still, as a COPY does not do it.

    ``--chown`` leaves a directory as it is that a WORKDIR or the base image made; ``--chmod`` each
    directory that is copied into, and those above it. (Observed on Engine 26.1.5.)
    """
    found = []
    stage = site.steps[changing].stage.index
    has_other_mode = command == "chmod" and value.lstrip("0") != "755"
    for position in copies:
        for transfer in site.steps[position].transfers:
            into = [*parents(posixpath.normpath(transfer.destination) + "/")]
            if _is_one_file(site, transfer):
                del into[0]
            found += [
                directory
                for directory in reversed(into)
                if any(_within(directory, tree) for tree in trees)
                and (has_other_mode or not _FREE_PLACES.match(directory))
            ]
    for p in range(changing):
        step = site.steps[p]
        if step.stage.index == stage and step.instruction.keyword == "WORKDIR":
            value = step.instruction.value
            path = posixpath.normpath(posixpath.join(step.workdir, value))
            made_by_copy = any(c < p for c in copies)
            if not made_by_copy and any(_within(path, tree) for tree in trees):
                found.append(path)
    return list(dict.fromkeys(found))


_FREE_PLACES = regex(
    r"/(app|application|code|data|project|repo|src|work\w*)(/|\Z)"
    r"|/(srv|opt(?!/(conda|mini\w+|mamba\w*)(/|\Z)))/."
)
"""Directories that no base image is expected to have."""


def _is_one_file(site: Site, transfer: Transfer) -> bool:
    """Whether a COPY brings one file under the name of its destination."""
    if transfer.destination.endswith("/") or len(transfer.sources) != 1:
        return False
    path = posixpath.normpath(transfer.sources[0]).lstrip("/")
    entry = site.snapshot.tree.entries.get(path)
    return transfer.origin == "context" and entry is not None and entry.kind == "file"


def _not_brought(draft: _Draft, first: int, second: int, item: Hidden) -> _Draft:
    """Bind-mount files that only the deleting RUN reads, or delete them in their own stage."""
    site = draft.site
    step = draft.step(first)
    transfer = step.transfers[0] if len(step.transfers) == 1 else None
    chain = chain_at(site, second)
    shown = (draft.origins.get(first) or first, draft.origins.get(second) or second)
    failed = draft.hindered(
        f"line {shown[1]} deletes what line {shown[0]} copies: leave it out where it comes from"
    )
    if transfer is None or chain is None:
        return failed
    deleting = [
        number
        for number, segment in enumerate(chain.segments)
        if re.match(r"rm\s|find\s.*-delete\Z", segment, re.DOTALL)
    ]
    for number in deleting:
        made = (
            _mounted(draft, first, second, number, transfer)
            or _deleted_there(draft, first, second, number, transfer)
            or _left_out(draft, first, second, number)
        )
        if made is not None:
            return made
    del item
    return failed


def _removed_paths(step: PlannedStep, segment: str) -> list[str] | None:
    """The paths that ``rm`` removes, absolute and without wildcards."""
    words = segment.split()
    if words[0] != "rm" or re.search(r"[$\"'`\\*?\[]", segment):
        return None
    return [
        posixpath.normpath(posixpath.join(step.workdir, word))
        for word in words[1:]
        if not word.startswith("-")
    ]


_WRITES_IN_PLACE = regex(r"(sed|chmod|chown|chgrp|mv|touch|rm|mkdir|tee|truncate|patch|cd)\b")
"""Commands that a mount, which is read-only, refuses."""


def _mounted(
    draft: _Draft, first: int, second: int, number: int, transfer: Transfer
) -> _Draft | None:
    site = draft.site
    step, running = draft.step(first), draft.step(second)
    chain = chain_at(site, second)
    assert chain is not None
    removed = _removed_paths(running, chain.segments[number])
    destination = posixpath.normpath(transfer.destination)
    target = _mount_target(transfer, destination)
    if (
        not draft.mounts
        or removed is None
        or target is None
        or not any(_within(target, path) for path in removed)
    ):
        return None
    if transfer.exclude or step.instruction.heredocs or len(chain.segments) < 2:
        return None
    if not isinstance(transfer.origin, int) and transfer.origin != "context":
        return None
    copied, run = site.position(first), site.position(second)
    for p in range(copied + 1, len(site.steps)):
        if site.steps[p].stage.index != step.stage.index or p == run:
            continue
        if site.steps[p].instruction.keyword != "RUN" or p > run:
            continue
        effects = effects_of(site, p)
        if effects.unknown or effects.reads.meeting(effects_of(site, copied).writes) is not None:
            return None
    origin = step.instruction.flag("from")
    source = transfer.inside[0]
    options = [f"from={origin}"] if origin else []
    mount = ",".join(["--mount=type=bind", *options, f"source={source}", f"target={target}"])
    if re.search(r"[\s\"]", mount):
        return None
    if not all(_holds_nothing_else(site, run, copied, path, target) for path in removed):
        return None
    if any(_is_built_in(site, running, segment, target, copied) for segment in chain.segments):
        return None
    left = [path for path in removed if not _within(target, path) and not _within(path, target)]
    rest = list(chain.segments)
    others = [segment for index, segment in enumerate(rest) if index != number]
    if any(_WRITES_IN_PLACE.match(segment) and target in segment for segment in others):
        return None
    if effects_of(site, run).unknown or target in effects_of(site, run).directories:
        return None
    if left:
        rest[number] = f"rm -rf {' '.join(left)}"
    else:
        del rest[number]
    if not rest:
        return None
    new = replace(chain, head=f"{chain.head}{mount} ").text(tuple(rest))
    shown = (draft.origins.get(first) or first, draft.origins.get(second) or second)
    draft = draft.replaced(first, None, "")
    here = draft.line(shown[1])
    made = draft.replaced(
        here, new, f"mount {target} in line {shown[1]} instead of copying it in line {shown[0]}"
    )
    after = effects_of(made.site, made.site.position(made.line(shown[1])))
    if after.unknown or after.writes.meeting(Paths(trees=frozenset({target}))) is not None:
        return None
    return made


def _holds_nothing_else(site: Site, run: int, copied: int, path: str, target: str) -> bool:
    """Whether a removed directory holds nothing but what is mounted at ``target``.

    A mount would hide what else lies there, and the directory could not be removed.
    """
    if not _within(target, path):
        return True
    if path != target and (path in _SHARED or posixpath.dirname(path) == "/usr"):
        return False
    tree = Paths(trees=frozenset({path}))
    stages = {s.index for s in stage_chain(stages_of(site.steps), site.steps[run].stage.index)}
    for p in range(run):
        step = site.steps[p]
        if p == copied or step.stage.index not in stages:
            continue
        effects = effects_of(site, p)
        if step.instruction.keyword == "WORKDIR":
            made = posixpath.join(step.workdir, step.expanded.partition(" ")[2].strip())
            if path != target and _within(posixpath.normpath(made), path):
                return False
        elif effects.writes.meeting(tree) is not None or (
            effects.unknown
            and re.search(
                rf"{re.escape(path)}(?![\w.-])", f"{step.instruction.text} {step.workdir}"
            )
        ):
            return False
    return True


_FILE_SUFFIX = regex(r"\.\w{1,8}\Z")


def _is_built_in(site: Site, step: PlannedStep, segment: str, target: str, copied: int) -> bool:
    """Whether a command installs a directory of the mount: it would be built there, in place."""
    if re.search(r"\b(install|sync|develop|build|wheel)\b", segment) is None:
        return False
    for word in re.split(r"[\s'\"=]+", re.sub(r"\[[\w,-]+\]", "", segment)):
        if not word.startswith(("/", ".")):
            continue
        place = posixpath.normpath(posixpath.join(step.workdir, word))
        if not _within(place, target) or has_wildcard(place):
            continue
        if place not in site.views[copied].own.at and not _FILE_SUFFIX.search(place):
            return True
    return False


_OWN_PLACES = regex(
    r"/(app|application|code|data|home|opt(?!/(conda|mini\w+|mamba\w*)(/|\Z))|project|repo|src|srv"
    r"|work\w*)(/|\Z)"
)
"""Directories in which nothing of a base image is expected that a COPY would lie upon."""


def _left_out(draft: _Draft, first: int, second: int, number: int) -> _Draft | None:
    """A COPY that does not bring what a later RUN deletes and nobody reads until then."""
    site = draft.site
    running = draft.step(second)
    chain = chain_at(site, second)
    assert chain is not None
    removed = _removed_paths(running, chain.segments[number])
    if not removed:
        return None
    copied, run = site.position(first), site.position(second)
    own = effects_of(site, copied).writes
    gone = [path for path in removed if own.meeting(Paths(trees=frozenset({path}))) is not None]
    beside = Paths(trees=frozenset(gone))
    if not gone or not all(_OWN_PLACES.match(path) for path in gone):
        return None
    made = leaving_out(site, first, gone, draft.mounts)
    if made is None:
        return None
    rest = list(chain.segments)
    left = [path for path in removed if path not in gone]
    rest[number : number + 1] = [f"rm -rf {' '.join(left)}"] if left else []
    shown = (draft.origins.get(first) or first, draft.origins.get(second) or second)
    words = f"{made.words.format(line=shown[0])} instead of deleting it in line {shown[1]}"
    after = draft.replaced(second, chain.text(tuple(rest)) if rest else None, words)
    after = after.split(after.line(shown[0]), made.sources)
    for p in range(run):
        step = site.steps[p]
        if step.stage.index != running.stage.index or p == copied:
            continue
        if _touches(effects_of(site, p), step, beside, before=p < copied):
            return None
    if rest:
        position = after.site.position(after.line(shown[1]))
        if _touches(effects_of(after.site, position), after.site.steps[position], beside):
            return None
    return after


def _touches(effects: Effects, step: PlannedStep, gone: Paths, *, before: bool = False) -> bool:
    """Whether a step may use these files, or makes them as well; ``before`` they are copied."""
    if effects.writes.meeting(gone) is not None or step.instruction.keyword == "VOLUME":
        return True
    if step.instruction.keyword != "RUN" or (before and not effects.unknown):
        return False
    return bool(effects.unknown) or effects.reads.meeting(gone) is not None


def _mount_target(transfer: Transfer, destination: str) -> str | None:
    if len(transfer.sources) != 1 or re.search(r"[*?\[]|://", transfer.sources[0]):
        return None
    if transfer.destination.endswith("/") and not transfer.sources[0].endswith("/"):
        name = posixpath.basename(transfer.sources[0])
        if "." in name:  # A file keeps its name in a directory; a directory's content is copied.
            return posixpath.join(destination, name)
    return destination


def _deleted_there(
    draft: _Draft, first: int, second: int, number: int, transfer: Transfer
) -> _Draft | None:
    """Delete files in the stage that a COPY takes from, if no other COPY takes from that stage."""
    site = draft.site
    if not isinstance(transfer.origin, int):
        return None
    chain = chain_at(site, second)
    assert chain is not None
    segment = chain.segments[number]
    others = [item for index, item in enumerate(chain.segments) if index != number]
    destination = posixpath.normpath(transfer.destination)
    if effects_of(site, site.position(second)).unknown or any(destination in x for x in others):
        return None  # The RUN may read the files before it deletes them.
    moved = _mapped(segment, transfer, draft.step(second).workdir)
    maker = None if moved is None else _maker(site, transfer.origin, _PLACE.findall(moved))
    takers = [
        step
        for step in site.steps
        if step.stage.parent == transfer.origin
        or any(t.origin == transfer.origin for t in step.transfers)
    ]
    if moved is None or maker is None or {step.line for step in takers} != {first}:
        return None
    if site.steps[maker].stage.index != transfer.origin:
        return None
    copied, run = site.position(first), site.position(second)
    for p in range(copied + 1, run):
        if site.steps[p].instruction.keyword == "RUN" and _reads(site, copied, p):
            return None
    shown = (draft.origins.get(first) or first, draft.origins.get(second) or second)
    line = site.steps[maker].line
    written = draft.origins.get(line) or line
    new = appended(site, line, moved)
    if new is None:
        return None
    rest = without_segment(chain, number)
    draft = draft.replaced(line, new, f'do "{moved}" in line {written} instead of line {shown[1]}')
    return draft.replaced(draft.line(shown[1]), rest, "")


def _mapped(segment: str, transfer: Transfer, workdir: str) -> str | None:
    """A deletion command with the paths of the stage that the files come from."""
    if re.search(r"[$`\\]", segment):
        return None
    words = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", segment)
    out: list[str] = []
    paths = 0
    done = False
    for index, word in enumerate(words):
        is_path = index > 0 and not word.startswith("-") and not done
        if words[0] == "find" and index > 0 and word.startswith("-"):
            done = True
        if not is_path:
            out.append(word)
            continue
        fixed = re.split(r"[*?\[]", word.strip("\"'"))[0]
        whole = posixpath.normpath(posixpath.join(workdir, word.strip("\"'")))
        back = _back(transfer, whole)
        destination = posixpath.normpath(transfer.destination)
        if words[0] == "rm" and whole == destination:
            return None  # Nothing would be left to copy.
        if back is None or not _within(posixpath.join(workdir, fixed), destination):
            return None
        out.append(back)
        paths += 1
    return " ".join(out) if paths else None
