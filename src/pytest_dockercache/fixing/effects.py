"""What a step reads, writes, uses and sets, as far as its words tell.

The commands of a RUN are known by name: a table says what each does with the
paths among its words. A command that no table knows may read and write
anything, and is then *unknown*: nothing that it could touch may pass it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..context.gomatch import has_wildcard
from ..dockerfile import PlannedStep, declared
from ..dockerfile.expansion import variables_in, with_values
from ..environments.inputs import closure
from ..environments.tools import Installation, recognised, runner_of
from ..regexes import regex
from ..shell.running import script_commands, step_commands
from ..shell.script import Command, Word, joined_path
from .inputs import inputs_of
from .site import Site

__all__ = ["ENVIRONMENT", "SYSTEM", "Effects", "Paths", "command_effects", "effects_of"]

SYSTEM = "<the system>"
"""Stands for all that system packages, users and settings below /etc are."""

ENVIRONMENT = "<the environment>"
"""Stands for what installers install into and read from."""


@dataclass(frozen=True)
class Paths:
    """Container paths: single files, and trees with all that they hold."""

    files: frozenset[str] = frozenset()
    trees: frozenset[str] = frozenset()

    def __or__(self, other: Paths) -> Paths:
        return Paths(self.files | other.files, self.trees | other.trees)

    def __bool__(self) -> bool:
        return bool(self.files or self.trees)

    def meeting(self, other: Paths) -> str | None:
        """A path that both touch, None if there is none."""
        common = self.files & other.files
        if common:
            return min(common)
        for mine, theirs in ((self, other), (other, self)):
            for tree in mine.trees:
                for file in theirs.files:
                    if _within(file, tree) or _within(tree, file):
                        return file if file.startswith("/") else None
                for another in theirs.trees:
                    if _within(another, tree) or _within(tree, another):
                        return max(another, tree, key=len)
        return None


def _within(path: str, tree: str) -> bool:
    if not path.startswith("/") or not tree.startswith("/"):
        return path == tree
    return tree == "/" or path == tree or path.startswith(tree + "/")


@dataclass(frozen=True)
class Effects:
    """What a step does to what other steps stand on.

    ``uses`` and ``sets`` are names of variables; ``state`` what of the
    stage's settings it changes (``workdir``, ``user``, ``shell``, ``command``)
    and ``minds`` which of them it depends on. ``unknown`` says why its reads
    and writes are not known, "" when they are. ``projects`` are manifests and
    the words in them that install the project itself; ``inputs`` are context
    files (by container path) that an installation reads; ``directories`` those
    that a RUN changes into, and which must be there.
    """

    reads: Paths = Paths()
    writes: Paths = Paths()
    uses: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    state: frozenset[str] = frozenset()
    minds: frozenset[str] = frozenset()
    unknown: str = ""
    projects: tuple[tuple[str, str], ...] = ()
    inputs: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()

    def __or__(self, other: Effects) -> Effects:
        return Effects(
            self.reads | other.reads,
            self.writes | other.writes,
            self.uses | other.uses,
            self.sets | other.sets,
            self.state | other.state,
            self.minds | other.minds,
            self.unknown or other.unknown,
            self.projects + other.projects,
            self.inputs | other.inputs,
            self.directories | other.directories,
        )


def effects_of(site: Site, position: int) -> Effects:
    """The effects of the step at a position of the site's plan."""
    if position not in site.memory:
        site.memory[position] = _effects(site, position)
    found: Effects = site.memory[position]
    return found


def _effects(site: Site, position: int) -> Effects:
    step = site.steps[position]
    keyword = step.instruction.keyword
    uses = frozenset(_variables(step))
    if keyword in ("ENV", "ARG"):
        names = frozenset(name for name, _ in declared(step.instruction, step.escape))
        return Effects(uses=uses, sets=names)
    if keyword == "WORKDIR":
        relative = not step.instruction.value.startswith(("/", "$"))
        minds = frozenset({"workdir"} if relative else ())
        return Effects(uses=uses, state=frozenset({"workdir"}), minds=minds)
    if keyword in ("USER", "SHELL"):
        return Effects(
            reads=_system_users(step.instruction.value) if keyword == "USER" else Paths(),
            uses=uses,
            state=frozenset({keyword.lower()}),
        )
    if keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
        return Effects(uses=uses, state=frozenset({"command"}), minds=frozenset({"shell"}))
    if keyword in ("LABEL", "EXPOSE", "STOPSIGNAL", "MAINTAINER"):
        return Effects(uses=uses, state=frozenset({keyword.lower()}))
    if keyword in ("COPY", "ADD"):
        return _copied(site, position, uses)
    if keyword == "RUN":
        return _ran(site, position)
    return Effects(unknown=f"{keyword} is an instruction of its own")


def _variables(step: PlannedStep) -> set[str]:
    instruction = step.instruction
    names = set(variables_in(instruction.text)) if "$" in instruction.text else set()
    for heredoc in instruction.heredocs:
        names |= set(variables_in(heredoc.body)) if "$" in heredoc.body else set()
    return names


def _system_users(text: str) -> Paths:
    """Names of users and groups are looked up in /etc/passwd; numbers are not."""
    names = re.split(r"[:\s]", text)
    known = all(name.isdigit() or not name or name == "root" for name in names)
    return Paths() if known else Paths(files=frozenset({SYSTEM}))


def _copied(site: Site, position: int, uses: frozenset[str]) -> Effects:
    step = site.steps[position]
    owner = step.instruction.flag("chown") or ""
    reads = _system_users(owner) if owner else Paths()
    files: set[str] = set()
    trees: set[str] = set()
    view = site.views[position]
    for transfer in step.transfers:
        if transfer.origin == "context" and not step.instruction.heredocs:
            files |= set(view.own.at)
            if any("://" in source or source.endswith(".git") for source in transfer.sources):
                trees.add(posixpath.normpath(transfer.destination))
            archives = (".tar", ".tgz", ".gz", ".bz2", ".xz")
            if transfer.kind == "add" and any(s.endswith(archives) for s in transfer.sources):
                trees.add(posixpath.normpath(transfer.destination))
        else:
            trees.add(posixpath.normpath(transfer.destination))
    if any(map(_INSTALLER_SETTINGS.search, (*files, *trees))):
        files.add(SYSTEM)
    written = step.instruction.exec_form or tuple(step.instruction.value.split())
    relative = bool(written) and not written[-1].startswith(("/", "$"))
    return Effects(
        reads=reads,
        writes=Paths(frozenset(files), frozenset(trees)),
        uses=uses,
        minds=frozenset({"workdir"} if relative else ()),
    )


# -- RUN


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NOTHING = _named(
    "echo printf true false : exit set export unset sleep date uname id whoami umask ulimit shopt "
    "read return break continue trap wait type command which hash alias seq expr basename dirname "
    "nproc arch hostname getconf printenv local declare readonly typeset esac fi done in } ] ]] "
    "[[ case do then else shift pwd tty stty clear let"
)
_SYSTEM_TOOLS = _named(
    "apt-get apt apt-key apt-mark apt-cache aptitude apk yum dnf microdnf zypper tdnf pacman "
    "add-apt-repository update-alternatives update-ca-certificates dpkg dpkg-reconfigure rpm "
    "locale-gen ldconfig localedef debconf-set-selections groupadd useradd usermod groupmod "
    "addgroup adduser passwd chpasswd chsh gpg gpgconf dpkg-divert fc-cache"
)
_READING = _named(
    "cat head tail grep egrep fgrep ls stat test [ awk gawk cut sort uniq tr wc diff cmp realpath "
    "readlink md5sum sha256sum sha1sum du file base64 jq"
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
_NODE_FILES = (
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    ".yarnrc",
    ".yarnrc.yml",
    "pnpm-lock.yaml",
    ".npmrc",
)
_IN_PROJECT: Mapping[str, tuple[str, ...]] = {
    "uv": (".venv",),
    "poetry": (".venv",),
    "pdm": (".venv", "__pypackages__", ".pdm-python"),
    "pixi": (".pixi",),
    "pipenv": (".venv",),
    "npm": ("node_modules",),
    "yarn": ("node_modules", ".yarn", ".pnp.cjs"),
    "pnpm": ("node_modules",),
}
_SYSTEM_FILES = Paths(files=frozenset({SYSTEM}))
_ENVIRONMENT_FILES = Paths(files=frozenset({SYSTEM, ENVIRONMENT}))

_SETTINGS = regex(
    r"/(etc|bin|sbin|lib|lib64|usr/(bin|sbin|lib|share|include|local/(lib|include|etc)))(/|\Z)"
    r"|/(root|home/[^/]+)/\.|/opt/(conda|mamba|miniconda\w*|micromamba)(/|\Z)"
)
"""Places from which installers and system tools read by themselves."""


_INSTALLER_SETTINGS = regex(
    r"\A(/root|/home/[^/]+|/etc|/opt/conda|)(/\.config/\w+|/\.pip|/\.conda)?/(pip\.conf|\.?condarc|"
    r"\.netrc|uv\.toml|\.npmrc|\.gitconfig|\.pydistutils\.cfg|\.mambarc)\Z"
    r"|\A/(etc/(apt|ssl|pki|passwd|group|environment|ld\.so\.conf\S*|profile\.d)|lib|usr/lib"
    r"|usr/local/lib|usr/local/share/ca-certificates|opt/conda)(/|\Z)"
)
"""Files that installers look for by themselves, and places that they install into."""


def is_settings(path: str) -> bool:
    """Whether an installer or a system tool may read a path without being told of it."""
    return bool(_SETTINGS.match(path))


@dataclass
class _Reader:
    """What the commands of one RUN have in common."""

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
        """Whether a context file lies at a container path or below it."""
        prefix = place.rstrip("/") + "/"
        visible = self.site.visible(self.position)
        return place in visible or any(other.startswith(prefix) for other in visible)


def _ran(site: Site, position: int) -> Effects:
    step = site.steps[position]
    instruction = step.instruction
    texts = [instruction.value, *(document.body for document in instruction.heredocs)]
    reader = _Reader(site, position, frozenset(_case_patterns("\n".join(texts))))
    identifiers = frozenset(re.findall(r"[A-Za-z_]\w*", "\n".join((instruction.text, *texts))))
    total = Effects(uses=identifiers, minds=frozenset({"workdir", "user", "shell"}))
    if step.user and not step.user.split(":")[0].isdigit():
        total |= Effects(reads=_SYSTEM_FILES)
    found = tuple(step_commands(step, runner_of))
    if not found and instruction.value.strip():
        return total | Effects(unknown=f"what line {step.line} runs is not known")
    for command in found:
        total |= command_effects(reader, command)
        if command.directory is not None and command.directory != step.workdir:
            total |= Effects(directories=frozenset({command.directory}))
    for text in texts:
        total |= _redirected(text, step.workdir, dict(step.environment))
    return _with_settings(_without_own_mounts(total, site.views[position].own.at))


def _without_own_mounts(total: Effects, mounted: Mapping[str, str]) -> Effects:
    """What a RUN mounts itself no step above it brings."""
    if not mounted:
        return total
    reads = replace(total.reads, files=total.reads.files - mounted.keys())
    return replace(total, reads=reads)


def _with_settings(total: Effects) -> Effects:
    """What is written where installers look by themselves is the system's."""
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
    """What ``>`` writes, wherever it stands in a script."""
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
    return Effects(writes=Paths(trees=frozenset(trees)))


def _opaque(reader: _Reader, command: str) -> str:
    """The doubt about a command that nobody here knows."""
    return f"line {reader.step.line} runs {command}, and what that reads is not known"


def command_effects(reader: _Reader, command: Command) -> Effects:
    """The effects of one command of a RUN."""
    name = command.name
    if not command.words or name in reader.patterns or name in _NOTHING:
        return Effects()
    installation = recognised(command, reader.step)
    if installation is not None:
        return _installed(reader, command, installation)
    if re.fullmatch(r"python[0-9.]*|pypy[0-9.]*", name):
        return _python(reader, command)
    if name in ("sh", "bash", "dash", "ash", "zsh", "ksh", ".", "source"):
        return _script(reader, command, command.words[1:])
    if name in _SYSTEM_TOOLS:
        return _touching(reader, command, reads=_SYSTEM_FILES, writes=_SYSTEM_FILES)
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
    if name in ("npm", "yarn", "pnpm"):
        return _node(reader, command)
    place = joined_path(command.directory, command.words[0])
    if "/" in command.words[0].text and place.known and reader.present(place.text):
        return _script(reader, command, command.words)
    return Effects(unknown=_opaque(reader, name))


def _paths(command: Command, words: Iterable[Word]) -> tuple[set[str], str]:
    """The paths among some words, as trees; and what is wrong with one that is not known."""
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
    reader: _Reader,
    command: Command,
    *,
    mutates: bool = False,
    reads: Paths = Paths(),
    writes: Paths = Paths(),
) -> Effects:
    """A command that reads the paths among its words, and writes them if it ``mutates``."""
    words = [*command.words[1:], *([command.stdin] if command.stdin is not None else [])]
    if command.name in ("chown", "chgrp") and not reads:
        owners = [word for word in words if not word.text.startswith("-")][:1]
        reads = _system_users(owners[0].text if owners else "")
        words = [word for word in words if word not in owners]
    elif command.name in ("chmod", "sed", "grep", "egrep", "fgrep", "awk", "gawk", "tr", "jq"):
        script = next((word for word in words if not word.text.startswith("-")), None)
        if script is not None and not any(w.text in ("-e", "-f", "--expression") for w in words):
            words = [word for word in words if word is not script]
    elif command.name in _SYSTEM_TOOLS:
        words = [word for word in words if word.known and word.text.startswith(("/", "./"))]
    paths, problem = _paths(command, words)
    touched = Paths(trees=frozenset(paths))
    named = [word for word in words if not word.text.startswith("-")]
    if command.name in ("cp", "install", "ln") and len(named) > 1 and _last_is_target(words):
        target, problem = _paths(command, named[-1:])
        return Effects(
            reads=touched | reads, writes=Paths(trees=frozenset(target)), unknown=problem
        )
    if command.name in ("test", "[", "tr", "ls", "du") and not paths:
        return Effects(unknown=problem)
    return Effects(
        reads=touched | reads, writes=(touched if mutates else Paths()) | writes, unknown=problem
    )


def _last_is_target(words: Sequence[Word]) -> bool:
    return not any(re.match(r"-[a-zA-Z]*[td]|--target|--directory", word.text) for word in words)


def _find(reader: _Reader, command: Command) -> Effects:
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


def _fetched(reader: _Reader, command: Command) -> Effects:
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
            paths |= {command.directory}
    return Effects(reads=_SYSTEM_FILES, writes=Paths(trees=frozenset(paths)), unknown=problem)


def _environment_action(reader: _Reader, command: Command, tool: str) -> Effects:
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
    if tool == "npm":
        return _node(reader, command)
    text = " ".join(word.text for word in command.words[:2])
    return Effects(unknown=_opaque(reader, text))


def _installed(reader: _Reader, command: Command, found: Installation) -> Effects:
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
    inputs = inputs_of(tuple(manifests), reader.text, reader.present)
    brought = _brought(reader, manifests)
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
        writes=Paths(trees=frozenset(written)) | _ENVIRONMENT_FILES,
        unknown=unknown,
        projects=tuple(inputs.projects),
        inputs=inputs.files | brought,
    )


def _brought(reader: _Reader, manifests: Sequence[str]) -> frozenset[str]:
    """The container paths of all that some manifests bring in."""
    visible = reader.site.visible(reader.position)
    seeds = [visible[path] for path in manifests if path in visible]
    found = closure(seeds, set(visible.values()), reader.site.file)
    return frozenset(place for place, origin in visible.items() if origin in found)


def _local_words(reader: _Reader, command: Command) -> tuple[set[str], str]:
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


def _python(reader: _Reader, command: Command) -> Effects:
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


def _program(reader: _Reader, name: str, text: str) -> Effects:
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


def _script(reader: _Reader, command: Command, words: Sequence[Word]) -> Effects:
    """A shell script: what its own commands do, if it is a file of the context."""
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
    body = re.sub(r"\A#![^\n]*", "", text)
    total = Effects(
        reads=Paths(frozenset({place.text})),
        uses=frozenset(re.findall(r"[A-Za-z_]\w*", text)),
    )
    for ran in script_commands(body, command.directory, variables, runner_of):
        total |= command_effects(inner, ran)
    directory = command.directory
    if directory is None:
        return total | Effects(unknown=f"where {named[0].text} in line {line} runs is not known")
    return total | _redirected(body, directory, variables)


def _node(reader: _Reader, command: Command) -> Effects:
    """``npm ci`` and its like: the package file, the lock, the settings beside them."""
    actions = [word.text for word in command.words[1:] if not word.text.startswith("-")]
    directory = command.directory
    if (
        directory is None
        or len(actions) > 1
        or (actions or ["install"])[0] not in ("ci", "install", "i")
    ):
        return Effects(unknown=_opaque(reader, f"{command.name} {' '.join(actions)}"))
    files = [posixpath.join(directory, name) for name in _NODE_FILES]
    package = reader.text(files[0]) or ""
    unknown = ""
    if re.search(r"\"(pre|post)?install\"\s*:|\"prepare\"\s*:|\"workspaces\"|\"file:", package):
        unknown = f"{files[0]} has install scripts, workspaces or local packages"
    written = {posixpath.join(directory, name) for name in _IN_PROJECT[command.name]}
    present = frozenset(path for path in files if reader.present(path))
    return Effects(
        reads=Paths(present) | _ENVIRONMENT_FILES,
        writes=Paths(trees=frozenset(written)) | _ENVIRONMENT_FILES,
        unknown=unknown,
        inputs=present,
    )
