"""Commands whose words say that they install something, in a way that is not known."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from ..regexes import regex
from ..shell.running import SHELLS
from ..shell.script import Command, Word, joined_path
from .tools import tool_of
from .tools.command_lines import module_run
from .tools.node import started_program

__all__ = [
    "clones",
    "downloads",
    "looks_like_installation",
    "runs_a_download",
    "starts_installation",
]

_ACTION = regex(r"(re)?install([-:].*)?|restore|sync|bootstrap")
"""Words with which a program of any name installs (``pre-commit install-hooks``)."""

_OTHERWISE = """
install git hg svn rsync echo printf cat ls cp mv rm ln test grep egrep sed awk find which type
mkdir touch chmod chown systemctl service update-rc.d update-alternatives a2enmod tee export
ipykernel alias head tail cut sort man dpkg-divert locale-gen git-lfs crontab kubectl helm
"""
_NO_INSTALLERS = frozenset(_OTHERWISE.split())
"""Programs whose word "install" means something else: ``git lfs install`` sets hooks up."""

_SCRIPT = regex(
    r"(.*[-_.])?(install|setup|bootstrap|deps|dependencies|requirements|provision)([-_.].*)?",
    re.IGNORECASE,
)

_TARGET = regex(
    r"(.*[-_.])?(install|deps|dependencies|requirements|bootstrap|setup|init|venv|env|conda"
    r"|develop|prepare|sync)([-_.].*)?"
)

_EXPRESSION = regex(
    r"renv::(restore|install)|install\.packages|install_(github|version|cran|deps|local)"
    r"|BiocManager::install|pak::|pacman::p_load|Pkg\.(add|instantiate|develop)|Pkg\.precompile"
    r"|\bpip(\.main\(|\._internal|[\"',\s\]\[(])+install|ensurepip|conda[\"',\s]+install|cpan|quicklisp"
)
"""Code on the command line of an interpreter (``Rscript -e``, ``python -c``) that installs."""

_INTERPRETER = regex(
    r"(python|pypy)[0-9.]*|Rscript|R|julia|perl|ruby|node|littler|r|lua|php|install2?\.r"
)

_OPTIONS = """
--cwd --network-timeout --cache-folder --registry --mutex --modules-folder --filter -F -C --dir
--prefix --jobs -j --without --with --path --gemfile --retry -e --env -f --file -c -s --session
--sessions --noxfile --workdir --working-dir -d --settings --python --tags -k -t --manifest-path
--project
"""
_VALUED = frozenset(_OPTIONS.split())
"""Options of other languages' managers that take the word behind them for a value."""

_INSTALLERS = frozenset({"buildout", "docker-php-ext-install", "conda-devenv", "colcon", "rosdep"})
"""Programs that only install, or build what they install."""

_INSTALLERS_OF: Mapping[str, tuple[str, ...]] = {
    "jupyter": ("labextension install", "lab build"),
    "jupyter-lab": ("build",),
    "ansible-galaxy": ("collection install", "role install"),
    "rustup": ("component add", "target add", "toolchain install", "toolchain add"),
    "gcloud": ("components install", "components update"),
    "az": ("extension add",),
    "gh": ("extension install",),
    "terraform": ("init",),
    "code-server": ("--install-extension",),
}
"""The words of a program that install, where its first word does not say so."""

_MODULES = regex(r"(spacy|camoufox|patchright) (download|fetch|install)|nltk\.downloader \w")


def looks_like_installation(command: Command, downloaded: Sequence[str] = ()) -> bool:
    """Whether a command's words say that it installs.

    ``downloaded`` are the names of the files that the RUN has fetched: a command that runs such a
    script installs packages that cannot be known.
    """
    if command.followed:
        return False
    words = [word.text for word in command.words]
    name = command.name
    if runs_a_download(command) or words[:2] == ["conda", "devenv"]:
        return True
    if "--conda-create-envs-only" in words or "--install-hooks" in words:
        return True
    run = module_run(command)
    called = [word.text for word in run.words]
    if _INTERPRETER.fullmatch(name) and any(map(_EXPRESSION.search, words[1:])):
        return True
    if words[1:3] == ["CMD", "INSTALL"]:
        # R installs a package so, and none that the package depends on.
        return any(word.endswith((".gz", ".zip", ".bz2")) for word in words[3:])
    if _INTERPRETER.fullmatch(name) and run is command:
        called = called[1:]
        while called and called[0].startswith("-"):
            called.pop(0)
        return bool(called) and _SCRIPT.fullmatch(posixpath.basename(called[0])) is not None
    if not called or not _NO_INSTALLERS.isdisjoint((name, run.name)):
        return False
    tool = tool_of(run.name)
    positional = _positional(called)
    started = [word.text for word in started_program(run)]
    if started and run.name != "corepack":
        action = next((text for text in started[1:] if not text.startswith("-")), "")
        return started[0] not in _HOOKS and _ACTION.fullmatch(action) is not None
    action = positional[0] if positional else ""
    if name in ("cpan", "cpanm"):
        return bool(positional)
    if tool is not None and positional[:2] != ["python", "install"]:
        return _is_install_of(tool.installs, called, positional)
    beginnings = _INSTALLERS_OF.get(run.name, ())
    if run.name in _INSTALLERS or any(
        " ".join(words).startswith(beginnings) for words in (positional, called[1:])
    ):
        return True
    if _MODULES.match(" ".join([run.name, *positional])):
        return True
    if name in ("make", "gmake"):
        return any(map(_TARGET.fullmatch, positional))
    if run.name in downloaded:
        return True
    if _ACTION.fullmatch(action) or tool is not None:
        return True  # ``uv python install`` fetches an interpreter.
    return _is_script(run, words) and _SCRIPT.fullmatch(run.name) is not None


_HOOKS = frozenset({"husky", "lefthook", "simple-git-hooks", "is-ci", "pinst"})
"""Programs of Node packages whose word "install" sets hooks of git up."""

_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun"})


def _positional(called: Sequence[str]) -> list[str]:
    """The words of a command that are neither options nor the values of these."""
    found: list[str] = []
    skipped = False
    for text in called[1:]:
        if text == "--":
            break
        if not skipped and not text.startswith("-"):
            found.append(text)
        skipped = text in _VALUED
    return found


_TASKS: Mapping[str, tuple[str, ...]] = {
    "invoke": ("tasks.py",),
    "inv": ("tasks.py",),
    "fab": ("fabfile.py",),
    "doit": ("dodo.py",),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "rake": ("Rakefile", "rakefile"),
}
"""Task runners, and the files in which they look for their tasks."""

_INSTALLS = regex(
    r"\b(pip3?|conda|mamba|micromamba|uv|poetry|pdm|pipenv|pixi|npm|yarn|pnpm|bundle|apt-get)"
    r"[\"',\s]+((pip|env|-\S+)[\"',\s]+)*(install|sync|ci|create|update|add)\b"
)

_CALLS = regex(r"\b(run|call|check_call|check_output|system|popen|Popen|sudo|local|main)\s*\(")


def starts_installation(command: Command, read: Callable[[str], str | None]) -> bool:
    """Whether a command runs a task, or a program in another language, that installs.

    ``read`` gives the text of a file by its path in the container, None where it is not known. Of a
    file of tasks, only the tasks that the command names count, and those that their first lines
    name.
    """
    run = module_run(command)
    called = [word.text for word in run.words]
    if run.name in _TASKS:
        for name in _TASKS[run.name]:
            text = read(joined_path(run.directory, Word(name)).text)
            if text is not None:
                return any(_task_installs(text, task) for task in _positional(called))
        return any(map(_TARGET.fullmatch, _positional(called)))
    if run.name in _MANAGERS:
        return _script_installs(called, run, read)
    if not _INTERPRETER.fullmatch(command.name) and not command.name.endswith(".py"):
        return False
    scripts = [word for word in command.words if word.text.endswith(".py")][:1]
    places = [joined_path(command.directory, script) for script in scripts]
    texts = [read(place.text) for place in places if place.known]
    return any(_program_installs(text) for text in (command.document, *texts) if text)


def _script_installs(
    called: Sequence[str], run: Command, read: Callable[[str], str | None]
) -> bool:
    """Whether a script of ``package.json``, or one that it runs in turn, installs packages."""
    words = _positional(called)
    elsewhere = words[:1] in (["workspace"], ["workspaces"]) or any(
        word.partition("=")[0] in _OF_OTHERS for word in called[1:]
    )
    text = None if elsewhere else read(joined_path(run.directory, Word("package.json")).text)
    named = words[:1] in (["run"], ["run-script"])
    try:
        scripts = json.loads(text or "")["scripts"]
    except (ValueError, LookupError, TypeError, RecursionError):
        # What the script does is not known, only what it is called.
        return (named or elsewhere) and any(map(_TARGET.fullmatch, words[named:]))
    pending = list(words[1:2] if named else words[:1])
    seen: set[str] = set()
    while pending and isinstance(scripts, dict):
        name = pending.pop()
        script = scripts.get(name)
        if name in seen or not isinstance(script, str):
            continue
        seen.add(name)
        if _INSTALLS.search(script) or _BOOTSTRAPS.search(script):
            return True
        pending += [f"pre{name}", f"post{name}", *_OTHER_SCRIPTS.findall(script)]
    return False


_OTHERS = "--prefix -C --cwd --dir -w --workspace --workspaces -ws --filter -F -r --recursive"
_OF_OTHERS = frozenset(_OTHERS.split())
"""Options with which the scripts are those of another directory's ``package.json``."""

_BOOTSTRAPS = regex(r"\blerna +bootstrap\b|\bplaywright +install\b|\byarn *(&&|;|\||\Z)")
_OTHER_SCRIPTS = regex(r"\b(?:npm|yarn|pnpm|bun)\s+(?:run(?:-script)?\s+)?([\w:.-]+)")


def _program_installs(text: str) -> bool:
    """Whether a program in a language other than the shell's calls an installer."""
    code = _without_comments(text)
    calls = (code[call.end() : call.end() + 120] for call in _CALLS.finditer(code))
    return any(map(_INSTALLS.search, calls)) or _PACKAGES.search(code) is not None


_PACKAGES = regex(r"\b(renv::(restore|install)|install\.packages|pak::|BiocManager::install)\b")
"""R's install functions, as a program calls them."""


_OTHER_TASKS = regex(
    r"deps:[ ]*\[([^\]]*)\]|- task:[ ]*([\w:-]+)|\b(?:just|task|invoke|inv|rake)[ ]+([\w:-]+)"
)
"""How a task says which others it runs."""


def _task_installs(text: str, task: str, depth: int = 0) -> bool:
    """Whether a task in the text of a task file installs, or names another task that installs."""
    plain = re.escape(task).replace("\\-", "[-_]")
    head = re.compile(rf"([ \t]*)(?:def\s+|task\s+:?|@)?[\"']?{plain}\b[^\n]*\n?")
    for found in head.finditer(text):
        before = text[: found.start()].rpartition("\n")[2]
        if before.strip():
            continue
        body = [found[0]]
        for line in text[found.end() :].splitlines():
            if line.strip() and len(line) - len(line.lstrip()) <= len(found[1]):
                break
            body.append(line)
        if _INSTALLS.search(_without_comments("\n".join(body))):
            return True
        named = _OTHER_TASKS.findall("\n".join(body[1:]))
        decorator = text[: found.start()].rstrip("\n").rpartition("\n")[2]
        others = found[0].partition(task)[2]
        others += decorator if decorator.startswith("@") else ""
        others += " ".join(word for words in named for word in words)
        if depth < 3 and any(
            _task_installs(text, other, depth + 1)
            for other in dict.fromkeys(re.findall(r"[A-Za-z][\w-]+", others))
            if other not in (task, "def", "do", "task", "pre", "post")
        ):
            return True
    return False


def _without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*", r"\1", text)


def _is_install_of(
    installs: frozenset[str], called: Sequence[str], positional: Sequence[str]
) -> bool:
    """Whether one of the first words is an action that installs: ``go mod download`` has two."""
    if not positional and "" in installs:
        return not any(text in ("--version", "-v", "--help", "-h") for text in called[1:])
    return bool(installs.intersection({*positional[:2], *called[1:2]} - {""}))


def _is_script(run: Command, words: Sequence[str]) -> bool:
    """Whether a command runs a script of the user's: a path, or an interpreter's argument."""
    program = run.words[0].text
    if re.search(r"\.(sh|bash|py|r|pl|rb|js|jl)\Z", program, re.IGNORECASE):
        return True
    return "/" in program and not program.startswith(("/usr/", "/bin/", "/sbin/", "/opt/"))


def runs_a_download(command: Command) -> bool:
    """Whether a command runs a script right from its download: ``curl … | sh``."""
    reads_script = command.name in (*SHELLS, "eval", ".", "source") or [
        word.text for word in command.words[1:]
    ] == ["-"]
    return reads_script and any(
        feeder.name in ("curl", "wget", "fetch", "aria2c") for feeder in command.feeding
    )


_FETCHED = ("clone", "checkout", "co")


def clones(command: Command) -> tuple[str, ...]:
    """The directory that ``git clone URL`` puts somebody else's repository into."""
    words = _without_valued(command)
    if command.name not in ("git", "hg", "svn") or len(words) < 2 or words[0].text not in _FETCHED:
        return ()
    if not re.search(r"://|\A[\w.-]+@[\w.-]+:", words[1].text):
        return ()
    named = words[2:] or (Word(re.sub(r"\.git\Z", "", posixpath.basename(words[1].text))),)
    place = joined_path(command.directory, named[0])
    return (place.text,) if place.known else ()


_GIT_OPTIONS = """
-b --branch --depth -o --origin -c --config -C --reference --filter -j --jobs --shallow-since
--template --separate-git-dir -u --upload-pack -r --rev --revision --username --password
"""
_GIT_VALUED = frozenset(_GIT_OPTIONS.split())


def _without_valued(command: Command) -> tuple[Word, ...]:
    found: list[Word] = []
    skipped = False
    for word in command.words[1:]:
        if not skipped and not word.text.startswith("-"):
            found.append(word)
        skipped = word.text in _GIT_VALUED
    return tuple(found)


def downloads(command: Command) -> tuple[str, ...]:
    """The names of the files that ``curl -o`` or ``wget`` writes."""
    if command.name not in ("curl", "wget", "aria2c"):
        return ()
    names: list[str] = []
    words = [word.text for word in command.words]
    for position, text in enumerate(words[1:], start=1):
        if re.match(r"https?://", text):
            names.append(posixpath.basename(text.partition("?")[0]))
        if re.fullmatch(r"-[a-zA-Z]*[oO]|--output(-document)?", text) and words[position + 1 :]:
            names.append(posixpath.basename(words[position + 1]))
        elif re.match(r"--output(-document)?=", text):
            names.append(posixpath.basename(text.partition("=")[2]))
    return tuple(names)
