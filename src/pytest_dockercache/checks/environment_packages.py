"""``environment-matches``: the packages in the image are those of the environment file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..dockerfile import PlannedStep, carried, declared, expand
from ..dockerfile.stages import path_at, path_below
from ..environments import EnvironmentCommand, Installation, environment_files, environment_name
from ..environments.comparison import (
    Match,
    compare_environments,
    difference_table,
    matches,
)
from ..environments.installed import Environment, environment, every_prefix, find_prefix
from ..environments.requirements import Requirements, read_requirements
from ..environments.tools import is_comparable
from ..errors import Unverifiable
from ..image import View
from ..project import Project
from ..shell.script import Word
from ..subject import Subject
from .contents import Contents
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = ["installed", "judge", "judge_requirements", "judge_same", "named_prefixes"]


def judge(subject: Subject) -> Verdict:
    """Hold what the image's layers record as installed against every environment file.

    ``environment.yml``, requirement files and lists of match specs are
    satisfied; the output of ``conda env export``, an explicit list and
    ``conda-lock.yml`` are equalled. A file is held against the environment
    that the commands name which install from it. Constraints, and files from
    which only stages install that the image has no environment of, do not
    describe the image.
    """
    image = subject.image()  # first, because files that are missing make the build fail
    files = subject.project.environment_files
    if not files:
        raise Unverifiable("no environment file found to hold the image against")
    contents = contents_of(subject, image)
    readers = _readers(subject)
    verified: list[str] = []
    unverified: list[str] = []
    left_out: list[str] = []
    doubts: list[str] = []
    for file in files:
        if not is_comparable(subject.spec.context / file.path):
            left_out.append(f"{file.path} (not a format whose packages can be compared)")
        elif file.path in readers.constraints and file.path not in readers.manifests:
            left_out.append(f"{file.path} (it only limits versions)")
        else:
            try:
                found = _judge_file(subject, contents, file.path, readers)
            except Unverifiable as problem:
                doubts.append(str(problem))
                continue
            if found is None:
                left_out.append(f"{file.path} (its environment is not in the image)")
                continue
            verified.append(file.path)
            unverified += found
    if doubts:
        raise Unverifiable("; ".join(dict.fromkeys(doubts)))
    if not verified:
        raise Unverifiable(f"no environment file can be held against the image: {_list(left_out)}")
    remark = f"; not verified: {_list(unverified)}" if unverified else ""
    remark += f"; not compared: {_list(left_out)}" if left_out else ""
    return Verdict(f"the image holds what {', '.join(verified)} asks for{remark}")


def _list(items: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(items))


@dataclass(frozen=True)
class _Reader:
    """A command that installs, and its step."""

    step: PlannedStep
    installation: Installation

    @property
    def line(self) -> int:
        """The first line of the step."""
        return self.step.line


@dataclass(frozen=True)
class _Readers:
    """Which commands install from a context file, and which files only limit versions.

    ``by_name`` is what makes the only environment that conda installs packages
    into by their names, None if there are several or none.
    """

    manifests: Mapping[str, tuple[_Reader, ...]]
    constraints: frozenset[str]
    by_name: _Reader | None

    def of(self, path: str) -> Sequence[_Reader | None]:
        """The commands that install from a file, directly if any does; None if none does."""
        readers = self.manifests.get(path, ())
        direct = [reader for reader in readers if not _is_indirect(reader.installation)]
        return direct or readers or (None,)


def _readers(subject: Subject) -> _Readers:
    project = subject.project
    steps = {step.line: step for step in project.steps if step.instruction.keyword == "RUN"}
    manifests: dict[str, tuple[_Reader, ...]] = {}
    constraints: set[str] = set()
    by_name: dict[str, _Reader] = {}

    def files(command: EnvironmentCommand) -> Iterator[str]:
        if not command.manifests and not command.unresolved:
            return iter(())
        found = environment_files(
            project.steps,
            project.entries,
            [command],
            context=subject.spec.context,
            ignore=project.ignore,
        )
        return (file.path for file in found)

    for command in project.commands:
        for item in command.installations:
            limiting = item.constraints
            given = replace(
                command,
                named=False,
                manifests=tuple(path for path in item.manifests if path not in limiting),
                unresolved=tuple(text for text in item.unresolved if text not in limiting),
            )
            reader = _Reader(steps[command.line], item)
            if item.specs and item.named and item.environment is not None:
                by_name[item.environment.text] = reader
            for path in files(given):
                manifests[path] = (*manifests.get(path, ()), reader)
            if limiting:
                constraints.update(files(replace(given, manifests=limiting, unresolved=())))
    only = next(iter(by_name.values())) if len(by_name) == 1 else None
    return _Readers(manifests, frozenset(constraints), only)


def _judge_file(
    subject: Subject,
    contents: Contents,
    path: str,
    known: _Readers,
) -> tuple[str, ...] | None:
    """Hold the image against one file; what of it was not verified.

    None if its environment is not in the image. Raises CacheAssertionError,
    and Unverifiable where it is not known which environment the file describes.
    """
    readers = known.of(path)
    forms = {reader is not None and reader.installation.specs for reader in readers}
    found: dict[tuple[bool, str], tuple[Requirements, bool, int | None]] = {}
    for reader in readers:
        specs = reader is not None and reader.installation.specs
        platform = contents.layers.config.platform or "linux/amd64"
        source = subject.spec.context / path
        wanted = read_requirements(source, platform=platform, specs=specs)
        if reader is None and not wanted.name and wanted.kind != "pip":
            reader = known.by_name
        prefixes, certain = _places(subject, contents, reader, wanted.name)
        certain = certain and len(forms) == 1
        for prefix in prefixes:
            before = found.get((specs, prefix), (wanted, False, None))
            line = reader.line if reader is not None else None
            found[specs, prefix] = (wanted, certain or before[1], before[2] or line)
    if not found:
        return None
    unverified: list[str] = []
    for (_, prefix), (wanted, certain, line) in found.items():
        packages = environment(contents.layers.view, prefix)
        if not certain and not _matches(contents, packages, wanted).holds:
            raise Unverifiable(
                f"{prefix} does not hold what {path} asks for, but whether line {line} installs "
                "into it is not known"
            )
        unverified += _held(subject, contents, packages, wanted, path, line).unverified
    return tuple(unverified)


def named_prefixes(
    subject: Subject, contents: Contents, paths: Sequence[str]
) -> Mapping[str, frozenset[str]]:
    """The prefixes in the image of the environments that files describe, by context path.

    Only of files for which the commands that install from them, or the files
    themselves, say it; without a prefix where that environment is not in the image.
    """
    known = _readers(subject)
    found: dict[str, frozenset[str]] = {}
    for path in paths:
        name = environment_name(subject.spec.context / path)
        places = [_named_places(subject, contents, reader, name) for reader in known.of(path)]
        said = [place for place in places if place is not None]
        if len(said) == len(places):
            found[path] = frozenset().union(*said)
    return found


def _named_places(
    subject: Subject, contents: Contents, reader: _Reader | None, name: str
) -> Sequence[str] | None:
    """:func:`_places` where something names the environment and it is certain, else None."""
    if not name and (reader is None or _word(reader.installation, name) is None):
        return None
    try:
        prefixes, certain = _places(subject, contents, reader, name)
    except Unverifiable:
        return None
    return prefixes if certain or not prefixes else None


def _word(installation: Installation, name: str) -> Word | None:
    """The environment that a command installs a file into which names ``name``, "" if none."""
    return installation.environment or (Word(name) if name else installation.active)


def _is_indirect(installation: Installation) -> bool:
    """Whether another command installs what this one makes of a file."""
    return installation.exports or installation.wheels


def _places(
    subject: Subject, contents: Contents, reader: _Reader | None, name: str
) -> tuple[Sequence[str], bool]:
    """The prefixes in the image that a command has installed into, and whether that is certain.

    ``name`` is the environment that the file names, "" if it names none.
    """
    view, env = contents.layers.view, contents.layers.config.env
    if reader is None:
        return [find_prefix(view, name or None, env)], True
    item = reader.installation
    pairs = carried(subject.project.steps, reader.step.stage.index, subject.project.final_stage)
    if not pairs:
        return [], True
    if _is_indirect(item):
        return [find_prefix(view, None, env)], False
    word = _word(item, name)
    if ("/", "/") not in pairs:
        return _copied(view, env, reader, word, pairs)
    if item.target:
        raise Unverifiable(
            f"line {reader.line} installs into {item.target}, outside of any environment: "
            "which packages are there is not recorded for one"
        )
    word = _with_values(word, env)
    every = every_prefix(view)
    users = [prefix for prefix in every if prefix.endswith("/.local")]
    if (word is None or word.text == "/usr/local") and users and not item.specs:
        # pip falls back to it where it may not write to the environment in use.
        raise Unverifiable(f"line {reader.line} may install into {users[0]}, or beside it")
    if word is None:
        return _default_places(subject.project, view, env, reader)
    if word.known:
        return [find_prefix(view, word.text, env)], True
    if len(every) == 1:
        return every, True
    raise Unverifiable(
        f"line {reader.line} installs into an environment that only the running container knows; "
        f"the image has: {', '.join(every) or 'none'}"
    )


def _default_places(
    project: Project, view: View, env: Mapping[str, str], reader: _Reader
) -> tuple[Sequence[str], bool]:
    """:func:`_places` of a command for which nothing names an environment."""
    tool = reader.installation.tool
    then, certain = _variables_then(project, reader.step, env)
    venv = path_at(reader.step.workdir, "/.venv")
    if tool == "uv" and venv in every_prefix(view):
        return [venv], False  # unless it was told to use another
    if tool.startswith("pip"):
        then = {"PATH": then.get("PATH", "")}
    active = then.get("CONDA_PREFIX") or then.get("CONDA_DEFAULT_ENV")
    # Whatever is first on PATH: conda's default is the environment that conda runs from.
    default = "base" if tool in ("conda", "mamba") and not active else None
    return [find_prefix(view, default, then)], certain


def _with_values(word: Word | None, env: Mapping[str, str]) -> Word | None:
    """The word with the image's own variables, which a base image may have set."""
    if word is None or word.known or "$" not in word.text:
        return word
    names = re.findall(r"\$\{?(\w+)", word.text)
    text = re.sub(
        r"\$\{(\w+)\}|\$(\w+)", lambda found: env.get(found[1] or found[2], ""), word.text
    )
    return Word(text) if all(name in env for name in names) and "$" not in text else word


_SETS_VARIABLES = re.compile(
    r"\b(?:PATH|CONDA_PREFIX|CONDA_DEFAULT_ENV)=|(?:^|RUN|[;&(])\s*(?:source|\.)\s", re.MULTILINE
)


def _variables_then(
    project: Project, step: PlannedStep, env: Mapping[str, str]
) -> tuple[Mapping[str, str], bool]:
    """The image's variables that name an environment as they were in a step.

    And whether that is certain: it is not where PATH was written anew since, or in the step.
    """
    texts = [step.instruction.text, *(document.body for document in step.instruction.heredocs)]
    if any(_SETS_VARIABLES.search(text) for text in texts):
        return env, False
    last = [later for later in project.steps if later.stage.index == project.final_stage][-1]
    before, after = dict(step.environment), dict(last.environment)
    if last.instruction.keyword == "ENV":
        for name, value in declared(last.instruction, last.escape):
            after[name] = expand(value or "", after, last.escape)
    changed = {
        name: before.get(name, "")
        for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV")
        if before.get(name) != after.get(name)
    }
    # What the base image has on PATH is not in the plan: an empty item stands for it.
    now, old, new = (found.get("PATH", "").split(":") for found in (env, before, after))
    for start in range(len(new) - len(old) + 1):
        if new[start : start + len(old)] == old:
            path = now[start : len(now) - (len(new) - len(old) - start)]
            return {**env, **changed, "PATH": ":".join(path)}, True
    return {**env, **changed}, False


def _copied(
    view: View,
    env: Mapping[str, str],
    reader: _Reader,
    word: Word | None,
    pairs: Sequence[tuple[str, str]],
) -> tuple[Sequence[str], bool]:
    """:func:`_places` of a command in a stage that the image only copies from."""
    wanted = _installed_prefix(reader, word)
    unknown = word is not None and not word.known
    target = reader.installation.target
    certain: list[str] = []
    possible: dict[str, str] = {}
    for there, here in pairs:
        if not here:
            possible[find_prefix(view, None, env)] = ""
            continue
        for prefix in every_prefix(view):
            source = _source(prefix, there, here)
            if source is None:
                continue
            if wanted and (source == wanted or source.endswith(f"/envs/{wanted}")):
                certain.append(prefix)
            elif unknown or not posixpath.dirname(source).endswith("/envs"):
                possible[prefix] = source
    if not certain and not possible and any(_holds(there, wanted, target) for there, _ in pairs):
        raise Unverifiable(
            f"line {reader.line} installs into {wanted}, which the image has a copy of: "
            "which packages are there is not recorded for an environment"
        )
    if word is None and not wanted and list(possible.values()) == ["/usr/local"]:
        certain = list(possible)  # where pip installs that no environment is active for
    return list(dict.fromkeys(certain or possible)), bool(certain) and not target


def _installed_prefix(reader: _Reader, word: Word | None) -> str:
    """Where a command installs in its own stage: a prefix, a name, or "" if that is not known."""
    if target := reader.installation.target:
        return target if target.startswith("/") else ""
    if word is not None:
        return word.text if word.known and word.text not in ("base", "root") else ""
    if reader.installation.specs:
        return ""
    path = dict(reader.step.environment).get("PATH", "")
    directories = (directory.rstrip("/") for directory in path.split(":"))
    prefixes = [item.removesuffix("/bin") for item in directories if item.endswith("/bin")]
    return next((item for item in prefixes if item not in ("", "/usr", "/usr/local")), "")


def _source(prefix: str, there: str, here: str) -> str | None:
    """The path in the other stage of a prefix that ``there`` was copied to or into.

    "" if it is not known, None if the prefix is not of that copy.
    """
    rest = path_below(prefix, here)
    if rest is not None:
        return path_at(there, rest) if there else ""
    rest = path_below(here, prefix)
    if rest is None or not rest.startswith("/lib"):
        return None
    return there.removesuffix(rest) if there.endswith(rest) else ""


def _holds(there: str, wanted: str, target: str) -> bool:
    """Whether a copied path holds an environment, or some of a directory of packages."""
    if not wanted.startswith("/"):
        return False
    whole = bool(there) and path_below(wanted, there) is not None
    return whole or bool(target and (not there or path_below(there, wanted) is not None))


def installed(contents: Contents, name: str | None) -> Environment:
    """The packages of an environment of the image, by name or prefix, or of the one in use."""
    view = contents.layers.view
    return environment(view, find_prefix(view, name, contents.layers.config.env))


def judge_requirements(
    subject: Subject,
    contents: Contents,
    packages: Environment,
    wanted: Requirements,
    name: str,
) -> Verdict:
    """Hold one environment against one file, which messages call ``name``."""
    outcome = _held(subject, contents, packages, wanted, name)
    remark = f"; not verified: {_list(outcome.unverified)}" if outcome.unverified else ""
    return Verdict(f"{packages.prefix} holds what {name} asks for{remark}")


def _matches(contents: Contents, packages: Environment, wanted: Requirements) -> Match:
    platform = contents.layers.config.platform or "linux/amd64"
    return matches(wanted, packages, platform=platform)


def _held(
    subject: Subject,
    contents: Contents,
    packages: Environment,
    wanted: Requirements,
    name: str,
    line: int | None = None,
) -> Match:
    """What holding an environment against a file gave; ``line`` is that which installs from it.

    Raises CacheAssertionError where they differ, and Unverifiable where
    nothing that the file asks for could be verified.
    """
    outcome = _matches(contents, packages, wanted)
    if outcome.holds:
        if packages.unread:
            raise Unverifiable(f"package records cannot be read: {', '.join(packages.unread)}")
        if outcome.unverified and not outcome.verified:
            raise Unverifiable(
                f"nothing that {name} asks for can be verified: {_list(outcome.unverified)}"
            )
        return outcome
    if line is None:
        files = subject.project.environment_files
        line = next((file.readers[0] for file in files if file.path == name and file.readers), None)
    count = len(outcome.differences)
    packages_word = "package differs" if count == 1 else "packages differ"
    raise broken(
        f"image does not match {name}: {count} {packages_word} in {packages.prefix}",
        subject=subject,
        rows=[f"  {row}" for row in difference_table(outcome.differences)],
        why="the file asks for one thing and the layers record another: the image was built from "
        "an older file, or a later step changed the environment",
        fix=(
            f"install from {name} in line {line} and change the environment nowhere else"
            if line is not None
            else f"install the environment from {name}"
        ),
        line=line,
    )


def judge_same(subject: Subject, one: Environment, other: Environment, name: str) -> Verdict:
    """Hold two environments against each other; messages call the second image ``name``."""
    differences = compare_environments(one, other)
    unread = (*one.unread, *other.unread)
    if not differences:
        if unread:
            raise Unverifiable(f"package records cannot be read: {', '.join(unread)}")
        return Verdict(f"{one.prefix} holds the same packages as {name}")
    count = len(differences)
    raise broken(
        f"image differs from {name}: {count} package{'s' if count > 1 else ''} in {one.prefix}",
        subject=subject,
        rows=[f"  {row}" for row in difference_table(differences)],
        why="the records of the two images' layers name other packages, versions or builds",
        fix="build both from the same lock file",
    )
