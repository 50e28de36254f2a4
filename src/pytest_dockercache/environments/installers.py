"""Installers and their command lines: what a command installs and which files it reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..dockerfile.syntax import PlannedStep
from ..shell.running import named_environment
from ..shell.script import Command, Word, joined_path, known_text

__all__ = ["Installation", "recognised"]


@dataclass(frozen=True)
class Installation:
    """What one command installs.

    ``manifests`` are the absolute paths that it reads, ``unresolved`` those
    that only the running container knows, ``named`` whether packages are given
    by name too. ``project`` is True when it installs only the project;
    ``with_project`` when the dependencies and the project, ``without_project``
    when it was told to leave the project out; ``exports`` when it installs
    nothing but writes a list of requirements out of a lock file.

    ``constraints`` are those of the files, resolved or not, that only limit
    versions. ``environment`` is the one that the command's own arguments name,
    by name or absolute prefix; ``active`` the one that it runs in as far as
    the Dockerfile says so (``conda run``, ``activate``, the path of ``pip``).
    Of either a word that is not ``known`` is one that only the running
    container knows. ``target`` is where packages go that are installed into
    no environment (``--target``, ``--prefix``, ``--root``, ``--user``);
    ``wheels`` whether they are only made (``pip wheel``); ``specs`` whether
    the lines of a plain list are conda's match specs.
    """

    tool: str
    manifests: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    named: bool = False
    project: bool = False
    with_project: bool = False
    without_project: bool = False
    exports: bool = False
    constraints: tuple[str, ...] = ()
    environment: Word | None = None
    active: Word | None = None
    target: str = ""
    wheels: bool = False
    specs: bool = False


@dataclass(frozen=True)
class _Arguments:
    """A command line taken apart: options with values, bare options, positional words."""

    options: tuple[tuple[str, Word], ...]
    flags: frozenset[str]
    words: tuple[Word, ...]

    def values(self, *names: str) -> tuple[Word, ...]:
        return tuple(value for name, value in self.options if name in names)

    def has(self, *names: str) -> bool:
        return not self.flags.isdisjoint(names)


def _arguments(words: Sequence[Word], valued: str) -> _Arguments:
    """``valued`` lists the options that take a value, short and long, blank-separated."""
    names = frozenset(valued.split())
    options: list[tuple[str, Word]] = []
    flags: set[str] = set()
    positional: list[Word] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        text = word.text
        if text == "--":
            positional += queue
            break
        if text.startswith("--"):
            name, equals, value = text.partition("=")
            flags.add(name)
            if equals:
                options.append((name, replace(word, text=value)))
            elif name in names and queue:
                options.append((name, queue.pop(0)))
        elif text.startswith("-") and text != "-":
            for position, letter in enumerate(text[1:], start=2):
                flags.add(f"-{letter}")
                if f"-{letter}" in names:
                    rest = text[position:].removeprefix("=")
                    if rest:
                        options.append((f"-{letter}", replace(word, text=rest)))
                    elif queue:
                        options.append((f"-{letter}", queue.pop(0)))
                    break
        else:
            positional.append(word)
    return _Arguments(tuple(options), frozenset(flags), tuple(positional))


def _read(directory: str | None, files: Sequence[Word]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Absolute paths of the local files among ``files``, and the texts of unresolvable ones."""
    manifests, unresolved = [], []
    for word in files:
        if re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", word.text):
            continue
        if word.text in ("-", "/dev/stdin", "/dev/fd/0"):
            continue
        path = joined_path(directory, word)
        if path.known:
            manifests.append(path.text)
        else:
            unresolved.append(word.text or "$(…)")
    return tuple(manifests), tuple(unresolved)


def _conventional(directory: str | None, *names: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _read(directory, [Word(name) for name in names])


def recognised(command: Command, step: PlannedStep) -> Installation | None:
    """The installation that a simple command is, None for any other command."""
    program = command.words[0] if command.words else Word("")
    command = _module_run(command)
    name = command.name
    for expression, recognise in _TOOLS:
        if expression.fullmatch(name):
            found = recognise(command, step)
            if found is None:
                return None
            own = _prefix_of(program, command.directory) if name.startswith("pip") else None
            return _with_fed(command, replace(found, active=own or command.active))
    return None


_NO_PREFIXES = re.compile(r".*/\.local|.*/shims")


def _prefix_of(program: Word, directory: str | None) -> Word | None:
    """The environment whose ``bin`` holds a program; None for what only starts another's.

    Not ``known`` for the system's: Debian's pip installs into /usr/local, others' into /usr.
    """
    prefix, slash, _ = program.text.rpartition("/bin/")
    if not slash or _NO_PREFIXES.fullmatch(prefix):
        return None
    if prefix in ("", "/usr"):
        return Word("", known=False)
    return joined_path(directory, replace(program, text=prefix))


def _module_run(command: Command) -> Command:
    """``python -m pip install`` is ``pip install``."""
    if not re.fullmatch(r"python[0-9.]*|pypy[0-9.]*", command.name):
        return command
    words = command.words
    for position, word in enumerate(words[1:], start=1):
        text = word.text
        if text == "-m" and position + 1 < len(words):
            return replace(command, words=words[position + 1 :])
        if re.fullmatch(r"-[A-Za-z]*m[a-z]+", text):
            module = text[text.index("m") + 1 :]
            return replace(command, words=(Word(module), *words[position + 1 :]))
        if not text.startswith("-"):
            break
    return command


def _with_fed(command: Command, found: Installation) -> Installation:
    """Add the files that reach the installer through a pipe, ``<`` or ``$(cat …)``."""
    if found.project or found.exports:
        fed: list[Word] = []
    else:
        fed = [] if command.stdin is None else [command.stdin]
    directory = command.directory
    manifests, unresolved = _read(directory, fed)
    for feeder in command.feeding if not found.exports else ():
        if feeder.name in ("cat", "grep", "egrep", "sed", "awk", "head", "tail", "cut", "tr"):
            files = [word for word in feeder.words[1:] if _looks_like_a_file(word)]
            more, unknown = _read(feeder.directory or directory, files)
            manifests, unresolved = manifests + more, unresolved + unknown
            more, unknown = _read(feeder.directory, [] if feeder.stdin is None else [feeder.stdin])
            manifests, unresolved = manifests + more, unresolved + unknown
    return replace(
        found,
        manifests=tuple(dict.fromkeys(found.manifests + manifests)),
        unresolved=found.unresolved + unresolved,
    )


def _looks_like_a_file(word: Word) -> bool:
    return bool(re.fullmatch(r"[^\s^\\()|]+\.(txt|in|pip|ya?ml|toml|lock|lst|list)", word.text))


_PIP_VALUES = (
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
    given = _arguments(command.words[1:], _PIP_VALUES)
    if not given.words or given.words[0].text not in ("install", "wheel"):
        return None
    environment = {**dict(step.environment), **dict(command.assignments)}
    found = _pip_install("pip", command.directory, given, environment)
    if found is not None and given.words[0].text == "wheel":
        return replace(found, wheels=True)
    return found


def _pip_install(
    tool: str, directory: str | None, given: _Arguments, environment: Mapping[str, str]
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
    named = any(not _is_local(word) for word in packages)
    if not required and not groups and not named:
        if not packages:
            return None
        return Installation(tool, project=True)
    manifests, unresolved = _read(directory, (*required, *groups, *constraints))
    return Installation(
        tool,
        manifests,
        unresolved,
        named=named,
        constraints=_only(constraints, (*required, *groups), directory),
        environment=_interpreter(tool, directory, given, environment),
        target=_target(given, environment),
    )


def _only(
    constraints: Sequence[Word], others: Sequence[Word], directory: str | None
) -> tuple[str, ...]:
    """Paths and unresolvable texts of constraints, without those of the files required too."""
    limiting, required = (sum(_read(directory, words), ()) for words in (constraints, others))
    return tuple(path for path in limiting if path not in required)


def _target(given: _Arguments, environment: Mapping[str, str]) -> str:
    found = given.values("-t", "--target", "--prefix", "--root")
    if found:
        return found[-1].text or "$(…)"
    by_variable = environment.get("PIP_TARGET") or environment.get("PIP_PREFIX")
    user = given.has("--user") or _is_true(environment.get("PIP_USER", ""))
    return by_variable or ("~/.local" if user else "")


def _interpreter(
    tool: str, directory: str | None, given: _Arguments, environment: Mapping[str, str]
) -> Word | None:
    """The environment that ``--python`` names by a path, or the one that uv finds by variable."""
    names = ("-p", "--python") if tool == "uv" else ("--python",)
    paths = [word for word in given.values(*names) if "/" in word.text or not word.known]
    if paths:
        path = joined_path(directory, paths[-1])
        return replace(path, text=re.sub(r"/bin/[^/]+\Z", "", path.text))
    if tool != "uv" or given.has("--system") or _is_true(environment.get("UV_SYSTEM_PYTHON", "")):
        return None
    venv = environment.get("VIRTUAL_ENV")
    return joined_path(directory, Word(venv)) if venv else None


def _is_local(word: Word) -> bool:
    """Whether a package argument is a directory or file, not a name or a URL."""
    text = word.text
    if re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://|git\+|[A-Za-z0-9._-]+(\[.*\])?\s*@", text):
        return False
    path = re.sub(r"\[[^\]/]*\]\Z", "", text)
    if path.startswith((".", "/", "~", "file:")) or "/" in path:
        return True
    return path.endswith((".whl", ".zip", ".tar.gz", ".tar.bz2", ".conda")) or (
        "*" in path and "==" not in path
    )


_UV_VALUES = (
    _PIP_VALUES + " --package --only-group --no-group --no-extra --script --no-install-package "
    "--only-install-package --python-preference --python-fetch --cache-dir -q"
).replace(" -q", "")


def _uv(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], _UV_VALUES)
    if not given.words or given.has("--help", "-h", "--dry-run", "--check"):
        return None
    action = given.words[0].text
    environment = {**dict(step.environment), **dict(command.assignments)}
    directory = command.directory
    for moved in given.values("--directory"):
        directory = known_text(joined_path(directory, moved))
    project = directory
    for moved in given.values("--project"):
        project = known_text(joined_path(directory, moved))
    if action == "pip" and len(given.words) > 1:
        rest = replace(given, words=given.words[1:])
        if given.words[1].text == "install":
            return _pip_install("uv", directory, rest, environment)
        if given.words[1].text == "sync":
            constraints = given.values("-c", "--constraint", "--constraints")
            manifests, unresolved = _read(directory, (*given.words[2:], *constraints))
            return Installation(
                "uv",
                manifests,
                unresolved,
                constraints=_only(constraints, given.words[2:], directory),
                environment=_interpreter("uv", directory, given, environment),
                target=_target(given, {}),
            )
        if given.words[1].text == "compile":
            manifests, unresolved = _read(directory, given.words[2:])
            return Installation("uv", manifests, unresolved, exports=True)
        return None
    manifests, unresolved = _conventional(project, "pyproject.toml", "uv.lock")
    if action == "sync":
        without = given.has("--no-install-project", "--no-install-workspace", "--only-group") or (
            _is_true(environment.get("UV_NO_INSTALL_PROJECT", ""))
        )
        scripts = given.values("--script")
        if scripts:
            manifests, unresolved = _read(project, scripts)
        return Installation(
            "uv", manifests, unresolved, with_project=not without, without_project=without
        )
    if action == "export":
        return Installation("uv", manifests, unresolved, exports=True)
    if action == "add":
        files, unknown = _read(directory, given.values("-r", "--requirements", "--requirement"))
        return Installation("uv", files, unknown, named=len(given.words) > 1)
    if action == "tool" and len(given.words) > 2 and given.words[1].text == "install":
        return Installation("uv", named=True)
    return None


def _is_true(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on")


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
    given = _arguments(words, _CONDA_VALUES)
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
    manifests, unresolved = _read(command.directory, files)
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
    )


def _conda_environment(command: Command, given: _Arguments) -> Word | None:
    prefix = given.values("-p", "--prefix")
    if prefix:
        return joined_path(command.directory, prefix[-1])
    name = given.values("-n", "--name")
    return named_environment(command.directory, name[-1]) if name else None


def _conda_env(
    tool: str, command: Command, given: _Arguments, packages: Sequence[Word]
) -> Installation | None:
    files = given.values("-f", "--file")
    files += tuple(word for word in packages if _is_manifest(word))
    if files:
        manifests, unresolved = _read(command.directory, files)
    else:
        manifests, unresolved = _conventional(
            command.directory, "environment.yml", "environment.yaml"
        )
    environment = _conda_environment(command, given)
    return Installation(tool, manifests, unresolved, environment=environment, specs=True)


def _is_manifest(word: Word) -> bool:
    return not word.known or bool(
        re.search(r"\.(ya?ml|txt|lock|toml|list|lst|in|spec)\Z|/", word.text)
    )


def _conda_env_alias(command: Command, step: PlannedStep) -> Installation | None:
    words = (Word("conda"), Word("env"), *command.words[1:])
    return _conda(replace(command, words=words), step)


def _conda_lock(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], _CONDA_VALUES + " -E --extras --auth --auth-file --conda")
    if not given.words or given.words[0].text != "install" or given.has("--help"):
        return None
    return _lock_install(command, given, given.words[1:])


def _lock_install(
    command: Command, given: _Arguments, files: Sequence[Word]
) -> Installation | None:
    if files:
        manifests, unresolved = _read(command.directory, files)
    else:
        manifests, unresolved = _conventional(command.directory, "conda-lock.yml")
    environment = _conda_environment(command, given)
    return Installation("conda-lock", manifests, unresolved, environment=environment)


def _anaconda_project(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], "--env-spec --directory --command")
    if not given.words or given.words[0].text != "prepare":
        return None
    directory = command.directory
    for moved in given.values("--directory"):
        directory = known_text(joined_path(directory, moved))
    names = ("anaconda-project.yml", "anaconda-project-lock.yml", "conda-project.yml")
    return Installation("anaconda-project", *_conventional(directory, *names))


def _poetry(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(
        command.words[1:],
        "-C --directory -P --project --with --without --only -E --extras -G --group "
        "-f --format -o --output --source --python --platform",
    )
    if not given.words or given.has("--help", "-h", "--dry-run"):
        return None
    action = given.words[0].text
    directory = command.directory
    for moved in (*given.values("-C", "--directory"), *given.values("-P", "--project")):
        directory = known_text(joined_path(directory, moved))
    manifests, unresolved = _conventional(directory, "pyproject.toml", "poetry.lock")
    if action in ("install", "sync", "update"):
        if given.has("--only-root"):
            return Installation("poetry", project=True)
        without = given.has("--no-root")
        return Installation(
            "poetry", manifests, unresolved, with_project=not without, without_project=without
        )
    if action == "export":
        return Installation("poetry", manifests, unresolved, exports=True)
    if action == "add" and len(given.words) > 1:
        return Installation("poetry", named=True)
    return None


def _pdm(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(
        command.words[1:],
        "-p --project -L --lockfile -G --group --with --without -d --venv -f --format -o --output",
    )
    if not given.words or given.has("--help", "-h", "--dry-run", "--check"):
        return None
    action = given.words[0].text
    directory = command.directory
    for moved in given.values("-p", "--project"):
        directory = known_text(joined_path(directory, moved))
    manifests, unresolved = _conventional(directory, "pyproject.toml", "pdm.lock")
    if action in ("install", "sync", "update"):
        without = given.has("--no-self")
        return Installation(
            "pdm", manifests, unresolved, with_project=not without, without_project=without
        )
    if action == "export":
        return Installation("pdm", manifests, unresolved, exports=True)
    if action == "add" and len(given.words) > 1:
        return Installation("pdm", named=True)
    return None


def _pixi(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(
        command.words[1:],
        "-e --environment --manifest-path -p --platform --color --channel -c --feature -f "
        "--pypi-keyring-provider --concurrent-downloads --expose --with --skip",
    )
    if not given.words or given.has("--help", "-h"):
        return None
    action = given.words[0].text
    if action in ("install", "i", "reinstall"):
        return Installation("pixi", *_pixi_files(command.directory, given))
    if action in ("add", "a") and len(given.words) > 1:
        return Installation("pixi", named=True)
    everywhere = action in ("global", "g") and len(given.words) > 2
    if everywhere and given.words[1].text in ("install", "i", "add", "a"):
        return Installation("pixi", named=True)
    return None


def _pixi_files(
    directory: str | None, given: _Arguments
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = ("pixi.toml", "pyproject.toml", "pixi.lock")
    given_paths = given.values("--manifest-path")
    if not given_paths:
        return _conventional(directory, *names)
    path = joined_path(directory, given_paths[-1])
    if not path.known:
        return (), (path.text,)
    if path.text.endswith(".toml"):
        lock = posixpath.join(posixpath.dirname(path.text), "pixi.lock")
        return (path.text, lock), ()
    return _conventional(path.text, *names)


def _pipenv(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(
        command.words[1:], "-r --requirements --python --categories -i --index --extra-pip-args"
    )
    if not given.words or given.has("--help", "-h"):
        return None
    action, *packages = given.words
    manifests, unresolved = _conventional(command.directory, "Pipfile", "Pipfile.lock")
    if action.text in ("install", "sync", "update"):
        files = given.values("-r", "--requirements")
        if files:
            manifests, unresolved = _read(command.directory, files)
        elif packages and action.text == "install":
            return Installation("pipenv", named=True)
        return Installation("pipenv", manifests, unresolved)
    if action.text == "requirements":
        return Installation("pipenv", manifests, unresolved, exports=True)
    return None


def _pip_sync(command: Command, step: PlannedStep) -> Installation | None:
    words = command.words[1:]
    if command.name == "piptools":
        if not words or words[0].text != "sync":
            return None
        words = words[1:]
    given = _arguments(words, _PIP_VALUES + " --python-executable --pip-args")
    if given.has("--dry-run", "-n", "--help", "-h"):
        return None
    if given.words:
        return Installation("pip-sync", *_read(command.directory, given.words))
    return Installation("pip-sync", *_conventional(command.directory, "requirements.txt"))


def _pip_compile(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], _PIP_VALUES + " -o --output-file --pip-args")
    files = given.words or (Word("requirements.in"),)
    return Installation("pip-tools", *_read(command.directory, files), exports=True)


def _named_install(command: Command, step: PlannedStep) -> Installation | None:
    """``pipx install NAME``, ``easy_install NAME``."""
    given = _arguments(command.words[1:], _PIP_VALUES + " --suffix --index-url --pip-args --spec")
    words = list(given.words) or [Word("")]
    if command.name == "pipx" and words.pop(0).text not in ("install", "inject"):
        return None
    if not words or given.has("--help", "-h"):
        return None
    if all(_is_local(word) for word in words):
        return Installation("pip", project=True)
    return Installation(command.name, named=True)


def _rye(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], "--pyproject --features")
    if not given.words:
        return None
    action = given.words[0].text
    if action == "sync":
        names = ("pyproject.toml", "requirements.lock", "requirements-dev.lock")
        return Installation("rye", *_conventional(command.directory, *names))
    if action in ("add", "install") and len(given.words) > 1:
        return Installation("rye", named=True)
    return None


def _hatch(command: Command, step: PlannedStep) -> Installation | None:
    given = _arguments(command.words[1:], "-e --env -p --project --data-dir --cache-dir --config")
    texts = [word.text for word in given.words[:2]]
    if texts == ["env", "create"]:
        return Installation(
            "hatch", *_conventional(command.directory, "pyproject.toml", "hatch.toml")
        )
    if texts == ["dep", "show"]:
        manifests, unresolved = _conventional(command.directory, "pyproject.toml", "hatch.toml")
        return Installation("hatch", manifests, unresolved, exports=True)
    return None


_TOOLS: tuple[
    tuple[re.Pattern[str], Callable[[Command, PlannedStep], Installation | None]], ...
] = (
    (re.compile(r"pip[0-9.]*"), _pip),
    (re.compile(r"(?:conda|mamba|micromamba)[0-9]*(?:\.exe)?"), _conda),
    (re.compile(r"conda-env"), _conda_env_alias),
    (re.compile(r"conda-lock"), _conda_lock),
    (re.compile(r"anaconda-project|conda-project"), _anaconda_project),
    (re.compile(r"uv"), _uv),
    (re.compile(r"poetry"), _poetry),
    (re.compile(r"pdm"), _pdm),
    (re.compile(r"pixi"), _pixi),
    (re.compile(r"pipenv"), _pipenv),
    (re.compile(r"pip-sync|piptools"), _pip_sync),
    (re.compile(r"pip-compile"), _pip_compile),
    (re.compile(r"pipx|easy_install"), _named_install),
    (re.compile(r"rye"), _rye),
    (re.compile(r"hatch"), _hatch),
)
