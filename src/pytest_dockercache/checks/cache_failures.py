"""What is said when an imported cache does not save the installation: verdict, why and fix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..cache_specs import CacheSpec
from ..engines.failure import NOT_BEGUN
from ..errors import BuildFailed, CacheAssertionError, EngineUnavailable
from ..model import Build, CacheImport, Edit, Row, Step, on_one_line
from ..regexes import regex
from ..runs import read_json
from ..subject import Subject
from .verdict import broken, step_row

__all__ = [
    "lacks_a_stage",
    "lacks_what_was_exported",
    "lies_nowhere",
    "not_exported",
    "not_of_this_project",
    "nothing_imported",
    "words_of_the_builder",
]

_REFUSED = regex(r"(?i)\b40[13]\b|unauthorized|forbidden|denied|authorization failed")
_MISSING = regex(r"(?i)not found|no such (file|key|bucket)|does not exist|cannot find")
_UNREACHED = regex(r"(?i)connection refused|no such host|i/o timeout|no route|network is unreach")
_LONG = regex(r"^failed to configure \S+ cache importer: ")

_GITHUB = ("ACTIONS_RUNTIME_TOKEN", ("ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL"))


def nothing_imported(
    subject: Subject,
    imports: Sequence[CacheImport],
    sources: Sequence[CacheSpec],
    missed: Sequence[Step],
    said: str = "",
) -> CacheAssertionError:
    """The builder read no cache: it found none, may not read it, or was never asked to.

    ``said`` is the error of a build that such a cache has made fail.
    """
    where = " and ".join(dict.fromkeys(spec.place for spec in sources))
    if imports:
        why, fix = _unread(imports[0], _named_by(imports[0], sources))
        rows = [f"  says   {found.source}: {on_one_line(found.error, 200)}" for found in imports]
    else:
        why, fix = _never_asked(sources[0])
        rows = ["  says   nothing: there is no “importing cache manifest” in the build's output"]
        if said:
            rows = [f"  says   {on_one_line(said, 200)}"]
    return broken(
        f"nothing was imported from {where}: {why}",
        subject=subject,
        rows=[*rows, *_rows(subject, missed)],
        why="the build fails on such a cache"
        if said
        else "the build goes on without the cache and succeeds: nothing else says so",
        fix=fix,
        line=missed[0].line if missed else None,
    )


def _named_by(found: CacheImport, sources: Sequence[CacheSpec]) -> CacheSpec:
    """The cache that a builder's word for it means; the first, where it may be any."""
    kind = found.source.partition(":")[0]
    return next(
        (
            spec
            for spec in sources
            if found.source in (spec.get("ref"), spec.get("src")) or kind == spec.type
        ),
        sources[0],
    )


def _unread(found: CacheImport, spec: CacheSpec) -> tuple[str, str]:
    """Why a cache was not read, and what to do."""
    said = _LONG.sub("", found.error)
    if spec.type == "local" and (missing := _missing_directory(spec)):
        return missing
    if _REFUSED.search(said):
        return (
            "it must not be read with these credentials",
            f"log in to the registry of {spec.place} before the build, with the right to pull",
        )
    if _UNREACHED.search(said):
        return (
            "its registry cannot be reached",
            "look at the address, and whether the builder is in a network that reaches it",
        )
    if _MISSING.search(said):
        return (
            "it does not exist",
            f"look at the spelling of {spec.place}, and whether a build has exported to it "
            "(--cache-to)",
        )
    return on_one_line(said, 120), "look at what the builder says"


def lies_nowhere(spec: CacheSpec) -> bool:
    """Whether a local cache's directory holds none; buildx refuses some such directories."""
    return spec.type == "local" and _missing_directory(spec) is not None


def _missing_directory(spec: CacheSpec) -> tuple[str, str] | None:
    """Why a directory holds no cache, and what to do; None for one that holds one."""
    place = Path(spec.get("src"))
    if not place.is_dir():
        return "the directory does not exist", f"restore {place} before the build"
    if not (place / "index.json").exists():
        return (
            "the directory holds no cache (it has no index.json)",
            f"restore there what --cache-to type=local,dest={place} has written",
        )
    index = read_json(place / "index.json")
    if not index or not index.get("manifests"):
        return (
            "the directory holds no cache (its index.json lists none)",
            f"restore there what --cache-to type=local,dest={place} has written",
        )
    return None


def _never_asked(spec: CacheSpec) -> tuple[str, str]:
    """Why the builder was not asked for a cache."""
    if spec.type == "local" and (missing := _missing_directory(spec)):
        return missing
    token, urls = _GITHUB
    if spec.type == "gha" and not (os.environ.get(token) and any(map(os.environ.get, urls))):
        return (
            "buildx leaves type=gha out, without a word, where it has no token",
            f"give the step {token} and {urls[0]} (or {urls[1]}): docker/build-push-action does, "
            "a `run:` step needs crazy-max/ghaction-github-runtime before it",
        )
    return "the builder was never asked for it", "look at the type and the attributes"


def lacks_a_stage(
    subject: Subject,
    edits: Sequence[Edit],
    missed: Sequence[Step],
    sources: Sequence[CacheSpec],
    rest: Sequence[CacheSpec],
    tried: bool | None,
) -> CacheAssertionError:
    """A stage that installs is not in the cache, which holds the finished image only.

    The steps hit while nothing was edited, because the finished image was
    enough; after the edit their stage itself was needed. ``rest`` are the
    exports of this run that keep no more than that. ``tried`` says whether an
    export with ``mode=max`` brought the stage, None if nobody has tried.
    """
    step = missed[0]
    if rest and rest[0].type == "inline":
        how = "an inline cache holds the finished image only (mode=min)"
        fix = "export to a registry instead: --cache-to type=registry,ref=…,mode=max"
    elif rest:
        how = "it was exported with mode=min"
        fix = f"export with --cache-to {_with_mode_max(rest[0])}"
    else:
        how = "it was exported without mode=max"
        fix = f"export with mode=max (--cache-to {_exporter_of(sources[0])},mode=max)"
    return broken(
        f"stage {step.stage}, which installs, is not in the imported cache: {how}",
        subject=subject,
        edits=edits,
        rows=_rows(subject, missed),
        why="without an edit the finished image is enough and every environment step hits; after "
        f"the edit stage {step.stage} itself is needed, and an empty builder runs it again",
        fix=_after_trial(fix, step, tried),
        line=step.line,
    )


def _after_trial(fix: str, step: Step, tried: bool | None) -> str:
    if tried is None:
        return fix
    if tried:
        return f"{fix}; tried, and line {step.line} is reused"
    return f"mode=max alone is not enough: it was tried, and line {step.line} ran again"


def _with_mode_max(spec: CacheSpec) -> str:
    return str(CacheSpec(spec.type, (*spec.without("mode").attributes, ("mode", "max"))))


def _exporter_of(spec: CacheSpec) -> str:
    if spec.type == "local":
        return f"type=local,dest={spec.get('src')}"
    return str(spec)


def not_of_this_project(
    subject: Subject, missed: Sequence[Step], sources: Sequence[CacheSpec], images: bool
) -> CacheAssertionError:
    """A cache was imported, and no step of this Dockerfile is in it; ``images`` are no caches."""
    where = " and ".join(dict.fromkeys(spec.place for spec in sources))
    platform = subject.spec.platform
    dockerfile = subject.spec.dockerfile.name + (f" for {platform}" if platform else "")
    if images:
        verdict = f"{where} is an image, and its cache holds no step of {dockerfile}"
        why = "an image holds a cache only if it was built with --cache-to type=inline, and then "
        why += "that of the state that it was built from"
        fix = "export with --cache-to type=registry,ref=…,mode=max, and import that reference"
    else:
        verdict = f"the cache of {where} was imported, and holds no step of {dockerfile}"
        others = "another project's, or another platform's" if platform else "another project's"
        why = f"it is {others}, or made on other base images, or an export with mode=min "
        why += "of other source files"
        fix = "give each project (and each target) a reference or scope of its own"
        if platform:
            fix = "give each project, target and platform a reference or scope of its own"
    rows = _rows(subject, missed)
    return broken(verdict, subject=subject, rows=rows, why=why, fix=fix, line=missed[0].line)


def lacks_what_was_exported(
    subject: Subject, plain: Build, missed: Sequence[Step], sources: Sequence[CacheSpec]
) -> CacheAssertionError:
    """A step runs again in an empty builder although nothing has changed since the export."""
    root = next(step for step in plain.steps if step.status == "miss")
    where = " and ".join(dict.fromkeys(spec.place for spec in sources))
    return broken(
        f"line {root.line} is not in the cache of {where}, although nothing was edited",
        subject=subject,
        rows=[step_row(root), *_rows(subject, [one for one in missed if one.line != root.line])],
        why="what is imported is not what this run has exported, or its key differs between the "
        "two builders (a base image that moved, another platform)",
        fix="compare --cache-to with --cache-from, and the base images of the two builders",
        line=root.line,
    )


def words_of_the_builder(problem: BuildFailed | EngineUnavailable) -> str | None:
    """What buildx says of a build that it does not make; None where the engine itself is gone."""
    if isinstance(problem, BuildFailed):
        return problem.verdict.removeprefix("the image does not build: ")
    if problem.verdict.startswith(NOT_BEGUN):
        return problem.verdict.removeprefix(NOT_BEGUN)
    return None


def not_exported(subject: Subject, spec: CacheSpec, said: str) -> CacheAssertionError:
    """The build ended in an error, in these words, because its cache could not be exported."""
    where = spec.get("dest") or spec.place
    refused = _REFUSED.search(said)
    said = on_one_line(said, 200)
    return broken(
        f"the cache was not exported to {where}: "
        + ("it must not be written with these credentials" if refused else said),
        subject=subject,
        rows=[f"  says   {said}"] if refused else [],
        why="a build whose cache cannot be exported fails (unless ignore-error=true is set)",
        fix=f"log in with the right to push to {where}"
        if refused
        else "look at the attributes of --cache-to, and whether its place can be written",
    )


def _rows(subject: Subject, steps: Sequence[Step]) -> list[Row]:
    """The steps that run again, and what they cost."""
    found = []
    for step in steps:
        seconds = subject.seconds(step)
        cost = "" if seconds is None else f"{seconds:.1f} s "
        found.append(step_row(step, f"{cost}again on every fresh runner"))
    return found
