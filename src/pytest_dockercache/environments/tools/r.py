"""R: the functions and scripts that install packages, and the files that they read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word
from .command_lines import Installation, Paths, arguments, conventional_files, read_files
from .table import Tool

__all__ = ["TOOL"]

_SCRIPTS = regex(r"install2?\.r|install(Github|Bioc|Rub|DepsR|BSPM|Local)?\.r|update\.r", 2)
_RESTORES = regex(r"\b(renv::restore|packrat::restore|rv::sync)\b|(?<![\w.:])restore\s*\(")
_DEPENDENCIES = regex(
    r"\b(install_deps|local_install_deps|local_install_dev_deps|install_dev_deps|renv::install\(\))"
)
_LOCAL = regex(r"\b(install_local|local_install|devtools::install)\s*\(")
_NAMED = regex(
    r"\b(install\.packages|install_(github|version|cran|bioc|git|url|gitlab)|BiocManager::install"
    r"|pak::(pkg_install|pak)|pkg_install|p_load|renv::install|biocLite|update\.packages)\b"
)

_LISTED = regex(
    r"\b(?:readLines|read\.\w+|read_\w+|readRDS|scan|source|file|fromJSON)\s*\(\s*"
    r"(?:file\s*=\s*)?[\"']([^\"':]+)[\"']"
)
"""A file that an expression takes names of packages from."""


def _r(command: Command, step: PlannedStep) -> Installation | None:
    if _SCRIPTS.fullmatch(command.name):
        return _littler(command)
    found: Installation | None = None
    for code in (*_expressions(command), command.document or ""):
        found = found or _of_code(code, command)
    return found


def _littler(command: Command) -> Installation | None:
    """``install2.r --error dplyr``: the packages are words; without any, those of DESCRIPTION."""
    given = arguments(command.words[1:], "-r --repos -l --libloc -d --deps -n --ncpus -m --method")
    if given.has("--help", "-h", "--usage", "-x"):
        return None
    if not given.words and "deps" not in command.name.lower():
        return None
    local = [word for word in given.words if "." in word.text[:1] or word.text.endswith(".gz")]
    named = tuple(word.text for word in given.words if word not in local)
    return Installation(
        "Rscript",
        *read_files(command.directory, [word for word in local if word.text != "."]),
        named=bool(named),
        packages=named,
        directory=command.directory,
    )


def _expressions(command: Command) -> Iterator[str]:
    words = command.words[1:]
    for option, word in pairwise(words):
        if option.text in ("-e", "--eval"):
            yield word.text
    yield from (w.text.partition("=")[2] for w in words if w.text.startswith("--eval="))


def _of_code(code: str, command: Command) -> Installation | None:
    """The installation of an expression of R; None for one that only computes."""
    found = Installation("Rscript", directory=command.directory)
    if _RESTORES.search(code):
        named = re.search(r"lockfile\s*=\s*[\"']([^\"']+)[\"']", code)
        project = re.search(r"project\s*=\s*[\"']([^\"']+)[\"']", code)
        base = f"{project[1]}/" if project else ""
        lock = named[1] if named else f"{base}renv.lock"
        files: Paths = read_files(command.directory, [Word(lock)])
        return replace(found, manifests=files[0], unresolved=files[1], without_project=True)
    if _DEPENDENCIES.search(code):
        files = conventional_files(command.directory, "DESCRIPTION")
        return replace(found, manifests=files[0], unresolved=files[1], without_project=True)
    if _LOCAL.search(code):
        files = conventional_files(command.directory, "DESCRIPTION")
        return replace(found, manifests=files[0], unresolved=files[1], with_project=True)
    if _NAMED.search(code):
        listed = _LISTED.findall(code)
        quoted = re.findall(r"[\"']([A-Za-z][\w./@-]*)[\"']", code)
        names = tuple(name for name in quoted if name not in listed) or ("R",)
        files = read_files(command.directory, [Word(name) for name in listed])
        return replace(found, manifests=files[0], unresolved=files[1], named=True, packages=names)
    return None


TOOL = Tool(
    name="R",
    programs=regex(
        r"R|Rscript|littler|r|install(2|Github|Bioc|DepsR|BSPM|Local)?\.r|update\.r|renv|pak"
    ),
    reads=_r,
    conventional=("renv.lock",),
    manifests=regex(r"renv\.lock|\.rprofile|description|install\.r|packrat\.lock|rproject\.toml"),
    kept=regex(r"(.*/)?renv/(activate\.r|settings\.(json|dcf))|(.*/)?packrat/packrat\.lock"),
    variables=regex(r"(R|RENV|RSPM|PAK|PKG|CRAN|BIOCONDUCTOR|BIOC)_\w+|CRAN|RSPM|GITHUB_PAT"),
    foreign=True,
    stores=regex(r"(.*/)?(site-library|renv)(/.*)?"),
)
