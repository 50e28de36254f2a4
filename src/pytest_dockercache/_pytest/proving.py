"""Proof of fixes by building: patch a copy of the project, and judge the copy as the project was.

The user's tree is read and never written. A patch is proven if the check that
offered it passes on the copy, and every check passes that passed before.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from ..cache import is_rebuilt
from ..checks import CHECKS
from ..checks.settings import CheckSettings
from ..context import IgnoreRules
from ..disk import read_bytes
from ..dockerfile.rewriting import applied, patch_of
from ..errors import CacheAssertionError, DockerCacheError
from ..model import Build, BuildSpec, Fix, Step, context_top, megabytes
from ..project import Settings
from ..regexes import regex
from ..report.files import write_text
from ..report.findings import Ending, FixReport, ImageReport, TriedFix
from ..report.terminal import duration
from ..runs import Run
from ..subject import Subject
from ..values import dataclass
from .image_options import ImageOptions
from .options import Options
from .outcomes import decide, passed
from .progress import Progress

__all__ = ["Proof", "Proving", "prove", "prove_session"]

_UNNEEDED = "it is not needed, the check passes with the proven ones"

Judge = Callable[[BuildSpec, Settings, Sequence[str]], Mapping[str, Ending]]
"""Builds a project and judges it: the ending of each of these checks."""


@dataclass(frozen=True)
class Proof:
    """The result of building with the fixes of one Dockerfile.

    ``changes`` maps a file's path from the root to its text before (None for a new file) and after
    all proven patches; ``proven`` maps each check that passes with these patches to its own fix as
    it was tried, which may stand on those before it; ``refused`` maps each other check that offered
    a patch to the reason why the patch is not taken.
    """

    changes: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    proven: Mapping[str, Fix] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def patch(self) -> str:
        """All proven changes as one patch."""
        return patch_of(self.changes)


@dataclass
class Proving:
    """The trials of one Dockerfile's patches.

    ``place`` is a directory of the run's own, ``root`` the directory to which the paths in patches
    are relative. ``judge`` builds and judges.
    """

    spec: BuildSpec
    settings: Settings
    root: Path
    place: Path
    judge: Judge
    _trials: int = 0

    def tried(self, texts: Mapping[str, str], checks: Sequence[str]) -> Mapping[str, Ending]:
        """How the checks end on a copy of the project in which these files have these texts."""
        self._trials += 1
        root = self.place / str(self._trials) / (self.root.name or "project")
        spec = _copied(self.spec, self.root, root)
        for path, text in texts.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            return self.judge(spec, replace(self.settings, root=root), checks)
        finally:
            shutil.rmtree(self.place / str(self._trials), ignore_errors=True)


def prove(proving: Proving, endings: Mapping[str, Ending]) -> Proof:
    """Try the patches that failing checks offer, all together and then one by one.

    A check that still fails on the copy may offer a patch of its own there,
    which is tried in turn. Raises what judging raises.
    """
    checks = tuple(endings)
    texts: dict[str, str] = {}
    refused: dict[str, str] = {}
    proven: dict[str, Fix] = {}
    now = dict(endings)
    for _ in checks:  # every round proves one at least, or none is left to try
        offered = _offered(now, refused)
        if not offered:
            break
        for group in _groups(offered):
            made = _patched(proving.root, texts, [offered[check] for check in group])
            if made is None:
                if len(group) == 1:
                    refused[group[0]] = "it does not fit with the other patches"
                continue
            after = proving.tried(made, checks)
            why = _refusal(group, now, after)
            if not why:
                proven |= {check: _tried_fix(check, now, endings, proven) for check in group}
                texts, now = made, dict(after)
                break
            if len(group) == 1:
                refused[group[0]] = why
    proven = {check: fix for check, fix in proven.items() if _passes(now.get(check))}
    for check in _offered(endings, {}):
        if check not in proven and check not in refused:
            ending = now.get(check)
            refused[check] = _UNNEEDED if _passes(ending) else _still(ending)
    changes = {path: (_read(proving.root / path), text) for path, text in texts.items()}
    return Proof(changes, proven, refused)


def _tried_fix(
    check: str, now: Mapping[str, Ending], first: Mapping[str, Ending], before: Iterable[str]
) -> Fix:
    """The fix of a check that was tried, with the names of those that it stands on."""
    fix, original = now[check].fix, first[check].fix
    assert fix is not None
    if original is None or fix.patch == original.patch:
        return replace(fix, proven=True)
    return replace(fix, proven=True, text=f"{fix.text}; apply {_in_words(before)} first")


def _in_words(checks: Iterable[str]) -> str:
    return " and ".join(f"the fix of {check}" for check in checks)


def _offered(endings: Mapping[str, Ending], refused: Mapping[str, str]) -> dict[str, str]:
    return {
        check: ending.fix.patch
        for check, ending in endings.items()
        if ending.outcome == "failed"
        and ending.fix is not None
        and ending.fix.patch
        and check not in refused
    }


def _groups(offered: Iterable[str]) -> list[tuple[str, ...]]:
    """All together first, then each for itself."""
    checks = tuple(offered)
    return [checks] if len(checks) == 1 else [checks, *((check,) for check in checks)]


def _patched(root: Path, texts: Mapping[str, str], patches: Sequence[str]) -> dict[str, str] | None:
    """The texts after some patches; None if one of them does not fit."""
    made = dict(texts)
    for patch in patches:
        try:
            known = {path: made.get(path, _read(root / path)) for path in _paths(patch)}
            made.update(applied(patch, known))
        except ValueError:
            return None
    return made


def _paths(patch: str) -> list[str]:
    return [line[6:].removesuffix("\t") for line in patch.split("\n") if line.startswith("+++ b/")]


def _read(path: Path) -> str | None:
    try:
        return read_bytes(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _passes(ending: Ending | None) -> bool:
    return ending is not None and ending.outcome == "passed"


def _refusal(
    group: Sequence[str], before: Mapping[str, Ending], after: Mapping[str, Ending]
) -> str:
    """The reason why a trial's patches are refused, "" if they are taken."""
    for check in group:
        if not _passes(after.get(check)):
            return _still(after.get(check))
    for check, ending in before.items():
        if _passes(ending) and not _passes(after.get(check)):
            return f"with it applied {check} does not pass any more"
    return ""


def _still(ending: Ending | None) -> str:
    said = "it was not judged" if ending is None else ending.finding.said
    return f"with it applied: {said}"


def _copied(spec: BuildSpec, root: Path, place: Path) -> BuildSpec:
    """The spec over a copy of its contexts and Dockerfile below ``place``."""
    context, dockerfile = spec.context, spec.dockerfile
    rules = IgnoreRules.of(spec)
    there = _there(context, root, place, f"context/{context.name}")
    _copy(context, there, replace(rules, named={}))
    named: dict[str, str] = {}
    for top, directory in spec.directories.items():
        copy = _there(directory, root, place, f"named/{top}/{directory.name}")
        _copy(directory, copy, rules.named[top])
        named[top] = str(copy)
    contexts = tuple((name, named.get(context_top(name), value)) for name, value in spec.contexts)
    own = _there(dockerfile, root, place, "dockerfile/" + dockerfile.name)
    for original in (dockerfile, dockerfile.with_name(f"{dockerfile.name}.dockerignore")):
        copy = own.with_name(original.name)
        if original.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, copy)
    return replace(spec, context=there, dockerfile=own, contexts=contexts)


def _copy(directory: Path, there: Path, rules: IgnoreRules) -> None:
    """Copy one context; what another context of the build has copied already stays."""

    def left_out(place: str, names: list[str]) -> set[str]:
        # An ignored virtual environment or node_modules may be huge, and never reaches the build.
        below = os.path.relpath(place, directory)
        copy = there if below == "." else there / below
        left = {
            name
            for name in names
            if os.path.lexists(copy / name) and not _is_directory(copy / name)
        }
        if any(line.reinclude for line in rules.lines):
            return left
        paths = {name: name if below == "." else f"{below}/{name}" for name in names}
        return left | {
            name
            for name, path in paths.items()
            if name != ".git"
            and os.path.isdir(os.path.join(place, name))
            and rules.excludes(path.replace(os.sep, "/"))
        }

    shutil.copytree(directory, there, symlinks=True, ignore=left_out, dirs_exist_ok=True)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _there(path: Path, root: Path, place: Path, otherwise: str) -> Path:
    inside = path.is_relative_to(root)
    return place / path.relative_to(root) if inside else place.parent / "outside" / otherwise


# -- a whole session


class Session(Protocol):
    """The parts of the session's plugin that proving needs."""

    options: Options

    @property
    def run(self) -> Run:
        """The session's run."""

    @property
    def progress(self) -> Progress:
        """Where news of builds goes."""

    def shown(self, path: Path) -> str:
        """A path as reports show it."""

    def shortened(self, text: str) -> str:
        """A message as reports show it."""


def prove_session(
    session: Session,
    path: Path,
    specs: Mapping[str, tuple[BuildSpec, ImageOptions]],
    images: Sequence[ImageReport],
) -> tuple[FixReport, tuple[ImageReport, ...]]:
    """Prove the fixes of every Dockerfile, and write the proven ones to ``path``.

    ``specs`` maps the node of an image report to its build and its options. Returns the images with
    the proven fixes marked; a Dockerfile whose proof fails has no proven fix. Raises
    DockerCacheError where nothing can be built, and OSError.
    """
    root = session.options.image.settings.root or Path.cwd()
    changes: dict[str, tuple[str | None, str]] = {}
    tried: list[TriedFix] = []
    marked: list[ImageReport] = []
    for number, image in enumerate(images):
        endings = {item.id: item.ending for item in image.checks}
        known = specs.get(image.node)
        if known is None or not _offered(endings, {}):
            marked.append(image)
            continue
        spec, own = known
        settings = own.settings
        if Subject(spec, settings, session.run).predicts:
            raise DockerCacheError("nothing is proven by an engine that only predicts")
        place = session.run.directory / "proof" / str(number)
        proving = Proving(
            spec, settings, root, place, partial(_judged, session, own.check_settings)
        )
        try:
            proof = prove(proving, endings)
        except (DockerCacheError, OSError) as problem:
            # The proofs for other Dockerfiles stay valid.
            said = problem.verdict if isinstance(problem, DockerCacheError) else str(problem)
            refused = dict.fromkeys(_offered(endings, {}), f"it could not be tried: {said}")
            proof = Proof(refused=refused)
        clashing = [
            name
            for name, (_, text) in proof.changes.items()
            if name in changes and changes[name][1] != text
        ]
        if clashing:
            why = f"another fix of this session changes {clashing[0]} too: apply that one first"
            proof = Proof(refused={**proof.refused, **dict.fromkeys(proof.proven, why)})
        changes.update(proof.changes)
        marked.append(_marked(image, proof))
        nodes = {item.id: item.nodeid for item in image.checks}
        tried += [TriedFix(nodes[check], True, _saved(image, check)) for check in proof.proven]
        tried += [
            TriedFix(nodes[check], False, why=session.shortened(why))
            for check, why in proof.refused.items()
        ]
    if not changes:
        return FixReport(None, tuple(tried)), tuple(marked)
    write_text(path, patch_of(changes))
    command = apply_command(root, path, Path.cwd())
    return FixReport(session.shown(path), tuple(tried), apply=command), tuple(marked)


def apply_command(root: Path, patch: Path, directory: Path) -> str:
    """The command that applies a patch whose files are named from ``root``, in ``directory``.

    Git takes the names of a patch from the directory in which it runs, and ``--directory`` from
    there as well (seen with git 2.39).
    """
    root, directory = root.resolve(), directory.resolve()
    named = os.path.relpath(patch, directory)
    if named.startswith(".."):
        named = str(patch)
    if root == directory:
        words = ["git", "apply", named]
    elif root.is_relative_to(directory):
        words = ["git", "apply", f"--directory={root.relative_to(directory).as_posix()}", named]
    else:
        there = os.path.relpath(root, directory) if directory.is_relative_to(root) else str(root)
        words = ["git", "-C", there, "apply", str(patch)]
    return shlex.join(words)


def _judged(
    session: Session,
    demands: CheckSettings,
    spec: BuildSpec,
    settings: Settings,
    checks: Sequence[str],
) -> Mapping[str, Ending]:
    def observe(title: str, steps: Sequence[Step]) -> None:
        session.progress(f"fixes: {title}", steps)

    subject = Subject(spec, settings, session.run, observe)
    endings: dict[str, Ending] = {}
    for check in checks:
        try:
            verdict = CHECKS[check].judge(subject, demands)
        except (DockerCacheError, CacheAssertionError) as problem:
            endings[check] = decide(problem, check=check, strict=False, auto=False)
        else:
            endings[check] = passed(verdict)
    return endings


def _marked(image: ImageReport, proof: Proof) -> ImageReport:
    """The report with the proven fixes said to be proven."""
    checks = []
    for item in image.checks:
        if item.id in proof.proven and item.ending.fix is not None:
            finding = replace(item.ending.finding, fix=proof.proven[item.id])
            item = replace(item, ending=replace(item.ending, finding=finding))
        checks.append(item)
    return replace(image, checks=tuple(checks))


def _saved(image: ImageReport, check: str) -> str:
    """The saving of a proven fix, as far as the session has seen it."""
    if check in ("env-layer-cached", "build-args-late", "dockerignore-effective"):
        return _saved_time(image, check)
    own = [layer for layer in image.layers if not layer.base]  # a base stays as it is
    sizes = {
        "no-package-caches": sum(layer.package_cache_bytes or 0 for layer in own),
        "no-bytecode": sum(layer.bytecode_bytes or 0 for layer in own),
        "no-hidden-bytes": sum(layer.hidden_bytes or 0 for layer in own),
    }
    size = sizes.get(check, 0)
    return f"{megabytes(size)} of the image" if size else ""


_CHANGES = {
    "env-layer-cached": "code change",
    "build-args-late": "change of a build argument",
    "dockerignore-effective": "commit",
}


def _saved_time(image: ImageReport, check: str) -> str:
    """The seconds of the steps that ran again for nothing."""
    lines: set[int] = set()
    for build in image.builds:
        if build.edits and _is_about(build, check):
            lines |= {
                step.line
                for step in build.steps
                if is_rebuilt(step)
                and (step.role == "environment" or check == "dockerignore-effective")
            }
    seconds = sum(image.seconds.get(line, 0.0) for line in lines)
    when = f"on every {_CHANGES[check]}"
    return f"{duration(seconds)} {when}" if seconds else when


def _is_about(build: Build, check: str) -> bool:
    arguments = all(edit.kind == "build-arg" for edit in build.edits)
    by_itself = all(_BY_ITSELF.search(edit.path or "") is not None for edit in build.edits)
    wanted = {"build-args-late": arguments, "dockerignore-effective": by_itself}
    return wanted.get(check, not arguments and not by_itself)


_BY_ITSELF = regex(r"(\A|/)(\.git|\.pytest_cache|__pycache__)(/|\Z)")
