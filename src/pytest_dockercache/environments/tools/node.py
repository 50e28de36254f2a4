"""npm, yarn, pnpm and bun: the files that their commands read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word
from .command_lines import (
    CommandLine,
    Installation,
    arguments,
    conventional_files,
    is_true,
    moved,
    package_name,
    read_files,
    variables_of,
)
from .table import Sight, Tool, known_layouts

__all__ = ["TOOLS", "started_program"]

_VALUED = (
    "--prefix -C --dir --cwd --cache --cache-folder --registry --omit --include --only -w "
    "--workspace --filter -F --loglevel --network-timeout --network-concurrency --mutex "
    "--modules-folder --store-dir --virtual-store-dir --userconfig --globalconfig --tag --before "
    "--install-strategy --fetch-timeout --fetch-retries --maxsockets --jobs -j --mode --reporter "
    "--use-yarnrc --preferred-cache-folder --global-folder --backend --config --child-concurrency "
    "--global-dir --node-linker --lockfile-dir --scripts-prepend-node-path --otp"
)
"""Options of these managers that take a value, where the value is a word of its own."""

_LOCKS = {
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
    "bun": ("bun.lock", "bun.lockb"),
}
"""The lock files of each manager, in its order."""

_ACTIONS = {
    "npm": "ci clean-install ic install-clean install i in ins inst isntall add update up upgrade "
    "install-test it install-ci-test cit",
    "yarn": " install add up upgrade",
    "pnpm": "install i ci add fetch update up",
    "bun": "install i add ci update",
}
"""The actions of each manager that install; "" is the bare command."""

_AFRESH = frozenset({"ci", "clean-install", "ic", "install-clean", "install-ci-test", "cit"})
"""Actions that remove ``node_modules`` before they install."""

_LEAVING = (
    "--production", "--prod", "-P", "--omit", "--only", "--no-optional", "--ignore-optional",
    "--focus",
)  # fmt: skip
_ADDING = ("--include", "--dev", "-D")
_MEMBERS = ("--filter", "-F", "-w", "--workspace")


def _read(name: str, command: Command, step: PlannedStep) -> Installation | None:
    given = arguments(command.words[1:], _VALUED)
    if given.has("--help", "-h", "--version", "-v", "--dry-run", "--lockfile-only") or given.has(
        "--package-lock-only"
    ):
        return None
    action, words = _action(name, given)
    if action is None:
        return None
    directory = moved(command.directory, given, "--prefix", "-C", "--dir", "--cwd")
    if given.has("-g", "--global", "--location") or action == "global":
        packages = [word for word in words if word.text not in ("add", "install")]
        names = tuple(_name(word.text) for word in packages) or (name,)
        return Installation(name, named=True, packages=names, apart=True, directory=directory)
    local = [word for word in words if _is_local(word)]
    named = [word for word in words if word not in local]
    if words and action not in ("update", "up", "upgrade"):
        if action == "fetch":
            named = local = []
        files = read_files(directory, local)
        if local and not named:
            return Installation(name, *files, directory=directory, afresh=True)
        if named:
            return Installation(
                name,
                *files,
                named=True,
                packages=tuple(_name(word.text) for word in named),
                directory=directory,
            )
    environment = variables_of(command, step)
    leaves = given.chosen(*_LEAVING)
    if environment.get("NODE_ENV") == "production" or is_true(
        environment.get("NPM_CONFIG_PRODUCTION", "")
    ):
        leaves |= {"--production"}
    manifests, unresolved = conventional_files(directory, "package.json", *_LOCKS[name])
    if action == "fetch":
        manifests, unresolved = conventional_files(directory, *_LOCKS[name])
    return Installation(
        name,
        manifests,
        unresolved,
        without_project=action == "fetch",
        selects=given.chosen(*_ADDING),
        leaves=leaves,
        directory=directory,
        narrows=_members(given),
        afresh=action in _AFRESH and name in ("npm", "pnpm"),
        offline=given.has("--offline"),
    )


def _members(given: CommandLine) -> frozenset[str]:
    """The members of the workspace that a command alone means, none for all of them."""
    members = {word.text for word in given.values(*_MEMBERS)}
    words = [word.text for word in given.words]
    if words[:2] == ["workspaces", "focus"] and not given.has("-A", "--all"):
        members.update(words[2:] or ["."])
    return frozenset(members)


def _action(name: str, given: CommandLine) -> tuple[str | None, Sequence[Word]]:
    """The installing action of a command line and the words behind it, None for another action."""
    words = given.words
    first = words[0].text if words else ""
    if name == "yarn" and first == "workspaces" and len(words) > 1 and words[1].text == "focus":
        return "install", ()
    if name == "yarn" and first == "workspace" and len(words) > 2:
        words = words[2:]
        first = words[0].text
    if name == "yarn" and first == "global":
        adds = len(words) > 1 and words[1].text in ("add", "upgrade")
        return ("global", words[2:]) if adds else (None, ())
    if first not in _ACTIONS[name].split(" ") or (not first and name != "yarn"):
        return None, ()
    return first, words[1:]


def _name(text: str) -> str:
    """The name of a package without its version: ``@scope/x@1`` is ``@scope/x``."""
    scope, at, _ = text.rpartition("@")
    return (scope or text) if at else package_name(text) or text


def _is_local(word: Word) -> bool:
    text = word.text
    if text.startswith((".", "/", "~", "file:", "link:")):
        return True
    return text.endswith((".tgz", ".tar.gz")) and "://" not in text


def _grows(directory: str, sight: Sight) -> bool:
    """Whether a package is the root of a workspace."""
    package = f"{directory.rstrip('/')}/package.json"
    root = sight.nearest(directory, "pnpm-workspace.yaml", "lerna.json")
    return root is not None or sight.says([package], r'"workspaces"\s*:')


def _npm(command: Command, step: PlannedStep) -> Installation | None:
    first = command.words[1].text if command.words[1:] else ""
    if command.name == "corepack" and first in ("install", "prepare", "use", "hydrate", "up"):
        return Installation("npm", named=True, packages=("corepack",), apart=True)
    if command.name in _STARTERS:
        return _of_started(command, step)
    return _of_started(command, step) or _read("npm", command, step)


_STARTERS = frozenset({"npx", "bunx", "pnpx", "corepack"})
_EXECUTES = ("exec", "dlx", "x")


def started_program(command: Command) -> tuple[Word, ...]:
    """The program of a package that a command starts, without its version, and its words.

    These are ``npx``, ``bunx``, ``pnpx`` and ``corepack``, and ``exec``, ``dlx`` or ``x`` of a
    manager; () for another command.
    """
    words = list(command.words[1:])
    if command.name in _LOCKS and words and words[0].text in _EXECUTES:
        words.pop(0)
    elif command.name not in _STARTERS:
        return ()
    while words and words[0].text.startswith("-"):
        option, equals, value = words.pop(0).text.partition("=")
        if option == "--":
            break
        if option in ("-c", "--call"):
            text = value if equals else words[0].text if words else ""
            words = [Word(one) for one in text.split()]
            break
        if option in ("-p", "--package") and not equals:
            del words[:1]
    if not words:
        return ()
    program = re.sub(r"(?<=.)@[^/]*\Z", "", words[0].text)
    return (Word(program), *words[1:])


def _of_started(command: Command, step: PlannedStep) -> Installation | None:
    """``corepack pnpm install`` and ``npx yarn install``: the manager that they start."""
    words = started_program(command)
    name = words[0].text if words else ""
    if name not in _LOCKS or len(words) < 2:
        return None
    return _read(name, replace(command, words=words), step)


def _yarn(command: Command, step: PlannedStep) -> Installation | None:
    return _of_started(command, step) or _read("yarn", command, step)


def _pnpm(command: Command, step: PlannedStep) -> Installation | None:
    return _of_started(command, step) or _read("pnpm", command, step)


def _bun(command: Command, step: PlannedStep) -> Installation | None:
    return _of_started(command, step) or _read("bun", command, step)


_MANIFESTS = regex(
    r"package(-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-(lock|workspace)\.yaml|"
    r"bun\.lockb?|bunfig\.toml|\.npmrc|\.yarnrc(\.yml)?|lerna\.json|nx\.json|turbo\.json|"
    r"\.nvmrc|\.node-version|\.tool-versions|\.?pnpmfile\.c?js|\.yarnclean|\.pnp\.(c?js|loader\.mjs)"
)
_KEPT = regex(r"(.*/)?\.yarn/.*|(.*/)?patches/[^/]*\.patch")
_VARIABLES = regex(
    r"(?i:npm_config_\w+)|(NODE|YARN|PNPM|COREPACK|BUN|SASS|SHARP|PUPPETEER|PLAYWRIGHT|CYPRESS"
    r"|ELECTRON)_\w+|ADBLOCK|HUSKY|CI"
)
_STORES = regex(
    r".*/node_modules(/.*)?|(.*/)?\.(npm|yarn|pnpm-store|bun)(/.*)?|.*/\.cache/(yarn|pnpm)(/.*)?"
)

TOOLS = tuple(
    Tool(
        name=name,
        programs=regex(programs),
        reads=reads,
        conventional=("package.json",),
        manifests=_MANIFESTS,
        kept=_KEPT,
        comments={r"(^|/)\.npmrc$": "#", r"(^|/)yarn\.lock$": "#"},
        variables=_VARIABLES,
        foreign=True,
        caches=known_layouts(name),
        stores=_STORES,
        grows=_grows,
    )
    for name, programs, reads in (
        ("npm", "npm|npx|corepack", _npm),
        ("yarn", r"yarn(pkg)?|berry|yarn-[0-9.]+", _yarn),
        ("pnpm", "pnpm", _pnpm),
        ("bun", "bun", _bun),
    )
)
