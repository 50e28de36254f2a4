"""conda, mamba, micromamba, conda-lock and anaconda-project: files they read, and caches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...disk import read_text
from ...dockerfile.syntax import PlannedStep
from ...errors import ConfigError
from ...regexes import regex
from ...shell.running import Runner, named_environment
from ...shell.script import Command, Word, joined_path
from ..selection import conda_lock_selection
from .command_lines import (
    CommandLine,
    Installation,
    arguments,
    conventional_files,
    moved,
    package_name,
    read_files,
)
from .table import Tool, known_layouts

__all__ = ["TOOL", "is_explicit"]

_CONDA_VALUES = (
    "-n --name -p --prefix -c --channel -f --file --solver --repodata-fn --subdir --platform "
    "--clone --revision --experimental --console --override-frozen -r --root-prefix --rc-file "
    "--log-level --category --cacert-path --retries --trusted-channel --environment-specifier "
    "--env-spec --env-specifier --format --fetch-threads --download-threads --channel-priority "
    "--safety-checks --extra-safety-checks --strip-prefix-components"
)


def _conda(command: Command, step: PlannedStep) -> Installation | None:
    tool = command.name.removesuffix(".exe")
    words = list(command.words[1:])
    # conda's own -f is --force for everything but ``conda env``.
    given = arguments(words, _CONDA_VALUES)
    if not given.words or given.has("--help", "-h", "--dry-run", "-d", "--download-only"):
        return None
    action, *packages = given.words
    if action.text == "env":
        if not packages:
            return None
        action, *packages = packages
        if action.text not in ("create", "update"):
            return None
        return _conda_env(tool, command, given, packages)
    if action.text == "lock" and packages and packages[0].text == "install":
        return _lock_install(command, given, packages[1:])
    if action.text not in ("create", "install", "update", "upgrade"):
        return None
    files = given.values("--file", "-f")
    if tool == "conda":
        odd = [word for word in given.values("-f") if not _is_manifest(word)]
        files = tuple(word for word in files if word not in odd)
        packages += odd
    manifests, unresolved = read_files(command.directory, files)
    everything = given.has("--all", "-a", "--update-all", "--clone", "--revision", "--rev")
    if not files and not packages and not everything:
        return None
    return Installation(
        tool,
        manifests,
        unresolved,
        named=bool(packages) or everything,
        environment=_conda_environment(command, given),
        specs=True,
        packages=tuple(package_name(word.text) for word in packages),
        selection=conda_lock_selection(given, tool == "micromamba"),
    )


def _conda_environment(command: Command, given: CommandLine) -> Word | None:
    prefix = given.values("-p", "--prefix")
    if prefix:
        return joined_path(command.directory, prefix[-1])
    name = given.values("-n", "--name")
    return named_environment(command.directory, name[-1]) if name else None


def _conda_env(
    tool: str, command: Command, given: CommandLine, packages: Sequence[Word]
) -> Installation | None:
    files = given.values("-f", "--file")
    files += tuple(word for word in packages if _is_manifest(word))
    if files:
        manifests, unresolved = read_files(command.directory, files)
    else:
        manifests, unresolved = conventional_files(
            command.directory, "environment.yml", "environment.yaml"
        )
    environment = _conda_environment(command, given)
    return Installation(tool, manifests, unresolved, environment=environment, specs=True)


def _is_manifest(word: Word) -> bool:
    return not word.known or bool(
        re.search(r"\.(ya?ml|txt|lock|toml|list|lst|in|spec)\Z|/", word.text)
    )


def _create_env(command: Command, step: PlannedStep) -> Installation | None:
    """``create-env PREFIX SPEC…`` of bioconda's images: ``conda create`` at a prefix."""
    words = list(command.words[1:])
    while words and words[0].text.startswith("-") and words[0].text != "--":
        words.pop(0)
    if words and words[0].text == "--":
        words.pop(0)
    if len(words) < 2:
        return None
    prefix, *rest = words
    created = (Word("conda"), Word("create"), Word("-p"), prefix, *rest)
    return _conda(replace(command, words=created), step)


def _installer(command: Command, step: PlannedStep) -> Installation:
    """``bash Miniconda3-latest-Linux-x86_64.sh -b -p /opt/conda``: conda itself, by name."""
    given = arguments(command.words[1:], "-p")
    environment = _conda_environment(command, given)
    return Installation("conda", named=True, packages=("conda",), environment=environment)


def _conda_env_alias(command: Command, step: PlannedStep) -> Installation | None:
    words = (Word("conda"), Word("env"), *command.words[1:])
    return _conda(replace(command, words=words), step)


def _conda_lock(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], _CONDA_VALUES + " -E --extras --auth --auth-file --conda")
    if not given.words or given.words[0].text != "install" or given.has("--help"):
        return None
    return _lock_install(command, given, given.words[1:])


def _lock_install(
    command: Command, given: CommandLine, files: Sequence[Word]
) -> Installation | None:
    if files:
        manifests, unresolved = read_files(command.directory, files)
    else:
        manifests, unresolved = conventional_files(command.directory, "conda-lock.yml")
    environment = _conda_environment(command, given)
    return Installation(
        "conda-lock",
        manifests,
        unresolved,
        environment=environment,
        selection=conda_lock_selection(given, micromamba=False),
    )


def _anaconda_project(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], "--env-spec --directory --command")
    if not given.words or given.words[0].text != "prepare":
        return None
    directory = moved(command.directory, given, "--directory")
    names = ("anaconda-project.yml", "anaconda-project-lock.yml", "conda-project.yml")
    return Installation("anaconda-project", *conventional_files(directory, *names))


def _reads(command: Command, step: PlannedStep) -> Installation | None:
    if command.name == "create-env":
        return _create_env(command, step)
    if _INSTALLER.fullmatch(command.name):
        return _installer(command, step)
    if command.name == "conda-env":
        return _conda_env_alias(command, step)
    if command.name == "conda-lock":
        return _conda_lock(command, step)
    if command.name in ("anaconda-project", "conda-project"):
        return _anaconda_project(command, step)
    return _conda(command, step)


def is_explicit(text: str) -> bool:
    """Whether a text is a list of package URLs, as ``conda list --explicit`` writes it."""
    return re.search(r"^@EXPLICIT\s*$", text, re.MULTILINE) is not None


def _comparable(path: Path) -> bool:
    if path.suffix.lower() in (".yml", ".yaml", ".txt"):
        return True
    try:
        return is_explicit(read_text(path))
    except (OSError, UnicodeDecodeError, ConfigError):
        return False


_INSTALLER = regex(
    r"(?:mini|ana)(?:conda|forge)\d*\b.*\.(?:sh|exe)|(?:micro)?mambaforge\b.*\.sh", re.IGNORECASE
)
"""The names of the files that install conda."""


TOOL = Tool(
    name="conda",
    programs=regex(
        r"(?:conda|mamba|micromamba)[0-9]*(?:\.exe)?|conda-env|conda-lock|(?:ana)?conda-project"
        rf"|create-env|(?i:{_INSTALLER.pattern})"
    ),
    caches=known_layouts("conda"),
    reads=_reads,
    conventional=("environment.yml", "environment.yaml"),
    manifests=regex(r"environment.*\.ya?ml|conda.*\.ya?ml|\.?(conda|mamba)rc"),
    comments={r"(^|/)\.?(conda|mamba)rc$": "#"},
    comparable=_comparable,
    variables=regex(r"(CONDA|MAMBA|MICROMAMBA)(_\w*)?|CONDARC|MAMBARC"),
    places=regex(r"conda|mamba"),
    runner=Runner(
        "-n --name -p --prefix --cwd -f -r --root-prefix -a --attach -e --env --label",
        environment="-n --name -p --prefix",
        activates=True,
    ),
)
