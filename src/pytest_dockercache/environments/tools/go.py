"""Go: the commands that fetch modules, and the files that they read."""

from __future__ import annotations

import posixpath

from ...dockerfile.syntax import PlannedStep
from ...regexes import regex
from ...shell.script import Command, Word
from .command_lines import (
    Installation,
    conventional_files,
    moved,
    read_files,
    variables_of,
    whole_options,
)
from .table import Sight, Tool, known_layouts

__all__ = ["TOOL"]

_VALUED = (
    "-C -o -p -mod -modfile -overlay -pkgdir -tags -toolexec -ldflags -gcflags -asmflags "
    "-gccgoflags -compiler -buildmode -buildvcs -exec -run -coverprofile -covermode -coverpkg "
    "-timeout -count -cpu -parallel -installsuffix -pgo -vet -asan -bench"
)
_BUILDS = frozenset({"build", "install", "test", "run"})


def _go(command: Command, step: PlannedStep) -> Installation | None:
    given = whole_options(command.words[1:], _VALUED)
    if not given.words or given.has("-h", "-help"):
        return None
    action, *words = given.words
    directory = moved(command.directory, given, "-C")
    flags = variables_of(command, step).get("GOFLAGS", "").split()
    named = [word.text for word in given.values("-modfile")]
    named += [flag.partition("=")[2] for flag in flags if flag.startswith("-modfile=")]
    if named:
        # Go keeps the sums beside it, under the same name.
        beside = Word(f"{named[0].removesuffix('.mod')}.sum")
        manifests, unresolved = read_files(directory, [Word(named[0]), beside])
    else:
        manifests, unresolved = conventional_files(directory, "go.mod", "go.sum")
    if action.text == "mod":
        verb = words[0].text if words else ""
        if verb not in ("download", "tidy", "vendor"):
            return None
        # Which modules are needed is for these two a question of what the source imports.
        source = verb in ("tidy", "vendor")
        return Installation(
            "go",
            manifests,
            unresolved,
            with_project=source,
            without_project=not source,
            directory=directory,
        )
    if action.text == "work" and [word.text for word in words[:1]] == ["sync"]:
        return Installation("go", manifests, unresolved, without_project=True, directory=directory)
    if action.text not in _BUILDS and action.text != "get":
        return None
    modules = [word for word in words if _is_module(word.text)]
    versioned = [word for word in modules if "@" in word.text]
    if versioned or (modules and action.text == "get"):
        names = tuple(word.text.partition("@")[0] for word in modules)
        return Installation(
            "go",
            named=True,
            packages=names,
            apart=True,
            directory=directory,
            changes=manifests if action.text == "get" else (),
        )
    vendored = [word.text for word in given.values("-mod")] == ["vendor"] or "-mod=vendor" in flags
    return Installation(
        "go", manifests, unresolved, with_project=True, directory=directory, offline=vendored
    )


def _is_module(text: str) -> bool:
    """Whether a word names a module of somebody else: ``golang.org/x/tools/cmd/goimports@v1``."""
    return "." in text.partition("/")[0] and "/" in text and not text.startswith((".", "/"))


def _fetches(installation: Installation, sight: Sight) -> bool | None:
    """Whether a module requires others that do not lie in its ``vendor`` directory."""
    directory = installation.directory
    if directory is None:
        return None
    module = sight.nearest(directory, "go.work", "go.mod")
    if module is None:
        return None
    root = posixpath.dirname(module)
    if posixpath.join(root, "vendor/modules.txt") in sight.places:
        return False
    if module.endswith("go.work"):
        return sight.says(sight.below(root, regex(r"go\.mod")), _REQUIRES)
    return sight.says([module], _REQUIRES)


_REQUIRES = r"^\s*require\s*(\(\s*[^\s)]|[^\s(])"

TOOL = Tool(
    name="go",
    programs=regex(r"go(1\.[0-9.]+)?"),
    reads=_go,
    conventional=("go.mod",),
    manifests=regex(r"go\.(mod|sum|work|work\.sum)"),
    comments={r"(^|/)go\.work$": "//"},
    variables=regex(
        r"GO(PROXY|PRIVATE|NOPROXY|NOSUMDB|SUMDB|FLAGS|OS|ARCH|ARM|AMD64|PATH|ROOT|BIN|CACHE"
        r"|MODCACHE|TOOLCHAIN|INSECURE|VCS|AUTH|WORK|EXPERIMENT|TMPDIR|111MODULE)|GO111MODULE"
        r"|CGO_\w+"
    ),
    foreign=True,
    caches=known_layouts("go"),
    stores=regex(r"(.*/)?go(/pkg(/mod(/.*)?)?)?|.*/vendor(/.*)?|/gomod.*"),
    split="go mod download",
    fetches=_fetches,
)
