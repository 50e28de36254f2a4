"""``python-version``: ``python --version`` in the image reports the pinned version."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ..dockerfile import paths_in_final_stage
from ..environments import (
    PythonPin,
    environment_name,
    is_foreign_file,
    python_pins,
    request_files,
)
from ..environments.installed import environment
from ..environments.places import named_prefixes
from ..environments.prefixes import find_prefix, prefixes
from ..errors import DoesNotApply, Unverifiable
from ..image import View, is_file_reference
from ..project import Project
from ..regexes import regex
from ..values import dataclass
from .contents import Contents
from .environment_packages import readers_of
from .judged import Judged
from .reading import contents_of
from .running_python import activated, ask, start_of
from .settings import DEFAULTS, CheckSettings
from .started_by_shell import started_by_shell
from .verdict import Verdict, broken

__all__ = [
    "Python",
    "expected_python",
    "judge",
    "judge_image",
    "pins",
    "recorded_python",
]


_LOAD_IT = "load the image into a daemon and name it there"
_NAME_THE_VERSION = "name the version with --dockercache-python=3.10"


@dataclass(frozen=True)
class Python:
    """The Python that an image runs.

    ``version`` is the version that this Python reports; for an image in a file, the version that
    conda records (``ran`` is False). ``prefix`` is its conda environment and ``recorded`` the
    version in that environment's records; both are None without records. ``named`` is True where
    the ENTRYPOINT, the CMD or the SHELL names the environment, False where the environment comes
    first on PATH. ``doubt`` says why the image's program may run another Python.
    """

    version: str
    prefix: str | None = None
    recorded: str | None = None
    named: bool = False
    ran: bool = True
    doubt: str = ""


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Hold the conda records and the answer of ``python --version`` against the pins."""
    image = subject.image()  # first, because files that are missing make the build fail
    wanted = pins(subject, settings, _platform(subject, image))
    python = _python(subject, image)
    return _judge(subject, python, expected_python(subject, wanted, python))


def judge_image(subject: Judged, image: str, expected: str, origin: str) -> Verdict:
    """Hold the Python of one image against a match spec that stands in ``origin``."""
    return _judge(subject, _python(subject, image), (PythonPin(expected, origin),))


def _judge(subject: Judged, python: Python, wanted: Sequence[PythonPin]) -> Verdict:
    """Hold a Python against pins that all count."""
    version, prefix = python.version, python.prefix
    unrun = "" if python.ran else " (conda-meta, not run)"
    broken_pin = next((pin for pin in wanted if not pin.fits(version)), None)
    if broken_pin is not None and python.doubt:
        raise Unverifiable(f"python --version reports {version}, but {python.doubt}")
    if broken_pin is not None:
        rows = [f"  image  python --version reports {version}"] if python.ran else []
        if prefix is not None:
            place = "is named by the image" if python.named else "comes first on PATH"
            rows.append(f"  image  {prefix} {place} and records {python.recorded}{unrun}")
        raise broken(
            f"python is {version}, not {broken_pin.spec}",
            subject=subject,
            rows=[*rows, *(f"  pinned {pin.spec} in {pin.place}" for pin in wanted)],
            why="the environment in the image does not follow the pin, or "
            + (
                "the ENTRYPOINT or SHELL names another environment"
                if python.named
                else "another python comes first on PATH"
            ),
            fix=f"install python {broken_pin.spec} in the environment and "
            + (
                "name that one in the ENTRYPOINT or SHELL"
                if python.named
                else "put its bin directory first on PATH (ENV PATH)"
            ),
        )
    if python.recorded not in (None, version):
        raise Unverifiable(
            f"{prefix} records python {python.recorded}, but python --version reports {version}: "
            "something else runs under that name"
        )
    remark = "" if python.ran else "; from conda-meta, not run"
    return Verdict(f"python {version} satisfies {_listed(wanted)}{remark}")


def _platform(subject: Judged, image: str) -> str:
    """The platform of an image as Docker has it."""
    if subject.spec.platform:
        return subject.spec.platform
    try:
        return contents_of(subject, image).layers.config.platform or "linux/amd64"
    except Unverifiable:
        config = subject.engine.image_config(image)
        return f"{config.get('Os') or 'linux'}/{config.get('Architecture') or 'amd64'}"


def _listed(wanted: Sequence[PythonPin]) -> str:
    """Pins with their files: ``>=3.9 and <3.11 (environment.yml)``."""
    by_origin: dict[str, list[str]] = defaultdict(list)
    for pin in wanted:
        by_origin[pin.origin].append(pin.spec)
    return ", ".join(f"{' and '.join(specs)} ({origin})" for origin, specs in by_origin.items())


def _python(subject: Judged, image: str) -> Python:
    """Run an image's Python; for an image in a file, read conda's records.

    Raises CacheAssertionError if the image has no python to run, Unverifiable if an image in a file
    has no record of a Python.
    """
    if is_file_reference(image):
        return _python_of_file(contents_of(subject, image))
    answer = ask(subject, image, partial(_contents, subject, image))
    contents = None if answer.through is None else _contents(subject, image)
    found = None
    if contents is not None and answer.through is not None:
        with suppress(Unverifiable):  # the image has no such environment; the container answered
            found = recorded_python(contents, answer.through, answer.path)
    found = found or Python(answer.version)
    return replace(found, version=answer.version, ran=True, doubt=answer.doubt)


def _contents(subject: Judged, image: str) -> Contents | None:
    """The contents of the image, None if its layers cannot be read: a container answers anyway."""
    try:
        return contents_of(subject, image)
    except Unverifiable:
        return None


def _python_of_file(contents: Contents) -> Python:
    config = contents.layers.config
    start = start_of({"Entrypoint": config.entrypoint, "Cmd": config.cmd})
    shell = started_by_shell(start.application)
    if shell is not None and (shell.doubt or not shell.is_plain):
        raise Unverifiable(
            "the image is a file, in which nothing can be run, and its ENTRYPOINT or CMD has a "
            "shell choose the python",
            fix=_LOAD_IT,
        )
    path = start.python if start.python.startswith("/") else ""
    found = recorded_python(contents, start.through, path)
    if found is None:
        on_path = activated(start.through, config.env) == "" and not path
        place = "comes first on its PATH" if on_path else "its ENTRYPOINT or CMD starts"
        raise Unverifiable(
            "the image is a file, in which nothing can be run, and no conda record names the "
            f"python that {place}",
            fix=_LOAD_IT,
        )
    return found


# --- which version is wanted --------------------------------------------------------------------


def pins(
    subject: Judged, settings: CheckSettings = DEFAULTS, platform: str = "linux/amd64"
) -> tuple[PythonPin, ...]:
    """The wanted versions: ``--dockercache-python``, else every pin of the environment files.

    A ``.python-version`` that uv finds where it installs counts as such a file. If
    ``--dockercache-environment`` names files, only these count. A pin for a platform other than the
    image's is left out. Raises DoesNotApply if there is no pin.
    """
    if settings.python:
        return (PythonPin(settings.python, "--dockercache-python"),)
    project = subject.project
    lists = _spec_lists(project)
    environments = _pixi_environments(project)
    found: list[PythonPin] = []
    for path in _pinning_files(project):
        read = python_pins(
            project.spec.place(path),
            platform=platform,
            specs=posixpath.basename(path) in lists,
            environments=environments,
        )
        found += [replace(pin, origin=path) for pin in read]
    if not found:
        raise DoesNotApply(
            "no python pin found in an environment file",
            fix=_NAME_THE_VERSION,
        )
    chosen = {posixpath.normpath(path) for path in subject.settings.environment}
    return tuple(pin for pin in found if pin.origin in chosen) or tuple(found)


def _spec_lists(project: Project) -> frozenset[str]:
    """The names of the files that commands read as lists of conda's match specs."""
    installations = (item for command in project.commands for item in command.installations)
    return frozenset(
        posixpath.basename(path) for item in installations if item.specs for path in item.manifests
    )


def _pixi_environments(project: Project) -> tuple[str, ...]:
    """The environments of pixi's that commands install, the default one without any command."""
    chosen = (
        item.selection.environment or "default"
        for command in project.commands
        for item in command.installations
        if item.tool == "pixi" and item.selection is not None and not item.named
    )
    return tuple(dict.fromkeys(chosen)) or ("default",)


def _pinning_files(project: Project) -> tuple[str, ...]:
    """The environment files, and each ``.python-version`` that uv reads, as context paths."""
    requests = request_files(project.steps, project.entries, project.commands)
    files = (file.path for file in project.environment_files if not is_foreign_file(file.path))
    return tuple(dict.fromkeys((*files, *requests)))


def expected_python(
    subject: Judged, wanted: Sequence[PythonPin], python: Python
) -> tuple[PythonPin, ...]:
    """The pins, of several files, that are for the Python that runs; all pins of a file count.

    The file that describes this Python's environment counts, else all files whose environment is
    not known; files that the final stage reads go before files of other stages that the build
    needs. Raises Unverifiable where files of several projects remain that judge the version
    differently.
    """
    wanted = _of_its_environment(wanted, python)
    origins = list(dict.fromkeys(pin.origin for pin in wanted))
    if len(origins) == 1:
        return tuple(wanted)
    lines = {file.path: file.readers for file in subject.project.environment_files}
    lines |= request_files(subject.project.steps, subject.project.entries, subject.project.commands)
    known: Mapping[str, frozenset[str]] = {}
    if python.prefix is not None:
        layers = contents_of(subject, subject.image()).layers
        names = {origin: environment_name(subject.spec.place(origin)) for origin in origins}
        readers = readers_of(subject.project)
        known = named_prefixes(readers, layers.view, layers.config.env, names)
    matches: dict[bool | None, list[str]] = defaultdict(list)
    for origin in origins:
        places = known.get(origin)
        matches[None if places is None else python.prefix in places].append(origin)
    candidates = matches[True] or matches[None] or origins
    ranks = {origin: _rank(subject.project, lines.get(origin, ())) for origin in candidates}
    nearest = [origin for origin in candidates if ranks[origin] == min(ranks.values())]
    groups: dict[str, list[PythonPin]] = defaultdict(list)
    for pin in wanted:
        if pin.origin in nearest:
            groups[_project_of(pin.origin)].append(pin)
    if len({all(pin.fits(python.version) for pin in group) for group in groups.values()}) > 1:
        place = f" in {python.prefix}" if python.prefix else ""
        listed = ", ".join(f"{pin.spec} in {pin.origin}" for pin in wanted if pin.origin in nearest)
        raise Unverifiable(
            f"several files pin python, and which pin is for the one that runs{place} "
            f"is not known: {listed}",
            fix=_NAME_THE_VERSION,
        )
    return tuple(groups[_project_of(nearest[0])])


_PIXI_PREFIX = regex(r".*/\.pixi/envs/([^/]+)")


def _of_its_environment(wanted: Sequence[PythonPin], python: Python) -> Sequence[PythonPin]:
    """The pins without those of pixi's other environments.

    Raises DoesNotApply where none is left, and Unverifiable where it is not known which of pixi's
    environments runs, and their pins judge the version differently.
    """
    names = list(dict.fromkeys(pin.environment for pin in wanted if pin.environment))
    if not names:
        return wanted
    found = _PIXI_PREFIX.fullmatch(python.prefix or "")
    if found is None:
        fits = {all(pin.fits(python.version) for pin in wanted if pin.environment == name)
                for name in names}  # fmt: skip
        if len(fits) > 1:
            raise Unverifiable(
                f"the environments {', '.join(names)} of pixi pin python differently, and which of "
                "them runs is not known",
                fix=_NAME_THE_VERSION,
            )
        runs = names[0]
    else:
        runs = found[1]
    chosen = [pin for pin in wanted if pin.environment in ("", runs)]
    if not chosen:
        raise DoesNotApply(f"no python pin found for the environment {runs} of pixi")
    return chosen


def _project_of(path: str) -> str:
    """The key of the project that a file describes: the directory of a project file.

    Any other file (an environment file, a list of requirements) describes an environment by itself,
    and is its own key.
    """
    directory, name = posixpath.split(path)
    return directory if _PROJECT_FILE.fullmatch(name) else path


_PROJECT_FILE = regex(
    r"pyproject\.toml|setup\.cfg|\.python-version|(uv|poetry|pdm|pixi)\.lock|pylock\..*toml"
    r"|pixi\.toml|Pipfile(\.lock)?"
)


def _rank(project: Project, lines: Sequence[int]) -> int:
    """How near to the image some lines are, for the lines that read a file.

    0 in the final stage and the stages that it is built FROM, 1 in stages that it copies from, 2 in
    all others.
    """
    stages = {step.line: step.stage.index for step in project.steps}
    held = [
        paths_in_final_stage(project.steps, stages[line], project.final_stage) for line in lines
    ]
    return min((0 if ("/", "/") in pairs else 1 if pairs else 2 for pairs in held), default=2)


# --- the version in the image ---------------------------------------------------------------------


def recorded_python(
    contents: Contents, through: Sequence[str] = (), path: str = ""
) -> Python | None:
    """The Python that runs, by conda's records; None if they do not have it.

    The environment is the one in which ``path`` lies, else the one that the wrapper ``through``
    names (see :func:`.running_python.wrapper`), else the first on the image's PATH. Raises
    Unverifiable if the image has no environment of that name.
    """
    view = contents.layers.view
    env = contents.layers.config.env
    name = posixpath.dirname(posixpath.dirname(path)) if path else activated(through, env)
    if name is None or (path and name not in prefixes(view)):
        return None
    prefix = find_prefix(view, name, env) if name else _first_on_path(view, env)
    version = environment(view, prefix).python if prefix is not None else None
    if version is None:
        return None
    return Python(version, prefix, version, named=name != "", ran=False)


def _first_on_path(view: View, env: Mapping[str, str]) -> str | None:
    """The conda environment whose ``python`` comes first on PATH; None if another's does."""
    for directory in env.get("PATH", "").split(":"):
        if directory.startswith("/") and view.resolve(f"{directory}/python") is not None:
            prefix = directory.rstrip("/").removesuffix("/bin")
            return prefix if prefix in prefixes(view) else None
    return None
