"""The parts of a step's cache key: its operation, and the files that it reads.

The rules were read in BuildKit 0.13 and 0.25 (solver/llbsolver/ops,
frontend/dockerfile/dockerfile2llb) and in moby's builder/dockerfile, and each
is held against real builders by the oracle suite. A key has three parts: the
operation (here a tuple of named facets, so that a difference has a name), the
step below in the same root file system, and the files that are read by their
content.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from ..context.selection import is_remote
from ..dockerfile import PlannedStep, SubstitutionError, Transfer, expand
from ..dockerfile.expansion import Lexer
from ..dockerfile.instructions import declared, heredoc_mark, json_strings, mounts
from ..regexes import regex
from ..values import dataclass
from .snapshot import Dialect, Snapshot, canonical_image

__all__ = ["Content", "Facet", "Key", "Value", "keys"]

Value = str | tuple["Value", ...]


@dataclass(frozen=True)
class Facet:
    """One named part of an operation, in a form in which equal keys have equal values."""

    name: str
    value: Value


@dataclass(frozen=True)
class Content:
    """A source that a step reads by its content.

    ``origin`` is ``"context"``, a stage's index, ``"remote"`` for a URL or a git reference, or the
    name of an image or named context. ``source`` is the path in the origin; ``transfer`` is the
    COPY, ADD or mount that takes it.
    """

    origin: int | str
    source: str
    transfer: Transfer
    pinned: bool = False


@dataclass(frozen=True)
class Key:
    """The inputs of one step's cache key.

    ``runs`` is False for an instruction that no builder can hit or miss (with BuildKit: ENV and all
    else that only changes the image's configuration). ``rooted`` is False for a real
    ``COPY --link``, which knows nothing of the step below. ``base`` is the start of a stage: the
    image, or "" within a stage and for a stage that is built from another; ``image`` is its name
    and platform: two names of one image are one base and two vertices. ``fresh`` is True for a
    stage that starts from the directory of a named context, which every build begins anew.
    """

    step: PlannedStep
    operation: tuple[Facet, ...]
    contents: tuple[Content, ...] = ()
    runs: bool = True
    rooted: bool = True
    base: str = ""
    image: str = ""
    fresh: bool = False

    def facet(self, name: str) -> Value | None:
        """The value of a facet, None if the operation has none of that name."""
        for facet in self.operation:
            if facet.name == name:
                return facet.value
        return None


def keys(snapshot: Snapshot, steps: Sequence[PlannedStep], dialect: Dialect) -> tuple[Key, ...]:
    """The key inputs of every planned step, in the order of ``steps``."""
    escape = dict(snapshot.dockerfile.directives).get("escape", "\\")
    arguments = dict(snapshot.build_args)
    made = []
    for step in steps:
        reading = _KeyReader(step, escape, arguments, dialect, snapshot)
        made.append(reading.classic() if dialect.name == "classic" else reading.buildkit())
    return tuple(made)


def _expanded(text: str, step: PlannedStep, escape: str) -> str:
    try:
        return expand(text, dict(step.environment), escape)
    except SubstitutionError:
        return text


def _clean(path: str) -> str:
    return re.sub(r"\A/+", "/", posixpath.normpath(path))


_GIT_COMMIT = regex(r"#[0-9a-f]{40}(:|\Z)")


@dataclass(frozen=True)
class _KeyReader:
    """One step, with everything that reading its key needs."""

    step: PlannedStep
    escape: str
    arguments: Mapping[str, str]
    dialect: Dialect
    snapshot: Snapshot

    def buildkit(self) -> Key:
        keyword = self.step.instruction.keyword
        if keyword == "RUN":
            return self._run()
        if keyword in ("COPY", "ADD"):
            return self._copy()
        if keyword == "WORKDIR" and self.step.ordinal is not None:
            return Key(self.step, self._workdir())
        fresh = keyword == "FROM" and bool(self.step.transfers)
        return Key(self.step, (), runs=False, base=self._base(), image=self._image(), fresh=fresh)

    # -- FROM

    def _image(self) -> str:
        """The name by which the builder knows the image that a root file system starts with."""
        stage = self.step.stage
        if self.step.instruction.keyword != "FROM" or stage.parent is not None:
            return ""
        return f"{canonical_image(stage.base)} {self._platform() or ''}".rstrip()

    def _base(self) -> str:
        """The image that a FROM starts a root file system with."""
        stage = self.step.stage
        if self.step.instruction.keyword != "FROM" or stage.parent is not None:
            return ""
        if stage.base == "scratch":
            return "scratch"
        name = canonical_image(stage.base)
        digest = re.search(r"@(sha256:[0-9a-f]{64})\Z", name)
        image = digest[1] if digest else name
        image = self.snapshot.identities.get(stage.base, image)
        return f"{image} {self._platform() or ''}".rstrip()

    def _platform(self) -> str | None:
        return self.step.stage.platform or self.snapshot.platform

    # -- RUN

    def _run(self) -> Key:
        step = self.step
        facets = [
            Facet("instruction", "RUN"),
            Facet("command", self._command()),
            Facet("environment", step.environment),
            Facet("directory", self.step.cwd),
            Facet("user", step.user),
            Facet("platform", self._platform() or ""),
            Facet("network", self._flag("network", "default")),
            Facet("security", self._flag("security", "sandbox")),
            Facet("device", self._flag("device", "")),
            Facet("hostname", self.arguments.get("BUILDKIT_SANDBOX_HOSTNAME", "")),
            Facet("mounts", self._mounts()),
        ]
        contents = self._contents()
        return Key(step, tuple(facets), contents)

    def _flag(self, name: str, default: str) -> str:
        value = self.step.instruction.flag(name)
        return default if value is None else _expanded(value, self.step, self.escape)

    def _command(self) -> tuple[str, ...]:
        """The argument vector, shell included."""
        instruction = self.step.instruction
        if instruction.exec_form is not None:
            return instruction.exec_form
        shell = self.step.shell
        text = instruction.value
        if not instruction.heredocs:
            return (*shell, text)
        first = instruction.heredocs[0]
        if heredoc_mark(text) is None:
            documents = "".join(f"\n{item.body}{item.name}" for item in instruction.heredocs)
            return (*shell, text + documents)
        body = _chomped(first.body) if first.chomp else first.body
        if first.body.startswith("#!"):
            # Written to a file of the heredoc's name, which is mounted and run.
            return (*shell, f"/dev/pipes/{first.name}", body)
        return (*shell, body)

    def _mounts(self) -> Value:
        """Every mount without its contents; the order does not matter."""
        found: list[tuple[tuple[str, str], ...]] = []
        for mount in mounts(self.step.instruction):
            options = {
                name: _expanded(value, self.step, self.escape) for name, value in mount.options
            }
            kind = options.get("type", "bind").lower()
            target = options.get("target", "")
            chosen: dict[str, str] = {"type": kind}
            if kind == "secret":
                chosen.update(_secret(options))
            elif kind == "ssh":
                chosen.update((name, options.get(name, "")) for name in ("id", "target", "mode"))
            else:
                # Only a relative target is cleaned; "/m/" is another one than "/m".
                if not target.startswith("/"):
                    target = _clean(posixpath.join(self.step.cwd, target))
                chosen["target"] = target
            if kind == "bind":
                writable = options.get("rw", options.get("readwrite"))
                readonly = options.get("ro", options.get("readonly"))
                chosen["rw"] = str(_is_on(writable) or readonly == "false")
            elif kind == "cache":
                readonly = options.get("ro", options.get("readonly"))
                chosen["ro"] = str(_is_on(readonly))
                chosen.update(self._cache(options, target))
            elif kind == "tmpfs":
                chosen["size"] = options.get("size", "")
            found.append(tuple(sorted(chosen.items())))
        return tuple(sorted(found, key=repr))

    def _cache(self, options: Mapping[str, str], target: str) -> dict[str, str]:
        """A cache mount with an ID: the key holds only that there is one (BuildKit ≥ 0.13)."""
        chosen = {name: options.get(name, "") for name in ("uid", "gid", "mode")}
        if _clean(options.get("id", target)) != _clean(target):
            return {**chosen, "id": "custom"}
        return {
            **chosen,
            "sharing": options.get("sharing", "shared").lower(),
            "namespace": self.arguments.get("BUILDKIT_CACHE_MOUNT_NS", ""),
        }

    # -- COPY and ADD

    def _copy(self) -> Key:
        instruction = self.step.instruction
        written, destination = self._words()
        documents = {item.name for item in instruction.heredocs}
        names: list[Value] = []
        for word in written:
            mark = heredoc_mark(word)
            if mark and mark[0] in documents:
                names.append(("<<", mark[0], self._document(mark[0])))
            elif instruction.keyword == "ADD" and is_remote(word):
                names.append(posixpath.basename(word.partition("?")[0].rstrip("/")))
            else:
                path = _clean("/" + self._expand(word))
                names.append(posixpath.basename(path) if path != "/" else "/")
        parents = self._is_set("parents")
        facets = [
            Facet("instruction", instruction.keyword),
            Facet("sources", tuple(names)),
            Facet("destination", self._destination(self._expand(destination))),
            Facet("--chown", _owner(self._flag("chown", ""))),
            Facet("--chmod", _mode(self._flag("chmod", ""))),
            Facet("--exclude", tuple(self._all("exclude"))),
            Facet("--parents", str(parents)),
            Facet("--checksum", self._flag("checksum", "")),
            Facet("--unpack", self._flag("unpack", "")),
            Facet("--keep-git-dir", self._flag("keep-git-dir", "")),
        ]
        linked = self.dialect.links and self._is_set("link") and instruction.flag("chmod") is None
        if linked:
            facets.append(Facet("--link", "True"))
        return Key(self.step, tuple(facets), self._contents(), rooted=not linked)

    def _expand(self, text: str) -> str:
        return _expanded(text, self.step, self.escape)

    def _words(self) -> tuple[list[str], str]:
        instruction = self.step.instruction
        words = json_strings(instruction.value)
        if words is None:
            words = instruction.value.split()
        return (words[:-1], words[-1]) if words else ([], "")

    def _document(self, name: str) -> str:
        """The text of a heredoc as the builder writes it to the file."""
        for item in self.step.instruction.heredocs:
            if item.name == name:
                body = _chomped(item.body) if item.chomp else item.body
                if not item.expand:
                    return body
                try:
                    return Lexer(self.escape, quotes=False).expand(
                        body, dict(self.step.environment)
                    )
                except SubstitutionError:
                    return body
        return ""

    def _destination(self, where: str) -> str:
        """Absolute and cleaned, with the trailing slash or ``/.`` that it was written with."""
        path = _clean(posixpath.join("/", self.step.workdir, where))
        above = "" if path == "/" else path
        if where in ("", ".") or where.endswith("/"):
            return f"{above}/"
        return f"{above}/." if where.endswith("/.") else path

    def _is_set(self, name: str) -> bool:
        value = self.step.instruction.flag(name)
        return value is not None and value.lower() != "false"

    def _all(self, name: str) -> list[str]:
        flags = self.step.instruction.flags
        return [self._expand(flag.value) for flag in flags if flag.name == name and flag.value]

    def _contents(self) -> tuple[Content, ...]:
        found = []
        for transfer in self.step.transfers:
            for source in transfer.sources:
                if transfer.kind == "add" and is_remote(source):
                    checksum = self.step.instruction.flag("checksum") is not None
                    pinned = checksum or _GIT_COMMIT.search(source) is not None
                    found.append(Content("remote", source, transfer, pinned))
                else:
                    found.append(Content(transfer.origin, source, transfer))
        return tuple(found)

    # -- WORKDIR

    def _workdir(self) -> tuple[Facet, ...]:
        path = _clean(posixpath.join("/", self.step.workdir, self._expand(self._value())))
        epoch = self.arguments.get("SOURCE_DATE_EPOCH", "") if self.dialect.engine >= 28 else ""
        return (
            Facet("instruction", "WORKDIR"),
            Facet("directory", path),
            Facet("user", self.step.user),
            Facet("epoch", epoch),
        )

    def _value(self) -> str:
        return self.step.instruction.value

    # -- the classic builder

    def classic(self) -> Key:
        """There every instruction is a step, and the configuration it makes is part of its key."""
        instruction, step = self.step.instruction, self.step
        keyword = instruction.keyword
        facets: list[Facet] = [Facet("instruction", keyword)]
        contents: tuple[Content, ...] = ()
        if keyword == "FROM":
            return Key(step, (), runs=False, base=self._base())
        if keyword == "RUN":
            facets += [
                Facet("command", instruction.exec_form or (*step.shell, self._value())),
                Facet("arguments", self._argument_values()),
                Facet("proxy", str(self._has_arguments())),
            ]
        elif keyword in ("COPY", "ADD"):
            _, destination = self._words()
            facets += [
                Facet("destination", self._expand(destination)),
                Facet("--chown", self._flag("chown", "")),
            ]
            contents = self._contents()
        elif keyword in ("ARG", "ENV", "LABEL"):
            facets.append(Facet("text", self._declarations()))
        elif keyword in ("CMD", "ENTRYPOINT"):
            # In shell form the SHELL in force is written into the image.
            facets.append(Facet("text", instruction.exec_form or (*step.shell, self._value())))
        elif keyword == "EXPOSE":
            facets.append(Facet("text", tuple(sorted(self._expand(self._value()).split()))))
        elif keyword == "WORKDIR":
            path = _clean(posixpath.join("/", step.workdir, self._expand(self._value())))
            facets.append(Facet("directory", path))
        elif keyword in ("USER", "STOPSIGNAL"):
            facets.append(Facet("text", self._expand(self._value())))
        elif keyword == "VOLUME" and instruction.exec_form is None:
            facets.append(Facet("text", tuple(self._expand(self._value()).split())))
        else:
            facets.append(Facet("text", instruction.exec_form or self._value()))
        if keyword == "HEALTHCHECK":
            flags = sorted((flag.name, flag.value or "") for flag in instruction.flags)
            facets.append(Facet("flags", tuple(flags)))
        if step.triggered:
            facets.append(Facet("trigger", instruction.text))
        return Key(step, tuple(facets), contents)

    def _declarations(self) -> Value:
        found: list[Value] = []
        for name, value in declared(self.step.instruction, self.escape):
            if value is None:
                found.append((name,))
            else:
                found.append((self._expand(name), self._expand(value)))
        return tuple(found)

    def _argument_values(self) -> Value:
        """The values of the declared arguments, sorted.

        An ENV of the same name hides an argument; that value is part of the step below already, and
        harmless here.
        """
        values = dict(self.step.environment)
        names = sorted(set(self.step.declared_args))
        return tuple((name, values[name]) for name in names if name in values)

    def _has_arguments(self) -> bool:
        """Whether any argument has a value, proxies included.

        The value of a proxy argument does not count, but its presence does: the command in the key
        then begins with ``|0`` (run on Docker Engine 26, dispatchers.go, ``prependEnvOnCmd``).
        """
        names = {name for name, _ in self.step.environment}
        if any(name in names for name in self.step.declared_args):
            return True
        return any(
            name in self.arguments and name not in names
            for proxy in _PROXIES
            for name in (proxy, proxy.upper())
        )


_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
"""Build arguments that every builder knows undeclared, in lower and upper case."""


def _chomped(body: str) -> str:
    return re.sub(r"(?m)^\t+", "", body)


def _is_on(value: str | None) -> bool:
    return value is not None and value.lower() in ("", "1", "true")


def _secret(options: Mapping[str, str]) -> dict[str, str]:
    """A secret mount with its defaults spelled out; only a variable has no file."""
    target = options.get("target", "")
    name = options.get("id", posixpath.basename(target))
    variable = options.get("env", "")
    return {
        "id": name,
        "env": variable,
        "target": target or ("" if variable else f"/run/secrets/{name}"),
        "mode": _mode(options.get("mode", "0400")),
        "uid": options.get("uid", "0"),
        "gid": options.get("gid", "0"),
        "required": str(_is_on(options.get("required"))),
    }


def _owner(text: str) -> Value:
    """``root`` and ``0`` are one owner; ``0`` and ``0:0`` are not (BuildKit 0.8 to 0.25)."""
    return tuple("0" if part == "root" else part for part in text.split(":")) if text else ""


def _mode(text: str) -> str:
    try:
        return f"{int(text, 8):o}" if text else ""
    except ValueError:
        return text
