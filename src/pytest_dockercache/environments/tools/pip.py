"""pip and pip-tools: which files their commands read, and what they keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...dockerfile.syntax import PlannedStep
from ...shell.script import Command, Word, joined_path
from .command_lines import (
    Arguments,
    Installation,
    arguments,
    conventional_files,
    is_local,
    is_true,
    read_files,
)
from .table import Tool, known_layouts

__all__ = ["TOOL", "VALUED", "install", "interpreter", "only", "target"]

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
    if not given.words or given.words[0].text not in ("install", "wheel"):
        return None
    environment = {**dict(step.environment), **dict(command.assignments)}
    found = install("pip", command.directory, given, environment)
    if found is not None and given.words[0].text == "wheel":
        return replace(found, wheels=True)
    return found


def install(
    tool: str, directory: str | None, given: Arguments, environment: Mapping[str, str]
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
    named = any(not is_local(word) for word in packages)
    if not required and not groups and not named:
        if not packages:
            return None
        return Installation(tool, project=True)
    manifests, unresolved = read_files(directory, (*required, *groups, *constraints))
    return Installation(
        tool,
        manifests,
        unresolved,
        named=named,
        constraints=only(constraints, (*required, *groups), directory),
        environment=interpreter(tool, directory, given, environment),
        target=target(given, environment),
    )


def only(
    constraints: Sequence[Word], others: Sequence[Word], directory: str | None
) -> tuple[str, ...]:
    """Paths and unresolvable texts of constraints, without those of the files required too."""
    limiting, required = (sum(read_files(directory, words), ()) for words in (constraints, others))
    return tuple(path for path in limiting if path not in required)


def target(given: Arguments, environment: Mapping[str, str]) -> str:
    found = given.values("-t", "--target", "--prefix", "--root")
    if found:
        return found[-1].text or "$(…)"
    by_variable = environment.get("PIP_TARGET") or environment.get("PIP_PREFIX")
    user = given.has("--user") or is_true(environment.get("PIP_USER", ""))
    return by_variable or ("~/.local" if user else "")


def interpreter(
    tool: str, directory: str | None, given: Arguments, environment: Mapping[str, str]
) -> Word | None:
    """The environment that ``--python`` names by a path, or the one that uv finds by variable."""
    names = ("-p", "--python") if tool == "uv" else ("--python",)
    paths = [word for word in given.values(*names) if "/" in word.text or not word.known]
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
        return Installation("pip-sync", *read_files(command.directory, given.words))
    return Installation("pip-sync", *conventional_files(command.directory, "requirements.txt"))


def _pip_compile(command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], VALUED + " -o --output-file --pip-args")
    files = given.words or (Word("requirements.in"),)
    return Installation("pip-tools", *read_files(command.directory, files), exports=True)


def _reads(command: Command, step: PlannedStep) -> Installation | None:
    if command.name == "pip-compile":
        return _pip_compile(command, step)
    if command.name in ("pip-sync", "piptools"):
        return _pip_sync(command, step)
    return _pip(command, step)


def _comparable(path: Path) -> bool:
    return path.suffix.lower() in (".txt", ".in")


TOOL = Tool(
    name="pip",
    programs=re.compile(r"pip[0-9.]*|pip-sync|piptools|pip-compile|pip-tools"),
    caches=known_layouts("pip"),
    reads=_reads,
    conventional=("requirements.txt",),
    manifests=re.compile(
        r"(.*-)?requirements.*\.(txt|in)|constraints.*\.txt|setup\.(py|cfg)|pyproject\.toml"
        r"|pip\.conf"
    ),
    comments={
        r"(requirements|constraints)[^/]*\.(txt|in)$|requirements/[^/]*\.(txt|in)$": "#",
        r"(^|/)pip\.conf$": "#",
    },
    comparable=_comparable,
    variables=re.compile(r"PIP(_\w*)?"),
)
