"""The managers of a distribution's packages: apt, apk, dnf and its kin, zypper, pacman."""

from __future__ import annotations

from collections.abc import Callable

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command
from ...values import dataclass
from .command_lines import Installation, arguments, read_files
from .table import Tool, known_layouts

__all__ = ["TOOLS", "only_updates_lists", "removes"]


@dataclass(frozen=True)
class _Manager:
    """The words of one manager: its programs, what installs, what removes, and other options."""

    name: str
    programs: str
    installs: str
    removes: str
    valued: str
    archives: str
    idle: str = "--dry-run --simulate --just-print --download-only --help"

    def read(self, command: Command, step: PlannedStep) -> Installation | None:
        given = arguments(command.words[1:], self.valued)
        if given.has(*self.idle.split()) or not given.words:
            return None
        action, *words = given.words
        if action.text not in self.installs.split():
            return None
        files = [word for word in words if word.text.endswith(self.archives)]
        files = [word for word in files if "://" not in word.text]
        names = tuple(word.text.partition("=")[0] for word in words if word not in files)
        manifests, unresolved = read_files(command.directory, files)
        return Installation(
            command.name, manifests, unresolved, named=True, packages=names or (action.text,)
        )


def _pacman(command: Command, step: PlannedStep) -> Installation | None:
    flags = [word.text for word in command.words[1:] if word.text.startswith("-")]
    names = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    syncs = any(text.startswith("-S") and "c" not in text for text in flags)
    local = any(text.startswith("-U") for text in flags)
    upgrades = any(text.startswith("-S") and "u" in text for text in flags) or "--sync" in flags
    if not (local or (syncs and (names or upgrades)) or ("--sync" in flags and names)):
        return None
    return Installation(command.name, named=True, packages=tuple(names) or ("upgrade",))


_MANAGERS = (
    _Manager(
        "apt",
        r"apt|apt-get|aptitude",
        "install upgrade dist-upgrade full-upgrade build-dep satisfy",
        "remove purge autoremove autopurge",
        "-t --target-release --default-release -o --option -c --config-file -a --host-architecture",
        ".deb",
        idle="--dry-run --simulate --just-print --download-only --help -s -d",
    ),
    _Manager(
        "apk",
        "apk",
        "add upgrade",
        "del",
        "-t --virtual -X --repository -p --root --keys-dir --repositories-file --arch --cache-dir "
        "--cache-max-age --wait",
        ".apk",
        idle="--simulate -s --help",
    ),
    _Manager(
        "dnf",
        r"dnf5?|microdnf|yum|tdnf",
        "install in update upgrade groupinstall group builddep localinstall reinstall "
        "distro-sync swap install-n install-na",
        "remove erase autoremove",
        "-c --config --releasever --installroot --setopt --enablerepo --disablerepo -x --exclude "
        "--repo --repoid --comment -d --debuglevel -e --errorlevel --forcearch",
        ".rpm",
        idle="--downloadonly --help --assumeno",
    ),
    _Manager(
        "zypper",
        "zypper",
        "install in update up dup dist-upgrade patch install-new-recommends inr si",
        "remove rm",
        "--root -R --installroot -r --repo --from -C --cache-dir -t --type -p --plus-repo --config "
        "--reposd-dir --releasever -c",
        ".rpm",
        idle="--dry-run --download-only --help",
    ),
)


def removes(command: Command) -> bool:
    """Whether a command takes packages of the distribution away again."""
    words = [word.text for word in command.words]
    if command.name == "pacman":
        return any(text.startswith("-R") for text in words)
    manager = next((one for one in _MANAGERS if regex(one.programs).fullmatch(command.name)), None)
    if manager is None:
        return False
    given = arguments(command.words[1:], manager.valued)
    return bool(given.words) and given.words[0].text in manager.removes.split()


def only_updates_lists(command: Command) -> bool:
    """Whether a command fetches the lists of packages that an install of apt reads."""
    return command.name in ("apt", "apt-get", "aptitude") and [
        word.text for word in command.words[1:] if not word.text.startswith("-")
    ][:1] == ["update"]


def _tool(
    name: str,
    programs: str,
    reads: Callable[[Command, PlannedStep], Installation | None],
    variables: str = r"(?!)",
) -> Tool:
    return Tool(
        name=name,
        programs=regex(programs),
        reads=reads,
        variables=regex(variables),
        foreign=True,
        system=True,
        caches=known_layouts(name),
    )


TOOLS = (
    *(
        _tool(
            one.name,
            one.programs,
            one.read,
            r"(APT|DEBIAN)_\w+" if one.name == "apt" else r"(?!)",
        )
        for one in _MANAGERS
    ),
    _tool("pacman", "pacman|paru|yay", _pacman),
)
