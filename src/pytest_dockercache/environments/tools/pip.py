"""pip and pip-tools: the files that their commands read, and their caches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word, joined_path
from ..selection import LockSelection, pip_selection
from .command_lines import (
    CommandLine,
    Installation,
    arguments,
    conventional_files,
    is_archive,
    is_local,
    is_true,
    package_name,
    read_files,
)
from .table import Tool, known_layouts

__all__ = ["TOOL", "VALUED", "install", "interpreter", "only", "project_files", "target"]

VALUED = (
    "-r --requirement -c --constraint -b --build-constraint -e --editable -t --target -i "
    "--index-url --extra-index-url -f --find-links --prefix --root --src --python-version "
    "--platform --abi --implementation --upgrade-strategy -C --config-settings --config-setting "
    "--global-option --build-option --install-option --progress-bar --root-user-action --report "
    "--no-binary --only-binary --proxy --retries --timeout --exists-action --trusted-host --cert "
    "--client-cert --cache-dir --log --use-feature --use-deprecated --python --keyring-provider "
    "--group --requirements-from-script -w --wheel-dir -d --dest --uploaded-prior-to "
    # uv pip
    "--constraints --overrides --override --build-constraints --excludes --exclude --extra "
    "--index --default-index --index-strategy -p --refresh-package --reinstall-package "
    "--upgrade-package -P --resolution --prerelease --fork-strategy --exclude-newer --link-mode "
    "--config-file --project --directory --python-platform --no-build-package --torch-backend "
    "--no-binary-package --only-binary-package --no-build-isolation-package --allow-insecure-host "
    "--color"
)


def _pip(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], VALUED)
    if not given.words or given.words[0].text not in ("install", "wheel", "download"):
        return None
    environment = {**dict(step.environment), **dict(command.assignments)}
    found = install("pip", command.directory, given, environment)
    if found is None or given.words[0].text == "install":
        return found
    into = given.values("-w", "--wheel-dir", "-d", "--dest", "--destination-dir")
    place = joined_path(command.directory, into[-1] if into else Word("."))
    return replace(found, wheels=True, wheel_dir=place.text if place.known else "")


def install(
    tool: str, directory: str | None, given: CommandLine, environment: Mapping[str, str]
) -> Installation | None:
    """``pip install`` and ``uv pip install``; ``given.words`` starts with the subcommand."""
    if given.has("--dry-run", "--help", "-h"):
        return None
    required = given.values("-r", "--requirement", "--requirements", "--requirements-from-script")
    if not required and environment.get("PIP_REQUIREMENT"):
        required = tuple(Word(text) for text in environment["PIP_REQUIREMENT"].split())
    constraints = given.values(
        "-c", "--constraint", "--constraints", "-b", "--build-constraint", "--build-constraints",
        "--overrides", "--override", "--excludes",
    )  # fmt: skip
    variables = ("PIP_CONSTRAINT",) if tool == "pip" else ("UV_CONSTRAINT", "UV_OVERRIDE")
    for name in variables:
        constraints += tuple(Word(text) for text in environment.get(name, "").split())
    groups = tuple(
        Word(word.text.rpartition(":")[0] or "pyproject.toml", word.known)
        for word in given.values("--group")
    )
    packages = (*given.words[1:], *given.values("-e", "--editable"))
    named = tuple(word for word in packages if not is_local(word))
    local = tuple(_without_extras(word) for word in packages if is_local(word))
    if not required and not groups and not packages:
        return None
    projects = sum(read_files(directory, local), ())
    project = not required and not groups and not named
    files = (*required, *groups, *constraints)
    if project:
        files += tuple(project_files(projects))
    manifests, unresolved = read_files(directory, files)
    by_variable = environment.get("PIP_FIND_LINKS" if tool == "pip" else "UV_FIND_LINKS", "")
    links = given.values("-f", "--find-links") or tuple(map(Word, by_variable.split()))
    return Installation(
        tool,
        manifests,
        unresolved,
        named=bool(named),
        project=project,
        constraints=only(constraints, (*required, *groups), directory),
        environment=interpreter(tool, directory, given, environment),
        target=target(given, environment),
        packages=tuple(package_name(word.text) for word in named),
        projects=projects,
        extras=frozenset(name for word in packages if is_local(word) for name in _extras(word)),
        without_dependencies=given.has("--no-deps", "--no-dependencies")
        or is_true(environment.get("PIP_NO_DEPS", "")),
        selection=LockSelection()
        if tool == "pip"
        else pip_selection(given, environment, sync=False),
        wheelhouses=read_files(directory, links)[0],
    )


PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
"""Files in a project's directory that name the project's dependencies."""


def project_files(projects: Iterable[str]) -> Iterator[Word]:
    """The files with the dependencies of the projects in some directories; archives have none."""
    for path in projects:
        if path.startswith("/") and not is_archive(path):
            yield from (Word(f"{path}/{name}") for name in PROJECT_FILES)


def _without_extras(word: Word) -> Word:
    return replace(word, text=re.sub(r"\[[^\]/]*\]\Z", "", word.text))


def _extras(word: Word) -> Iterator[str]:
    found = re.search(r"\[([^\]/]*)\]\Z", word.text)
    for name in found[1].split(",") if found else ():
        yield package_name(name)


def _setup(command: Command, step: PlannedStep) -> Installation | None:
    """``python setup.py install``: its dependencies too, through easy_install."""
    actions = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    if not {"install", "develop", "easy_install"}.intersection(actions):
        return None
    script = joined_path(command.directory, command.words[0])
    directory = script.text.rpartition("/")[0] or "/"
    words = [word.text for word in command.words]
    files = conventional_files(directory, *PROJECT_FILES) if script.known else ((), (script.text,))
    return Installation(
        "setup.py",
        *files,
        project=True,
        projects=(directory,),
        without_dependencies="--no-deps" in words or "-N" in words,
    )


def only(
    constraints: Sequence[Word], others: Sequence[Word], directory: str | None
) -> tuple[str, ...]:
    """Paths and unresolvable texts of constraints, without files that are also requirements."""
    limiting, required = (sum(read_files(directory, words), ()) for words in (constraints, others))
    return tuple(path for path in limiting if path not in required)


def target(given: CommandLine, environment: Mapping[str, str]) -> str:
    found = given.values("-t", "--target", "--prefix", "--root")
    if found:
        return found[-1].text or "$(…)"
    by_variable = environment.get("PIP_TARGET") or environment.get("PIP_PREFIX")
    user = given.has("--user") or is_true(environment.get("PIP_USER", ""))
    return by_variable or ("~/.local" if user else "")


def interpreter(
    tool: str, directory: str | None, given: CommandLine, environment: Mapping[str, str]
) -> Word | None:
    """The environment that ``--python`` names by a path, or that a variable names for uv."""
    names = ("-p", "--python") if tool == "uv" else ("--python",)
    words = [*given.values(*names)]
    if not words and tool == "pip" and (python := environment.get("PIP_PYTHON")):
        words = [Word(python)]
    paths = [word for word in words if "/" in word.text or not word.known]
    if paths:
        path = joined_path(directory, paths[-1])
        return replace(path, text=re.sub(r"/bin/[^/]+\Z", "", path.text))
    if tool != "uv" or given.has("--system") or is_true(environment.get("UV_SYSTEM_PYTHON", "")):
        return None
    venv = environment.get("VIRTUAL_ENV")
    return joined_path(directory, Word(venv)) if venv else None


def _pip_sync(command: Command, step: PlannedStep) -> Installation | None:
    words = command.words[1:]
    if command.name == "piptools":
        if not words or words[0].text != "sync":
            return None
        words = words[1:]
    given = arguments(words, VALUED + " --python-executable --pip-args")
    if given.has("--dry-run", "-n", "--help", "-h"):
        return None
    if given.words:
        files = read_files(command.directory, given.words)
    else:
        files = conventional_files(command.directory, "requirements.txt")
    # pip-sync also keeps pip-tools and its dependencies, which an image does not tell from others.
    return Installation("pip-sync", *files, selection=LockSelection())


def _pip_compile(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], VALUED + " -o --output-file --pip-args")
    files = given.words or (Word("requirements.in"),)
    return Installation("pip-tools", *read_files(command.directory, files), exports=True)


def _reads(command: Command, step: PlannedStep) -> Installation | None:
    if command.name == "setup.py":
        return _setup(command, step)
    if command.name == "pip-compile":
        return _pip_compile(command, step)
    if command.name in ("pip-sync", "piptools"):
        return _pip_sync(command, step)
    return _pip(command, step)


def _comparable(path: Path) -> bool:
    name = path.name.lower()
    is_pylock = name.startswith("pylock.") and name.endswith(".toml")
    return is_pylock or name.endswith((".txt", ".in", ".pip", "requirements.lock"))


TOOL = Tool(
    name="pip",
    programs=regex(r"pip[0-9.]*|pip-sync|piptools|pip-compile|pip-tools|setup\.py"),
    caches=known_layouts("pip"),
    reads=_reads,
    conventional=("requirements.txt",),
    manifests=regex(
        r"(.*-)?requirements.*\.(txt|in)|constraints.*\.txt|setup\.(py|cfg)|pyproject\.toml"
        r"|pip\.conf"
    ),
    kept=regex(r"(.*/)?(requirements|constraints)/(.*/)?[^/]*\.(txt|in)"),
    comments={
        r"(requirements|constraints)[^/]*\.(txt|in)$|requirements/[^/]*\.(txt|in)$": "#",
        r"(^|/)pip\.conf$": "#",
    },
    comparable=_comparable,
    variables=regex(r"PIP(_\w*)?"),
)
