"""The effects of a step: what it reads, writes, uses and sets, as far as its words tell."""

from __future__ import annotations

import posixpath

from ..dockerfile import PlannedStep, Transfer, declared
from ..dockerfile.expansion import variables_in
from ..regexes import regex
from .commands import SEARCHED, effects_of_run
from .site import Site
from .touched import SYSTEM, Effects, Paths, users_named, within

__all__ = ["effects_of"]


def effects_of(site: Site, position: int) -> Effects:
    """The effects of the step at a position of the site's plan."""
    if position not in site.memory:
        site.memory[position] = _effects(site, position)
    found: Effects = site.memory[position]
    return found


def _effects(site: Site, position: int) -> Effects:
    step = site.steps[position]
    keyword = step.instruction.keyword
    uses = frozenset(_variables(step))
    if keyword in ("ENV", "ARG"):
        names = frozenset(name for name, _ in declared(step.instruction, step.escape))
        return Effects(uses=uses, sets=names)
    if keyword == "WORKDIR":
        relative = not step.instruction.value.startswith(("/", "$"))
        minds = frozenset({"workdir"} if relative else ())
        return Effects(uses=uses, state=frozenset({"workdir"}), minds=minds)
    if keyword in ("USER", "SHELL"):
        return Effects(
            reads=users_named(step.instruction.value) if keyword == "USER" else Paths(),
            uses=uses,
            state=frozenset({keyword.lower()}),
        )
    if keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        return Effects(uses=uses, state=frozenset({"command"}), minds=frozenset({"shell"}))
    if keyword in ("LABEL", "EXPOSE", "STOPSIGNAL", "MAINTAINER"):
        return Effects(uses=uses, state=frozenset({keyword.lower()}))
    if keyword in ("COPY", "ADD"):
        return _copied(site, position, uses)
    if keyword == "RUN":
        return effects_of_run(site, position)
    if keyword == "VOLUME":
        return _volumes(site, position, uses)
    return Effects(unknown=f"{keyword} is an instruction of its own")


def _volumes(site: Site, position: int, uses: frozenset[str]) -> Effects:
    """A VOLUME is as if it read all below it: later writes may be lost (classic builder)."""
    step = site.steps[position]
    words = step.instruction.exec_form or tuple(step.instruction.value.split())
    if any("$" in word for word in words):
        return Effects(uses=uses, unknown=f"which directories line {step.line} names is not known")
    places = Paths(trees=frozenset(posixpath.join("/", posixpath.normpath(w)) for w in words))
    return Effects(reads=places, uses=uses)


def _variables(step: PlannedStep) -> set[str]:
    instruction = step.instruction
    names = set(variables_in(instruction.text)) if "$" in instruction.text else set()
    for heredoc in instruction.heredocs:
        names |= set(variables_in(heredoc.body)) if "$" in heredoc.body else set()
    return names


def _copied(site: Site, position: int, uses: frozenset[str]) -> Effects:
    step = site.steps[position]
    owner = step.instruction.flag("chown") or ""
    reads = users_named(owner) if owner else Paths()
    files: set[str] = set()
    trees: set[str] = set()
    directories: set[str] = set()
    view = site.views[position]
    for transfer in step.transfers:
        if transfer.origin == "context" and not step.instruction.heredocs:
            files |= set(view.own.at)
            directories |= _found_directory(site, transfer)
            if any("://" in source or source.endswith(".git") for source in transfer.sources):
                trees.add(posixpath.normpath(transfer.destination))
            archives = (".tar", ".tgz", ".gz", ".bz2", ".xz")
            if transfer.kind == "add" and any(s.endswith(archives) for s in transfer.sources):
                trees.add(posixpath.normpath(transfer.destination))
        else:
            trees.add(posixpath.normpath(transfer.destination))
    if any(map(_INSTALLER_SETTINGS.search, (*files, *trees))) or any(map(_holds_programs, trees)):
        files.add(SYSTEM)
    written = step.instruction.exec_form or tuple(step.instruction.value.split())
    relative = bool(written) and not written[-1].startswith(("/", "$"))
    return Effects(
        reads=reads,
        writes=Paths(frozenset(files), frozenset(trees)),
        uses=uses,
        minds=frozenset({"workdir"} if relative else ()),
        directories=frozenset(directories),
    )


def _found_directory(site: Site, transfer: Transfer) -> set[str]:
    """The destination of a single file, if only an earlier step can have made it a directory."""
    destination = transfer.destination
    if destination.endswith("/") or len(transfer.sources) != 1:
        return set()
    source = posixpath.normpath(transfer.sources[0]).lstrip("/")
    entry = site.snapshot.tree.entries.get(source)
    return set() if entry is not None and entry.kind == "dir" else {destination}


def _holds_programs(tree: str) -> bool:
    """Whether a tree may hold programs and libraries that other commands run."""
    places = (*SEARCHED.split(":"), "/usr/local/lib", "/usr/lib", "/lib", "/etc", "/root", "/opt")
    return any(within(place, tree) for place in places) or any(
        within(tree, place) for place in SEARCHED.split(":")
    )


_INSTALLER_SETTINGS = regex(
    r"\A(/root|/home/[^/]+|/etc|/opt/conda|)(/\.config/\w+|/\.pip|/\.conda)?/(pip\.conf|\.?condarc|"
    r"\.netrc|uv\.toml|\.npmrc|\.gitconfig|\.pydistutils\.cfg|\.mambarc)\Z"
    r"|\A/(etc/(apt|ssl|pki|passwd|group|environment|ld\.so\.conf\S*|profile\.d)|lib|usr/lib"
    r"|usr/local/lib|usr/local/share/ca-certificates|opt/conda)(/|\Z)"
)
"""Files that installers look for unasked, and directories that they install into."""
