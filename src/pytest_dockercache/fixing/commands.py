"""The files that the commands of a RUN read and write.

Commands are known by name: a table says what each command does with the paths among its words. A
command that no table knows may read and write anything, and is *unknown*: no step whose files the
command could touch may move across it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import pairwise

from ..context.gomatch import has_wildcard
from ..dockerfile import PlannedStep
from ..dockerfile.expansion import with_values
from ..environments.inputs import belongs_to_manager, closure
from ..environments.tools import (
    Installation,
    Sight,
    is_foreign,
    is_system,
    reads_variable,
    recognised,
    runner_of,
    tool_of,
)
from ..model import top_of
from ..regexes import regex
from ..shell.running import script_commands, step_commands
from ..shell.script import Command, Word, joined_path
from ..values import dataclass
from .inputs import SETTINGS, inputs_of, local_source
from .settling import Settling, settling
from .site import Site
from .touched import (
    CHANGED_USERS,
    ENVIRONMENT,
    EVERYTHING,
    SYSTEM,
    USERS,
    Effects,
    Paths,
    users_named,
)

__all__ = ["SEARCHED", "command_effects", "effects_of_run"]


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NOTHING = _named(
    "echo printf true false : exit set export unset sleep date uname id whoami umask ulimit shopt "
    "read return break continue trap wait type command which hash alias seq expr basename dirname "
    "nproc arch hostname getconf printenv local declare readonly typeset esac fi done in } ] ]] "
    "case do then else shift pwd tty stty clear let"
)
_SYSTEM_TOOLS = _named(
    "apt-get apt apt-key apt-mark apt-cache aptitude apk yum dnf microdnf zypper tdnf pacman "
    "add-apt-repository update-alternatives update-ca-certificates dpkg dpkg-reconfigure rpm "
    "locale-gen ldconfig localedef debconf-set-selections groupadd useradd usermod groupmod "
    "addgroup adduser passwd chpasswd chsh gpg gpgconf dpkg-divert fc-cache userdel groupdel "
    "deluser delgroup"
)
_CHANGES_USERS = _named("usermod groupmod userdel groupdel deluser delgroup")
_READING = _named(
    "cat head tail grep egrep fgrep ls stat test [ [[ awk gawk cut sort uniq tr wc diff cmp "
    "realpath readlink md5sum sha256sum sha1sum du file base64 jq"
)
_WRITING = _named(
    "mkdir rmdir chmod chown chgrp touch rm mv cp ln sed install tee tar unzip gunzip gzip bzip2 "
    "xz zstd dos2unix strip truncate dd mktemp rsync patch"
)
_FETCHING = _named("curl wget git")
_ENVIRONMENT_ACTIONS: Mapping[str, frozenset[str]] = {
    "conda": _named("clean config init info list activate deactivate remove"),
    "pip": _named("cache config uninstall list freeze check show debug"),
    "uv": _named("cache venv python self"),
    "poetry": _named("config cache env self"),
    "pdm": _named("config cache venv self"),
    "pixi": _named("clean config info list"),
    "npm": _named("cache config"),
}
_IN_PROJECT: Mapping[str, tuple[str, ...]] = {
    "uv": (".venv",),
    "poetry": (".venv",),
    "pdm": (".venv", "__pypackages__", ".pdm-python"),
    "pixi": (".pixi",),
    "pipenv": (".venv",),
    "npm": ("node_modules",),
    "yarn": ("node_modules", ".yarn", ".pnp.cjs"),
    "pnpm": ("node_modules",),
    "bun": ("node_modules",),
    "bundler": ("vendor/bundle", ".bundle"),
    "cargo": ("target",),
    "composer": ("vendor",),
    "dotnet": ("obj", "bin"),
    "gradle": (".gradle", "build"),
    "maven": ("target",),
    "mix": ("deps", "_build"),
    "R": ("renv",),
    "conan": ("build",),
    "vcpkg": ("vcpkg_installed",),
}
_NO_PATHS = Paths()
_SYSTEM_FILES = Paths(files=frozenset({SYSTEM}))
_ENVIRONMENT_FILES = Paths(files=frozenset({SYSTEM, ENVIRONMENT}))

_SETTINGS = regex(
    r"/(etc|bin|sbin|lib|lib64|usr/(bin|sbin|lib|share|include|local/(lib|include|etc)))(/|\Z)"
    r"|/(root|home/[^/]+)/\.|/opt/(conda|mamba|miniconda\w*|micromamba)(/|\Z)"
)
"""Places from which installers and system tools read by themselves."""


def is_settings(path: str) -> bool:
    """Whether an installer or a system tool may read a path that no command line names."""
    return bool(_SETTINGS.match(path))


@dataclass
class _RunSurroundings:
    """The surroundings that all commands of one RUN share."""

    site: Site
    position: int
    patterns: frozenset[str] = frozenset()
    depth: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def step(self) -> PlannedStep:
        return self.site.steps[self.position]

    def text(self, place: str) -> str | None:
        """The text of the context file at a container path."""
        origin = self.site.visible(self.position).get(place)
        return None if origin is None else self.site.file(origin)

    def present(self, place: str) -> bool:
        return place in self.site.visible(self.position)

    def holds(self, place: str) -> bool:
        """Whether a context file lies at or below a container path."""
        prefix = place.rstrip("/") + "/"
        visible = self.site.visible(self.position)
        return place in visible or any(other.startswith(prefix) for other in visible)


def effects_of_run(site: Site, position: int) -> Effects:
    step = site.steps[position]
    instruction = step.instruction
    texts = [instruction.value, *(document.body for document in instruction.heredocs)]
    reader = _RunSurroundings(site, position, frozenset(_case_patterns("\n".join(texts))))
    identifiers = frozenset(re.findall(r"[A-Za-z_]\w*", "\n".join((instruction.text, *texts))))
    if any(map(_SHOWS_VARIABLES.search, texts)):
        identifiers |= {EVERYTHING}
    total = Effects(uses=identifiers, minds=frozenset({"workdir", "user", "shell"}))
    if step.user and not step.user.split(":")[0].isdigit():
        total |= Effects(reads=users_named(step.user))
    found = tuple(step_commands(step, runner_of))
    if not found and instruction.value.strip() and EVERYTHING not in identifiers:
        return total | Effects(unknown=f"what line {step.line} runs is not known")
    for command in found:
        total |= command_effects(reader, command)
        if command.directory is not None and command.directory != step.workdir:
            total |= Effects(directories=frozenset({command.directory}))
    for text in texts:
        total |= _redirected(text, step.workdir, dict(step.environment))
        if _MAYBE_ELSEWHERE.search(text):
            total |= Effects(unknown=f"in which directory line {step.line} works is not known")
    total |= _mentioned(reader, found, texts)
    return _with_settings(_without_own_mounts(total, site.views[position].own.at))


_MAYBE_ELSEWHERE = regex(
    r"(?:\A|[;&|(\n]|\b(?:if|while|until)\s)\s*(?:!\s+)?(?:\[\[?|test|e?grep|command|which|type|false)\s"
    r"(?:[^;\n]|\\\n)*?&&\s*(?:\\\n\s*)*(?:cd|pushd)\s"
    r"|\|\|\s*(?:\\\n\s*)*(?:cd|pushd)\s|\b(?:then|else|do)\s[^\n]*?\b(?:cd|pushd)\s"
    r"|\b(?:then|else|do)\s(?:(?!\b(?:fi|done)\b)[\s\S])*?(?:\n|;)\s*(?:cd|pushd)\s"
)
"""A change of the directory that depends on something."""

_SHOWS_VARIABLES = regex(
    r"(?:\A|[;&|(\n]|\$\(|`)\s*(?:env|printenv|set|export(?:\s+-p)?|declare\s+-[px]+)\s*(?:[>|;&)`\n]|\Z)"
)
"""A command that shows all variables."""


def _mentioned(reader: _RunSurroundings, ran: Iterable[Command], texts: Iterable[str]) -> Effects:
    """The context files that the words of a RUN name, in any option of any program.

    A variable that installers read by themselves names files too (``PIP_CONFIG_FILE``).
    """
    visible = reader.site.visible(reader.position)
    step = reader.step
    given = {**dict(step.environment), **{k: v for c in ran for k, v in c.assignments}}
    values = [value for name, value in given.items() if reads_variable(name)]
    words = [(step.workdir, word) for text in (*texts, *values) for word in _WORDS.findall(text)]
    for command in ran:
        words += [
            (command.directory or step.workdir, piece)
            for word in command.words[1:]
            for piece in (word.text, *_WORDS.findall(word.text))
        ]
    places = {posixpath.normpath(posixpath.join(where, word)) for where, word in words}
    named = frozenset(place for place in places if place in visible)
    mounted = frozenset(named & reader.site.views[reader.position].own.at.keys())
    return Effects(
        reads=Paths(files=named, trees=frozenset(_sources_named(reader, ran, texts, given))),
        inputs=mounted,
    )


_SOURCE_OPTION = regex(
    r"(?:--(?:find-links|index-url|extra-index-url|default-index|index|channel)|-[fic])[ =]\s*"
    r"[\"']?([^\s\"';&|]+)"
    r"|(file:[^\s\"';&|]+)"
)
_SOURCE_VARIABLE = regex(r"\w*(FIND_LINKS|INDEX_URL|_INDEX|CHANNELS?)\Z")


def _sources_named(
    reader: _RunSurroundings, ran: Iterable[Command], texts: Iterable[str], given: Mapping[str, str]
) -> Iterator[str]:
    """The directories of the context in which an installer is told to look for packages."""
    step = reader.step
    words = [name for text in texts for pair in _SOURCE_OPTION.findall(text) for name in pair]
    for name, value in given.items():
        if _SOURCE_VARIABLE.match(name) and reads_variable(name):
            words += re.split(r"[\s,]+", value)
    places = {step.workdir, *(c.directory for c in ran if c.directory is not None)}
    for word in filter(None, words):
        bare = re.sub(r"\Afile:(//)?", "", with_values(word, given))
        if "://" not in bare and "$" not in bare:
            joined = (posixpath.normpath(posixpath.join(place, bare)) for place in places)
            yield from (path for path in joined if reader.holds(path) and not reader.present(path))


_WORDS = regex(r"[^\s'\"=:;,|&()<>`$@{}]+")


def _without_own_mounts(total: Effects, mounted: Mapping[str, str]) -> Effects:
    """The effects without reads of files that the RUN mounts itself: no step above brings these."""
    if not mounted:
        return total
    reads = replace(total.reads, files=total.reads.files - mounted.keys())
    return replace(total, reads=reads)


def _with_settings(total: Effects) -> Effects:
    """The effects; a written file that installers read unasked counts as one of the system."""
    if any(map(is_settings, (*total.writes.files, *total.writes.trees))):
        return replace(total, writes=total.writes | _SYSTEM_FILES)
    return total


def _case_patterns(text: str) -> Iterator[str]:
    if "case" not in text:
        return
    for found in re.finditer(
        r"(?:\bin\b|;;&?|;&)\s*\(?([^()\s;]+(?:\s*\|\s*[^()\s;]+)*)\s*\)", text
    ):
        yield from (part.strip().strip("\"'") for part in found[1].split("|"))


_OUTPUT = regex(r"(?:[0-9]|&)?>>?\|?\s*(\"[^\"\n]*\"|'[^'\n]*'|[^\s;&|()<>]+)")


def _redirected(text: str, directory: str, variables: Mapping[str, str]) -> Effects:
    """The files that ``>`` writes anywhere in a script."""
    trees: set[str] = set()
    moves = re.search(r"(?:^|[;&|\s(])(?:cd|pushd)\s", text) is not None
    for found in _OUTPUT.finditer(re.sub(r"\d*>&\d|2>&1", " ", text)):
        word = found[1].strip("\"'")
        if word.startswith("/dev/") or re.fullmatch(r"&?\d|=.*", word) or word == "-":
            continue
        word = with_values(word, variables)
        if "$" in word or "`" in word or (moves and not word.startswith("/")):
            return Effects(unknown=f"where > {word} writes is not known")
        trees.add(posixpath.normpath(posixpath.join(directory, word)))
    return Effects(writes=Paths(trees=frozenset(trees)), directories=_above(trees))


def _opaque(reader: _RunSurroundings, command: str) -> str:
    """The doubt about an unknown command."""
    return f"line {reader.step.line} runs {command}, and what that reads is not known"


def command_effects(reader: _RunSurroundings, command: Command) -> Effects:
    """The effects of one command of a RUN, with its feeding commands and its program file."""
    total = _own_effects(reader, command)
    if command.stdin is not None:
        paths, problem = _paths(command, [command.stdin])
        total |= Effects(reads=Paths(trees=frozenset(paths)), unknown=problem)
    for feeder in command.feeding:
        total |= _own_effects(reader, feeder)
    return total


SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for if nobody says otherwise."""


def _program_file(reader: _RunSurroundings, command: Command) -> Effects:
    """The file that a command is, wherever it may lie on the search path."""
    if not command.words or "/" in command.words[0].text:
        return Effects()
    search = dict(reader.step.environment).get("PATH", "")
    holders = [holder for holder in f"{search}:{SEARCHED}".split(":") if holder.startswith("/")]
    places = [posixpath.normpath(posixpath.join(holder, command.name)) for holder in holders]
    total = Effects(reads=Paths(files=frozenset(places)))
    for place in places:
        if reader.present(place):
            return total | _script(reader, command, (Word(place), *command.words[1:]))
    return total


def _own_effects(reader: _RunSurroundings, command: Command) -> Effects:
    name = command.name
    if not command.words or name in reader.patterns:
        return Effects()
    if name in _NOTHING:
        return _expanded(command)
    return _program_file(reader, command) | _done_by(reader, command)


def _expanded(command: Command) -> Effects:
    """The trees that the shell reads to expand the words of a command: ``echo *``."""
    wild = [word for word in command.words[1:] if re.search(r"\*|\[.*\]", word.text)]
    paths, _ = _paths(command, [word for word in wild if not re.search(r"\s", word.text)])
    return Effects(reads=Paths(trees=frozenset(paths)))


def _done_by(reader: _RunSurroundings, command: Command) -> Effects:
    name = command.name
    settles = settling(command)
    if settles is not None:
        return _settled(reader, settles)
    installation = recognised(command, reader.step)
    if installation is not None and not is_system(installation.tool):
        if is_foreign(installation.tool):
            return _fetched_packages(reader, command, installation)
        return _installed(reader, command, installation)
    if re.fullmatch(r"python[0-9.]*|pypy[0-9.]*", name):
        return _python(reader, command)
    if name in ("sh", "bash", "dash", "ash", "zsh", "ksh", ".", "source"):
        return _script(reader, command, command.words[1:])
    if name in _SYSTEM_TOOLS:
        users = {USERS} | ({CHANGED_USERS} if name in _CHANGES_USERS else set())
        written = _SYSTEM_FILES | Paths(files=frozenset(users))
        return _touching(reader, command, reads=_SYSTEM_FILES, writes=written)
    if name in _READING:
        return _touching(reader, command)
    if name in _WRITING:
        return _touching(reader, command, mutates=True)
    if name == "find":
        return _find(reader, command)
    if name in _FETCHING:
        return _fetched(reader, command)
    tool = "conda" if name in ("mamba", "micromamba") else re.sub(r"\A(pip)[0-9.]*\Z", r"\1", name)
    if tool in _ENVIRONMENT_ACTIONS or name in ("virtualenv", "conda-lock"):
        return _environment_action(reader, command, tool)
    place = joined_path(command.directory, command.words[0])
    if "/" in command.words[0].text and place.known and reader.present(place.text):
        return _script(reader, command, command.words)
    return Effects(unknown=_opaque(reader, name))


def _settled(reader: _RunSurroundings, settles: Settling) -> Effects:
    """The effects of a command that settles something of a manager, on the project's files too."""
    visible = reader.site.visible(reader.position)
    read, written = (
        Paths(files=frozenset(place for place in visible if posixpath.basename(place) in names))
        for names in (settles.reads | settles.writes, settles.writes)
    )
    return Effects(reads=_ENVIRONMENT_FILES | read, writes=_ENVIRONMENT_FILES | written)


def _paths(command: Command, words: Iterable[Word]) -> tuple[set[str], str]:
    """The paths among some words, as trees; and the problem with a path that is not known."""
    found: set[str] = set()
    for word in words:
        text = word.text
        if text.startswith("-") and "=" in text and "/" in text:
            text = text.partition("=")[2]
        elif text.startswith("-") or not text:
            continue
        if re.match(r"[a-z][a-z0-9+.-]*://", text):
            continue
        path = joined_path(command.directory, Word(text, word.known))
        if not path.known:
            return found, f"{command.name} {text}: which path that is, is not known"
        place = path.text
        if has_wildcard(place):
            place = posixpath.dirname(re.split(r"[*?\[]", place)[0] + "x")
        found.add(place)
    return found, ""


def _touching(
    reader: _RunSurroundings,
    command: Command,
    *,
    mutates: bool = False,
    reads: Paths = _NO_PATHS,
    writes: Paths = _NO_PATHS,
) -> Effects:
    """A command that reads the paths among its words, and writes them if it ``mutates``."""
    words = [*command.words[1:], *([command.stdin] if command.stdin is not None else [])]
    if command.name in ("chown", "chgrp") and not reads:
        owners = [word for word in words if not word.text.startswith("-")][:1]
        reads = users_named(owners[0].text if owners else "")
        words = [word for word in words if word not in owners]
    elif command.name in ("chmod", "sed", "grep", "egrep", "fgrep", "awk", "gawk", "tr", "jq"):
        script = next((word for word in words if not word.text.startswith("-")), None)
        if script is not None and not any(w.text in ("-e", "-f", "--expression") for w in words):
            words = [word for word in words if word is not script]
    elif command.name == "dd":
        words = [
            Word(word.text.partition("=")[2], word.known)
            for word in words
            if word.text.startswith(("if=", "of="))
        ]
    elif command.name in _SYSTEM_TOOLS:
        words = [word for word in words if word.known and _PACKAGE_FILE.search(word.text)]
        reads, writes = reads | _homes(command), writes | _homes(command)
    paths, problem = _paths(command, words)
    if not paths and _walks(command):
        if command.directory is None:
            return Effects(unknown=f"where {command.name} looks is not known")
        paths = {command.directory}
    if command.name in _UNPACKING and not _says_where(command):
        if command.directory is None:
            return Effects(unknown=f"where {command.name} writes is not known")
        paths.add(command.directory)
    if command.name in _PACKING:
        paths |= {f"{path}{end}" for path in paths for end in _ENDS}
        paths |= {path.removesuffix(end) for path in paths for end in _ENDS}
    touched = Paths(trees=frozenset(paths))
    named = [word for word in words if not word.text.startswith("-")]
    if command.name in ("cp", "install", "ln") and len(named) > 1 and _last_is_target(words):
        target, problem = _paths(command, named[-1:])
        return Effects(
            reads=touched | reads,
            writes=Paths(trees=frozenset(_placed(target, named))),
            unknown=problem,
            directories=_above(target),
        )
    if command.name in ("test", "[", "[[", "tr") and not paths:
        return Effects(unknown=problem)
    return Effects(
        reads=touched | reads,
        writes=(touched if mutates else Paths()) | writes,
        unknown=problem,
        directories=_above(paths) if _puts_files(command) else frozenset(),
        marks=touched if command.name in ("chmod", "chown", "chgrp") else Paths(),
    )


_UNPACKING = _named("tar bsdtar unzip patch cpio")
_PACKING = _named("gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd")
_ENDS = (".gz", ".bz2", ".xz", ".zst")


def _says_where(command: Command) -> bool:
    """Whether an unpacking command says its directory, or packs and writes the named file only."""
    texts = [word.text for word in command.words[1:]]
    if command.name in ("tar", "bsdtar") and texts:
        first = texts[0] if not texts[0].startswith("--") else ""
        if "c" in first or "t" in first or {"--create", "--list"} & set(texts):
            return True
    return any(re.match(r"-[a-zA-Z]*[Cd]|--directory|-[a-zA-Z]*O", text) for text in texts)


def _above(paths: Iterable[str]) -> frozenset[str]:
    return frozenset(posixpath.dirname(path) for path in paths)


def _puts_files(command: Command) -> bool:
    """Whether a command creates its paths in directories that must exist."""
    if command.name == "mkdir":
        return not any(re.match(r"-\w*p|--parents", word.text) for word in command.words[1:])
    return command.name in ("touch", "tee", "mv", "dd", "truncate", "cp", "ln")


def _placed(target: Iterable[str], named: Sequence[Word]) -> Iterator[str]:
    """The paths of files copied to a target: below the target where it is plainly a directory."""
    written, sources = named[-1].text, named[:-1]
    plain = all(word.known and not has_wildcard(word.text) for word in sources)
    for place in target:
        below = written.endswith("/") or len(sources) > 1 or place in SEARCHED.split(":")
        if below and plain and not any(word.text.endswith(("/", ".")) for word in sources):
            yield from (posixpath.join(place, posixpath.basename(w.text)) for w in sources)
        else:
            yield place


_PACKAGE_FILE = regex(r"\A\.{0,2}/|/|\.(deb|rpm|apk)\Z")


def _homes(command: Command) -> Paths:
    """The home directories that a command which makes users makes, and gives to them."""
    if command.name not in ("useradd", "adduser", "usermod"):
        return Paths()
    texts = [word.text for word in command.words]
    given = {
        posixpath.normpath(value)
        for option, value in pairwise(texts)
        if option in ("-d", "--home", "--home-dir", "-h") and value.startswith("/")
    }
    return Paths(trees=frozenset(given or {"/home"}))


def _walks(command: Command) -> bool:
    """Whether a command without a path looks at its whole directory."""
    if command.name in ("ls", "du", "dir"):
        return True
    return command.name in ("grep", "egrep", "fgrep") and any(
        re.match(r"-[a-zA-Z]*[rR]|--(dereference-)?recursive", word.text) for word in command.words
    )


def _last_is_target(words: Sequence[Word]) -> bool:
    return not any(re.match(r"-[a-zA-Z]*[td]|--target|--directory", word.text) for word in words)


def _find(reader: _RunSurroundings, command: Command) -> Effects:
    texts = [word.text for word in command.words]
    starts = []
    for word in command.words[1:]:
        if word.text.startswith(("-", "(", "!")) and word.text not in ("-H", "-L", "-P"):
            break
        starts.append(word)
    paths, problem = _paths(command, starts or [Word(".")])
    touched = Paths(trees=frozenset(paths))
    ran = [
        texts[index + 1]
        for index, text in enumerate(texts[:-1])
        if text in ("-exec", "-execdir", "-ok")
    ]
    if any(name not in _WRITING and name not in _READING for name in ran):
        problem = problem or f"line {reader.step.line} runs {ran[0]} on what find finds"
    return Effects(
        reads=touched, writes=touched if ran or "-delete" in texts else Paths(), unknown=problem
    )


def _fetched(reader: _RunSurroundings, command: Command) -> Effects:
    words = [word for word in command.words[1:] if "/" in word.text or "." in word.text]
    paths, problem = _paths(command, words)
    if command.name != "curl" or any(
        w.text in ("-O", "--remote-name", "-OL", "-LO") for w in words
    ):
        if command.directory is None:
            return Effects(unknown=f"where {command.name} writes is not known")
        if command.name != "wget" or not any(
            w.text.startswith("-") and "O" in w.text for w in command.words
        ):
            paths |= _downloaded(command, command.directory)
    return Effects(
        reads=_SYSTEM_FILES,
        writes=Paths(trees=frozenset(paths)),
        unknown=problem,
        directories=frozenset() if command.name == "git" else _above(paths),
    )


_ELSEWHERE = regex(r"-[a-zA-Z]*[PrmixJ]|--(directory|recursive|mirror|input|force|remote-header)")
"""Options of curl and wget by which a file has another place or name than its address tells."""


def _downloaded(command: Command, directory: str) -> set[str]:
    """The files that are fetched under their own names; the whole directory where that is open."""
    words = command.words[1:]
    addresses = [word for word in words if "://" in word.text]
    names = {posixpath.basename(word.text.partition("://")[2]) for word in addresses}
    plain = all(word.known and re.search(r"://[^?#]+/[^/?#]+\Z", word.text) for word in addresses)
    if not addresses or not plain or any(_ELSEWHERE.match(word.text) for word in words):
        return {directory}
    return {posixpath.join(directory, name) for name in names}


def _environment_action(reader: _RunSurroundings, command: Command, tool: str) -> Effects:
    actions = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    known = _ENVIRONMENT_ACTIONS.get(tool, frozenset())
    if tool in known or (actions and actions[0] in known) or command.name == "virtualenv":
        paths, problem = _paths(
            command, [w for w in command.words[1:] if w.text.startswith(("/", "."))]
        )
        trees = Paths(trees=frozenset(paths))
        return Effects(
            reads=_ENVIRONMENT_FILES | trees, writes=_ENVIRONMENT_FILES | trees, unknown=problem
        )
    if all(word.text.startswith("-") for word in command.words[1:]):
        return Effects(reads=_ENVIRONMENT_FILES)
    text = " ".join(word.text for word in command.words[:2])
    return Effects(unknown=_opaque(reader, text))


def _installed(reader: _RunSurroundings, command: Command, found: Installation) -> Effects:
    if found.unresolved:
        return Effects(
            unknown=f"which file {found.unresolved[0]} in line {reader.step.line} is, is not known"
        )
    manifests: list[str] = []
    trees: set[str] = set()
    for path in found.manifests:
        if has_wildcard(path):
            trees.add(posixpath.dirname(re.split(r"[*?\[]", path)[0] + "x"))
        elif reader.holds(path) and not reader.present(path):
            trees.add(path)
        else:
            manifests.append(path)
    manifests += found.changes
    if found.tool == "uv":
        manifests += _settings_of_uv(reader, command.directory)
    visible = reader.site.visible(reader.position)
    settings = [place for place in visible if posixpath.basename(place) in SETTINGS]
    sources = [place for place in settings if local_source(reader.text(place) or "")]
    brought = _brought(reader, manifests)
    members = [path for path in brought if posixpath.basename(path) == "pyproject.toml"]
    inputs = inputs_of((*manifests, *sources, *sorted(members)), reader.text, reader.present)
    local, problem = _local_words(reader, command)
    unknown = problem or inputs.unknown
    if inputs.workspace and not any(w.text == "--no-install-workspace" for w in command.words):
        unknown = unknown or f"{inputs.workspace} is the root of a workspace"
    directory = command.directory
    if found.with_project or (found.project and not local):
        if directory is None:
            return Effects(unknown=f"which directory line {reader.step.line} installs is not known")
        local.add(directory)
    written = {posixpath.join(directory or "/", name) for name in _IN_PROJECT.get(found.tool, ())}
    written |= {path for path in (found.target,) if path.startswith("/")}
    if found.target and not found.target.startswith(("/", "~")):
        written.add(posixpath.normpath(posixpath.join(directory or "/", found.target)))
    return Effects(
        reads=Paths(frozenset(manifests) | inputs.files | brought, frozenset(local | trees))
        | _ENVIRONMENT_FILES,
        writes=Paths(frozenset(found.changes), frozenset(written)) | _ENVIRONMENT_FILES,
        unknown=unknown,
        projects=tuple(inputs.projects),
        inputs=inputs.files | brought,
    )


def _settings_of_uv(reader: _RunSurroundings, directory: str | None) -> list[str]:
    """The files in which uv looks for its settings, from its directory upwards."""
    places = [] if directory is None else [directory, *_ancestors(directory)]
    files = [posixpath.join(place, "uv.toml") for place in places]
    for place in places:
        path = posixpath.join(place, "pyproject.toml")
        if "[tool.uv" in (reader.text(path) or ""):
            files.append(path)
    return [path for path in files if reader.present(path)]


def _ancestors(directory: str) -> Iterator[str]:
    while directory not in ("", "/"):
        directory = posixpath.dirname(directory)
        yield directory


def _brought(reader: _RunSurroundings, manifests: Sequence[str]) -> frozenset[str]:
    """The container paths of all that some manifests bring in."""
    visible = reader.site.visible(reader.position)
    seeds = [visible[path] for path in manifests if path in visible]
    found = closure(
        seeds,
        set(visible.values()),
        reader.site.file,
        places=visible if any(map(top_of, visible.values())) else None,
    )
    # A file that was copied to a path without a slash may lie there or below it.
    told = {visible[path]: path for path in manifests if path in visible}
    return frozenset(
        place
        for place, origin in visible.items()
        if origin in found and (origin not in told or place in manifests)
    )


def _local_words(reader: _RunSurroundings, command: Command) -> tuple[set[str], str]:
    """Directories and files among the words of an install that are no options' values."""
    words = command.words[1:]
    chosen: list[Word] = []
    if command.name in ("conda", "mamba", "micromamba", "conda-env", "conda-lock"):
        archives = [word for word in words if word.text.endswith((".conda", ".tar.bz2"))]
        return _paths(command, archives)
    for index, word in enumerate(words):
        text = re.sub(r"\[[^\]/]*\]\Z", "", word.text)
        before = words[index - 1].text if index else ""
        if before in ("-r", "--requirement", "-c", "--constraint", "-i", "--index-url"):
            continue
        if before in ("-t", "--target", "--prefix", "--root", "--cache-dir", "-w", "--wheel-dir"):
            continue
        if before in ("-p", "--prefix", "-n", "--name", "-d", "--dest"):
            continue
        local = text.startswith((".", "/", "file:")) or text.endswith((".whl", ".tar.gz", ".zip"))
        if text.startswith("--find-links="):
            text, local = text.partition("=")[2], True
        local = local or before in ("-e", "--editable", "-f", "--find-links")
        if local and ("://" not in text or text.startswith("file:")):
            chosen.append(Word(text.removeprefix("file:"), word.known))
    return _paths(command, chosen)


def _python(reader: _RunSurroundings, command: Command) -> Effects:
    words = command.words[1:]
    texts = [word.text for word in words]
    if not texts or texts[0] in ("--version", "-V"):
        return Effects(reads=_ENVIRONMENT_FILES)
    if texts[0] == "-m" and len(texts) > 1:
        inner = replace(command, words=words[1:])
        if texts[1] in ("venv", "virtualenv", "ensurepip", "compileall"):
            paths, problem = _paths(command, words[2:])
            trees = Paths(trees=frozenset(paths))
            both = _ENVIRONMENT_FILES | trees
            return Effects(reads=both, writes=both, unknown=problem)
        if texts[1] in ("pip", "conda", "uv", "poetry"):
            return command_effects(reader, inner)
        return Effects(unknown=_opaque(reader, f"python -m {texts[1]}"))
    if texts[0] == "-c" and len(texts) > 1:
        return _program(reader, "python -c", texts[1])
    if texts[0].startswith("-"):
        return Effects(unknown=f"what line {reader.step.line} runs with python is not known")
    place = joined_path(command.directory, words[0])
    text = reader.text(place.text) if place.known else None
    if text is None:
        return Effects(unknown=f"what {texts[0]} in line {reader.step.line} does is not known")
    own = Effects(reads=Paths(frozenset({place.text})))
    return own | _program(reader, texts[0], text)


def _program(reader: _RunSurroundings, name: str, text: str) -> Effects:
    """A Python program that imports nothing and opens nothing touches no file."""
    unknown = Effects(
        reads=_ENVIRONMENT_FILES,
        uses=frozenset(re.findall(r"[A-Za-z_]\w*", text)),
        unknown=_opaque(reader, name),
    )
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return unknown
    harmless = {"print", "len", "range", "str", "int", "repr", "sorted", "sum", "min", "max"}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Attribute)):
            return unknown
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id in harmless
        ):
            return unknown
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            return unknown
    return Effects()


_SHEBANG = regex(r"#!\s*\S*?(?:env\s+)?(\w*sh)\b|(?!#!)")


def _script(reader: _RunSurroundings, command: Command, words: Sequence[Word]) -> Effects:
    """The effects of a shell script's own commands, if the script is a file of the context."""
    named = [word for word in words if not word.text.startswith("-")]
    line = reader.step.line
    if not named:
        return Effects(unknown=f"what line {line} runs with {command.name} is not known")
    place = joined_path(command.directory, named[0])
    if command.name in (".", "source") and re.search(r"(conda\.sh|activate)\Z", place.text):
        return Effects(reads=_ENVIRONMENT_FILES)
    text = reader.text(place.text) if place.known else None
    if text is None or reader.depth > 5 or place.text in reader.seen or not _SHEBANG.match(text):
        return Effects(unknown=f"what {named[0].text} in line {line} does is not known")
    inner = replace(
        reader,
        depth=reader.depth + 1,
        seen=reader.seen | {place.text},
        patterns=frozenset(_case_patterns(text)),
    )
    variables = {**dict(reader.step.environment), **dict(command.assignments)}
    parameters = tuple(words[words.index(named[0]) :])
    body = re.sub(r"\A#![^\n]*", "", text)
    total = Effects(
        reads=Paths(frozenset({place.text})),
        uses=frozenset(re.findall(r"[A-Za-z_]\w*", text)),
    )
    for ran in script_commands(body, command.directory, variables, runner_of, parameters):
        total |= command_effects(inner, ran)
    directory = command.directory
    if directory is None:
        return total | Effects(unknown=f"where {named[0].text} in line {line} runs is not known")
    return total | _redirected(body, directory, variables)


def _fetched_packages(reader: _RunSurroundings, command: Command, found: Installation) -> Effects:
    """An installation of another language's manager: its manifests, locks and settings.

    A command that builds the project reads all that lies in the project's directory.
    """
    if found.apart:
        changed = Paths(frozenset(found.changes)) | _ENVIRONMENT_FILES
        return Effects(reads=changed, writes=changed)
    tool, directory = tool_of(found.tool), found.directory or command.directory
    if tool is None or directory is None or found.unresolved:
        return Effects(unknown=_opaque(reader, " ".join(w.text for w in command.words[:2])))
    written = {posixpath.join(directory, name) for name in _IN_PROJECT.get(tool.name, ())}
    writes = Paths(trees=frozenset(written)) | _ENVIRONMENT_FILES
    if found.with_project or found.exports:
        trees = Paths(trees=frozenset({directory}))
        return Effects(reads=trees | _ENVIRONMENT_FILES, writes=trees | writes)
    belongs = belongs_to_manager(command.name) or belongs_to_manager(found.tool)
    visible = reader.site.visible(reader.position)
    read = {place for place in found.manifests if place in visible}
    if belongs is not None:
        places = {place for place, path in visible.items() if belongs(path)}
        if not tool.grows(directory, Sight(frozenset(visible), reader.text)):
            head = directory.rstrip("/") + "/"
            places = {p for p in places if _is_beside(p, head) or not p.startswith(head)}
        read |= places
    brought = _brought(reader, sorted(read))
    if found.named:
        # ``npm install NAME`` writes the name into the manifest, and the rest into the lock.
        writes = writes | Paths(frozenset(read))
    unknown = next(filter(None, (_needs_more(reader, place) for place in sorted(read))), "")
    if tool.name == "composer" and any(_MAPS_CLASSES.fullmatch(w.text) for w in command.words):
        unknown = f"line {reader.step.line} makes a map of the project's own classes"
    return Effects(
        reads=Paths(frozenset(read | brought)) | _ENVIRONMENT_FILES,
        writes=writes,
        unknown=unknown,
        inputs=frozenset(read | brought),
    )


def _is_beside(place: str, head: str) -> bool:
    """Whether a file lies in a directory itself, or in a directory of settings of a manager."""
    rest = place.removeprefix(head)
    return place.startswith(head) and (
        "/" not in rest or rest.startswith((".", "gradle/", "renv/"))
    )


_MORE: Mapping[str, tuple[str, str]] = {
    "package.json": (
        r"\"((pre|post)?install|(pre|post)?prepare)\"\s*:|\"workspaces\"|\"(file|link|portal):",
        "install scripts, workspaces or local packages",
    ),
    "go.mod": (r"^\s*(replace\b[^\n]*)?=>\s*\.{0,2}/|^replace\b.*=>\s*\.{0,2}/", "local modules"),
    "gemfile": (r"^\s*gemspec\b|\bpath:|:path\s*=>|eval_gemfile|File\.read", "local gems"),
    "composer.json": (
        r"\"type\"\s*:\s*\"path\"|\"(classmap|files)\"\s*:|\"(post|pre)-(install|autoload)",
        "local packages, scripts, or files that are loaded at once",
    ),
    "mix.exs": (r"\bpath:\s*\"|apps_path", "local packages"),
    "pom.xml": (r"<modules>|<relativePath>\s*\.|<systemPath>", "modules or local packages"),
    "project.toml": (r"^\s*path\s*=", "local packages"),
}
"""What in a manifest says that an install needs more than manifests: a pattern, and the words."""


_MAPS_CLASSES = regex(
    r"-[a-z]*[oa]|--optimize(-autoloader)?|--classmap-authoritative|--apcu-autoloader"
)
"""Options of Composer for which it reads the classes of the project."""


def _needs_more(reader: _RunSurroundings, place: str) -> str:
    """Why an install needs more than its manifests, by the text of one of them; "" if it may not.

    The dependencies of a crate, a project of .NET or Gradle may be such a reason without a word.
    """
    name = posixpath.basename(place).lower()
    if name in ("cargo.toml", "cargo.lock"):
        return "Cargo needs a source file for each crate"
    found = _MORE.get(name)
    text = reader.text(place) or ""
    if found is not None and re.search(found[0], text, re.MULTILINE):
        return f"{place} has {found[1]}"
    if name == "package.json" and '"@prisma/client"' in text and "prisma generate" not in text:
        # Up to version 6 its own install script looks for the schema, and generates the client:
        # https://www.prisma.io/docs/orm/prisma-client/setup-and-configuration/generating-prisma-client
        return f"{place} has @prisma/client, which reads the schema when it is installed"
    return ""
