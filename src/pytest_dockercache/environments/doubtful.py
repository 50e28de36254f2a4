"""Commands whose words say that they install something, although nobody here can read how."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Sequence

from ..shell.running import SHELLS
from ..shell.script import Command
from .tools import tool_of
from .tools.command_lines import module_run

__all__ = ["downloads", "fetches", "looks_like_installation"]

_ACTION = re.compile(r"(re)?install([-:].*)?|restore|sync|bootstrap")
"""What a program of any name calls it when it installs (``pre-commit install-hooks``)."""

_OTHERWISE = """
install git hg svn rsync echo printf cat ls cp mv rm ln test grep egrep sed awk find which type
mkdir touch chmod chown systemctl service update-rc.d update-alternatives a2enmod tee export
ipykernel alias head tail cut sort man dpkg-divert locale-gen git-lfs crontab kubectl helm
"""
_NO_INSTALLERS = frozenset(_OTHERWISE.split())
"""Programs that such words are said to for other reasons; ``git lfs install`` sets hooks up."""

_SCRIPT = re.compile(
    r"(.*[-_.])?(install|setup|bootstrap|deps|dependencies|requirements|provision)([-_.].*)?",
    re.IGNORECASE,
)

_TARGET = re.compile(
    r"(.*[-_.])?(install|deps|dependencies|requirements|bootstrap|setup|init|venv|env|conda"
    r"|develop|prepare|sync)([-_.].*)?"
)

_EXPRESSION = re.compile(
    r"renv::(restore|install)|install\.packages|install_(github|version|cran|deps|local)"
    r"|BiocManager::install|pak::|pacman::p_load|Pkg\.(add|instantiate|develop)|Pkg\.precompile"
    r"|\bpip[\"',\s\]]+install|ensurepip|conda[\"',\s]+install|cpan|quicklisp"
)
"""Code on the command line of an interpreter (``Rscript -e``, ``python -c``) that installs."""

_INTERPRETER = re.compile(
    r"(python|pypy)[0-9.]*|Rscript|R|julia|perl|ruby|node|littler|r|lua|php|install2?\.r"
)

_MODULES = re.compile(r"(spacy|camoufox|patchright) (download|fetch|install)")


def looks_like_installation(
    command: Command, downloaded: Sequence[str] = (), fetching: Collection[str] = ()
) -> bool:
    """Whether a command's words say that it installs.

    ``downloaded`` are the names of the files that the same RUN has fetched:
    whoever runs such a script installs what nobody here can see. ``fetching``
    are the managers that have installed already: what they build then needs
    nothing more (``go build`` after ``go mod download``).
    """
    if command.followed:
        return False
    words = [word.text for word in command.words]
    name = command.name
    if (name in SHELLS or words[1:] == ["-"]) and _runs_a_download(command):
        return True
    if "--conda-create-envs-only" in words or "--install-hooks" in words:
        return True
    run = module_run(command)
    called = [word.text for word in run.words]
    if _INTERPRETER.fullmatch(name) and any(map(_EXPRESSION.search, words[1:])):
        return True
    if name in ("install2.r", "install.r", "installGithub.r") or words[1:3] == ["CMD", "INSTALL"]:
        return True
    if _INTERPRETER.fullmatch(name) and run is command:
        called = called[1:]
        while called and called[0].startswith("-"):
            called.pop(0)
        return bool(called) and _SCRIPT.fullmatch(posixpath.basename(called[0])) is not None
    if not called or not _NO_INSTALLERS.isdisjoint((name, run.name)):
        return False
    tool = tool_of(run.name)
    positional = [text for text in called[1:] if not text.startswith("-")]
    action = positional[0] if positional else ""
    if tool is not None:
        if not tool.builds.isdisjoint(positional[:2]):
            return tool.name not in fetching
        return _is_install_of(tool.installs, called, positional)
    if _MODULES.match(" ".join([run.name, *positional])):
        return True
    if name in ("make", "gmake"):
        return any(map(_TARGET.fullmatch, positional))
    if run.name in downloaded:
        return True
    if _ACTION.fullmatch(action):
        return True
    return _is_script(run, words) and _SCRIPT.fullmatch(run.name) is not None


def fetches(command: Command) -> frozenset[str]:
    """The manager of another language that a command installs with, or builds."""
    run = module_run(command)
    tool = tool_of(run.name) if run.words else None
    called = [word.text for word in run.words]
    positional = [text for text in called[1:] if not text.startswith("-")]
    if tool is None or not (tool.installs or tool.builds):
        return frozenset()
    if not tool.builds.isdisjoint(positional[:2]) or _is_install_of(
        tool.installs, called, positional
    ):
        return frozenset({tool.name})
    return frozenset()


def _is_install_of(
    installs: frozenset[str], called: Sequence[str], positional: Sequence[str]
) -> bool:
    """Whether one of the first words is an action that installs: ``go mod download`` has two."""
    if not positional and "" in installs:
        return not any(text in ("--version", "-v", "--help", "-h") for text in called[1:])
    return bool(installs.intersection({*positional[:2], *called[1:2]} - {""}))


def _is_script(run: Command, words: Sequence[str]) -> bool:
    """Whether the command is a file that somebody wrote: a path, or an interpreter's argument."""
    program = run.words[0].text
    if re.search(r"\.(sh|bash|py|r|pl|rb|js|jl)\Z", program, re.IGNORECASE):
        return True
    return "/" in program and not program.startswith(("/usr/", "/bin/", "/sbin/", "/opt/"))


def _runs_a_download(command: Command) -> bool:
    """``curl … | sh``, and ``bash -c "$(curl …)"``."""
    return any(feeder.name in ("curl", "wget", "fetch", "aria2c") for feeder in command.feeding)


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
