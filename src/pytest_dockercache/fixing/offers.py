"""The offer of a failing check: a patch that the model has tried, or the files to separate.

Every offer is made from the project as it is on disk; the user's tree is read
and never written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..cache import Dialect
from ..cache.prediction import Comparison
from ..context.named import at_top
from ..context.selection import takes
from ..disk import read_bytes
from ..dockerfile.rewriting import patch_of
from ..environments.tools import runner_of
from ..errors import ConfigError, DockerCacheError
from ..model import Edit, Fix, top_of
from ..project import Project
from ..regexes import regex
from ..shell.running import step_commands
from ..shell.script import Command
from .contents import Hidden, Waste, without_bytecode, without_caches, without_hidden
from .effects import effects_of
from .ignoring import Ignoring, ignoring, tree_with, with_lines
from .reinstalling import Rewriting, reordered
from .site import Site

__all__ = [
    "Hidden",
    "Waste",
    "keeping_the_environment",
    "showing_all_bytes",
    "without_package_caches",
    "without_pyc",
    "without_what_changes_by_itself",
]


def keeping_the_environment(
    project: Project,
    edits: Sequence[Edit],
    dialect: Dialect,
    lines: Collection[int] | None = None,
) -> Fix | None:
    """The change after which these edits leave the environment steps hits.

    ``lines`` are the first lines of the environment steps in question, None
    for all of them.
    """

    def change(site: Site) -> Rewriting:
        return reordered(site, edits, dialect, lines)

    return _offered(project, change)


def without_package_caches(
    project: Project, waste: Sequence[Waste], *, mounts: bool = True
) -> Fix | None:
    """The change after which no package cache stays in these places.

    ``mounts`` says whether the builder is BuildKit.
    """
    return _offered(project, lambda site: without_caches(site, waste, mounts=mounts))


def without_pyc(project: Project, waste: Sequence[Waste], *, mounts: bool = True) -> Fix | None:
    """The change after which no bytecode stays in these places.

    What a COPY brings from the context is left out by the ignore file. ``mounts`` says whether the
    builder is BuildKit.
    """
    site = _site(project)
    if site is None:
        return None
    copied = sorted({item.line for item in waste if _is_of_context(site, item.line)})
    rest = [item for item in waste if item.line not in copied]
    if not copied:
        return _offered(project, lambda site: without_bytecode(site, rest, mounts=mounts))
    made = _without_pyc_of_context(site, copied)
    if made is None:
        return None
    changes: dict[Path, tuple[str | None, str]] = {made.path: (made.before, made.after)}
    words = [_ignore_words(project, made)]
    if rest:
        try:
            mended = without_bytecode(site, rest, mounts=mounts)
        except DockerCacheError:
            return None
        if mended.text is None or not _builds(site.rewritten(mended.text)):
            return Fix(mended.words[0]) if mended.words else None
        words += mended.words
        changes[project.spec.dockerfile] = (site.text, mended.text)
    return Fix(", and ".join(words), _patch(project, changes))


def _is_of_context(site: Site, line: int) -> bool:
    """Whether the instruction at a line copies from the build context."""
    return any(
        transfer.origin == "context" and transfer.kind != "bind"
        for step in site.steps
        if step.line == line
        for transfer in step.transfers
    )


def _without_pyc_of_context(site: Site, lines: Sequence[int]) -> Ignoring | None:
    """The ignore file after which COPY instructions bring no ``.pyc``; None if they would."""
    brought = _pyc_of_context(site, lines)
    if any(_is_named(site, path) for path in brought):
        return None
    patterns = ["**/__pycache__"] if any("__pycache__/" in path for path in brought) else []
    if any("__pycache__/" not in path for path in brought):
        patterns.append("**/*.pyc")
    tops = {
        transfer.context for step in site.steps if step.line in lines for transfer in step.transfers
    }
    if len(tops) != 1:
        return None
    made = with_lines(site, patterns, tops.pop())
    draft = replace(site, snapshot=replace(site.snapshot, tree=tree_with(site, [made])))
    if not patterns or _pyc_of_context(draft, lines):
        return None
    return made if _builds(draft) else None


def _pyc_of_context(site: Site, lines: Sequence[int]) -> set[str]:
    """The context paths of the ``.pyc`` files that the instructions at these lines bring."""
    return {
        path
        for position, step in enumerate(site.steps)
        if step.line in lines
        for path in site.views[position].own.at.values()
        if path.endswith(".pyc")
    }


def showing_all_bytes(
    project: Project, hidden: Sequence[Hidden], *, mounts: bool = True
) -> Fix | None:
    """The change after which no layer carries files that a later layer hides.

    ``mounts`` says whether the builder knows ``RUN --mount`` and ``COPY --chmod``.
    """
    return _offered(project, lambda site: without_hidden(site, hidden, mounts=mounts))


def without_what_changes_by_itself(
    project: Project, probes: Mapping[str, Edit], dialect: Dialect
) -> Fix | None:
    """The change after which edits of these paths (``.git``) leave every step a hit.

    The change adds lines to the ignore file, and moves a COPY that names such a path below the
    installs.
    """
    site = _site(project)
    if site is None:
        return None
    named = [name for name in probes if _is_named(site, name)]
    ignored = [name for name in probes if name not in named]
    words: list[str] = []
    made: tuple[Ignoring, ...] = ()
    draft = site
    if ignored:
        made = ignoring(site, ignored)
        draft = replace(site, snapshot=replace(site.snapshot, tree=tree_with(site, made)))
        words += [_ignore_words(project, one) for one in made]
    of_git = any(f"{_bare(name)}/".startswith(".git/") for name in ignored)
    reader = _git_reader(site) if of_git else None
    if reader is not None:
        return Fix(f"{reader} may read .git: give it what it needs by an argument or a file")
    edits = list(probes.values())
    try:
        moved = reordered(draft, edits, dialect)
        after = draft if moved.text is None else draft.rewritten(moved.text)
        quiet = _is_quiet(after, [probes[name] for name in ignored], dialect)
    except DockerCacheError:
        return None
    letting = [_shown(project, one.path) for one in made if _lets_in(one)]
    if not quiet and letting:
        names = ", ".join(ignored)
        return Fix(f"take the line that begins with ! and lets {names} in out of {letting[0]}")
    if not quiet:
        return Fix("; ".join(words) or moved.words[0]) if words or moved.words else None
    words += moved.words
    changes: dict[Path, tuple[str | None, str]] = {}
    for one in made:
        changes[one.path] = (one.before, one.after)
    if moved.text is not None:
        changes[project.spec.dockerfile] = (site.text, moved.text)
    if not changes:
        return Fix(words[0]) if words else None
    return Fix(", and ".join(words), _patch(project, changes))


def _lets_in(made: Ignoring) -> bool:
    """Whether an ignore file has lines that let files in again."""
    return any(line.strip().startswith("!") for line in (made.before or "").splitlines())


def _bare(name: str) -> str:
    """A path in its context, without the name of the context."""
    return name[len(top_of(name)) :].strip("/")


_VERSIONED = regex(r"\bgit\b|[_-](scm|vcs)\b|versioneer|versioningit|dunamai|\bpbr\b")
_PROGRAM = regex(
    r".*\.(py|js|mjs|cjs|ts|rb|pl|cmake|gradle)|(.*/)?(package\.json|CMakeLists\.txt|Rakefile)"
)
_CALLS_GIT = regex(
    r"[\"'`(\[]git[\"'` ]|\bimport git\b|\bfrom git import|[\"'/]\.git\b|setuptools_scm|dunamai"
)
_BUILDING = regex(r"(.*/)?(pyproject\.toml|setup\.(py|cfg)|[Mm]akefile|[^/]*\.(sh|mk|toml))")


def _asks_git(command: Command) -> bool:
    words = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    return command.name == "git" and words[:1] not in (["clone"], ["config"], ["lfs"])


def _holding_git(site: Site) -> set[int]:
    """The positions of the steps that see a part of the repository, directly or through a stage."""
    stages: set[int] = set()
    found: set[int] = set()
    for position, step in enumerate(site.steps):
        index = step.stage.index
        if step.instruction.keyword == "FROM" and step.stage.parent in stages:
            stages.add(index)
        taking = [
            transfer
            for transfer in step.transfers
            if takes(transfer, at_top(transfer.context, ".git"), is_dir=True)
            or any(_is_below_git(source) for source in transfer.sources)
            or transfer.origin in stages
        ]
        if any(transfer.kind != "bind" for transfer in taking):
            stages.add(index)
        if taking or index in stages:
            found.add(position)
    return found


def _is_below_git(source: str) -> bool:
    return f"{_bare(os.path.normpath(source))}/".startswith(".git/")


def _git_reader(site: Site) -> str | None:
    """A RUN that may ask the repository that was copied: for a version, say."""
    holding = _holding_git(site)
    for position, step in enumerate(site.steps):
        if step.instruction.keyword != "RUN" or position not in holding:
            continue
        visible = site.visible(position)
        effects = effects_of(site, position)
        if any(map(_asks_git, step_commands(step, runner_of))):
            return f"line {step.line}"
        # Only an unknown command, or one that builds the project, reads more than its words say.
        if not effects.unknown and not effects.reads.trees:
            continue
        for path in set(visible.values()):
            asks = _VERSIONED if _BUILDING.fullmatch(path) else _CALLS_GIT
            if asks is _CALLS_GIT and not _PROGRAM.fullmatch(path):
                continue
            if asks.search(site.file(path) or ""):
                return f"line {step.line}"
    return None


def _ignore_words(project: Project, made: Ignoring) -> str:
    shown = _shown(project, made.path)
    lines = f"{'the line' if len(made.added) == 1 else 'the lines'} {', '.join(made.added)}"
    if made.before is None:
        return f"create {shown} with {lines}"
    return f"end {shown} with {lines}"


def _is_named(site: Site, name: str) -> bool:
    """Whether a COPY, an ADD or a mount names a path of the context exactly."""
    return any(
        transfer.origin == "context" and os.path.normpath(source).lstrip("/") == name.rstrip("/")
        for step in site.steps
        for transfer in step.transfers
        for source in transfer.sources
    )


def _is_quiet(site: Site, edits: Sequence[Edit], dialect: Dialect) -> bool:
    """Whether the model says that edits change no step."""
    if not edits:
        return True
    before = site.snapshot
    after = before.after(site.spec, edits, nonce="fixing")
    said = Comparison(before, after, dialect).run().predictions
    return all(item.status == "hit" for item in said if item.runs)


def _base(project: Project) -> Path:
    root = project.settings.root
    dockerfile = project.spec.written_in
    for candidate in (root, project.spec.context):
        if candidate is not None and dockerfile.is_relative_to(candidate):
            return candidate
    return dockerfile.parent


def _shown(project: Project, path: Path) -> str:
    return os.path.relpath(path, _base(project)).replace(os.sep, "/")


def _patch(project: Project, changes: Mapping[Path, tuple[str | None, str]]) -> str | None:
    if project.spec.inside is not None and project.spec.dockerfile in changes:
        return None  # Its text stands in another file, with that one's indentation.
    named = {_shown(project, path): texts for path, texts in changes.items()}
    if any(name.startswith("../") for name in named):
        return None
    patch = patch_of(named)
    try:
        patch.encode("utf-8")
    except UnicodeEncodeError:
        return None  # A report is text, which cannot carry the bytes of such a file.
    return patch


def _site(project: Project) -> Site | None:
    """The project as a draft; None where the Dockerfile that was judged is not the one on disk."""
    try:
        text = read_bytes(project.spec.dockerfile).decode("utf-8")
    except (OSError, ValueError, ConfigError):
        return None
    if text.removeprefix("\ufeff") != project.dockerfile.text:
        return None
    return Site(project.snapshot, project.spec, text, project.settings.env_step)


def _offered(project: Project, change: Callable[[Site], Rewriting]) -> Fix | None:
    site = _site(project)
    if site is None:
        return None
    try:
        made = change(site)
    except DockerCacheError:
        return None
    if made.text is None:
        return Fix(made.words[0]) if made.words else None
    words = ", then ".join(made.words)
    if not _builds(site.rewritten(made.text)):
        return Fix(words)
    return Fix(words, _patch(project, {project.spec.dockerfile: (site.text, made.text)}))


def _builds(site: Site) -> bool:
    """Whether the model finds no error for which a builder would refuse the draft."""
    try:
        Comparison(site.snapshot, site.snapshot).run()
    except DockerCacheError:
        return False
    return True
