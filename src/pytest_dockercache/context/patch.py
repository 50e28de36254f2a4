"""The effect of some edits on a build context, as one value that the staged copy and the model
take.

An edit is applied here and nowhere else, and every refusal of an edit stands
here or in :mod:`.edits`. Nothing is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from ..disk import read_bytes
from ..errors import ConfigError
from ..model import BuildSpec, Edit, top_of
from ..values import dataclass
from . import edits as editing
from .entries import ContextEntry, Grown, context_files, entry_of, unreadable
from .ignore import IgnoreRules
from .links import walk_links
from .named import Overlaps, at_top, part_of
from .tree import ContextTree, new_entry

__all__ = ["Patch", "patch"]

_CHANGED_BY_TOOLS = frozenset({".git", ".pytest_cache", "__pycache__"})
"""Nobody takes files in these directories for source: an edit there proves that it stays out."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK, a path that became a FIFO meanwhile would hang."""

_LARGE = 8_000_000
"""Bytes of a file from which on an edit is held as its new end, not as its whole content."""


@dataclass(frozen=True)
class Patch:
    """The difference that edits make.

    ``changes`` maps every new or changed context path to its entry, and every removed path to None.
    ``contents`` holds the bytes of written files, ``origins`` the old path, relative to the
    context, of each renamed file. ``dockerfile`` are the bytes of the Dockerfile if an edit wrote
    it, else None: no other code decides whether an edit did. ``ignore`` are the ignore rules after
    the edits.
    """

    changes: Mapping[str, ContextEntry | None]
    contents: Mapping[str, bytes | Grown]
    origins: Mapping[str, str]
    ignore: IgnoreRules
    dockerfile: bytes | None = None

    def part(self, top: str, tops: Mapping[str, object]) -> Patch:
        """The difference in one context, with the paths in that context.

        ``tops`` are the first parts of the named contexts' paths; "" is the main context.
        """

        def own(path: str) -> str | None:
            other, rest = part_of(path, tops)
            return rest if other == top and (rest or not top) else None

        changes: dict[str, ContextEntry | None] = {}
        for path, entry in self.changes.items():
            rest = own(path)
            if rest is not None:
                changes[rest] = None if entry is None else replace(entry, path=rest, same="")
        return Patch(
            changes,
            {
                rest: value
                for path, value in self.contents.items()
                if (rest := own(path)) is not None
            },
            {
                rest: part_of(origin, tops)[1]
                for path, origin in self.origins.items()
                if (rest := own(path)) is not None
            },
            self.ignore.named[top] if top else replace(self.ignore, named={}),
            None if top else self.dockerfile,
        )

    @property
    def dockerfile_text(self) -> str | None:
        """The text of the Dockerfile, None if no edit wrote it."""
        if self.dockerfile is None:
            return None
        return self.dockerfile.decode("utf-8", errors="replace")


def patch(spec: BuildSpec, tree: ContextTree, edits: Sequence[Edit], *, nonce: str) -> Patch:
    """The difference that ``edits``, one after the other, make in the context of ``spec``.

    ``nonce`` must be new for every build that should not find itself cached. Edits of build
    arguments do not change a context. Raises ConfigError for an edit that cannot be applied, and
    for an ignore file that Docker refuses.
    """
    if tree.parts:
        return _patch_of_parts(spec, tree, edits, nonce)
    draft = _PatchDraft(spec, tree)
    for number, edit in enumerate(edits):
        draft.apply(edit, nonce if number == 0 else f"{nonce}.{number}")
    return Patch(draft.changes, draft.contents, draft.origins, draft.rules(), draft.dockerfile)


def _patch_of_parts(spec: BuildSpec, tree: ContextTree, edits: Sequence[Edit], nonce: str) -> Patch:
    """The difference in the main context and in named ones; a file of two is changed in both."""
    drafts = {
        top: _PatchDraft(replace(spec, context=part.root), part, top)
        for top, part in tree.parts.items()
    }
    for number, edit in enumerate(edits):
        top, own = _in_its_context(edit, tree)
        try:
            drafts[top].apply(own, nonce if number == 0 else f"{nonce}.{number}")
        except ConfigError as error:
            if not top:
                raise
            said = str(error).replace(f"edit of {own.path}", f"edit of {edit.path}", 1)
            raise ConfigError(said) from None
    changes: dict[str, ContextEntry | None] = {}
    contents: dict[str, bytes | Grown] = {}
    origins: dict[str, str] = {}
    for top, draft in drafts.items():
        for path, entry in draft.changes.items():
            there = at_top(top, path)
            changes[there] = None if entry is None else replace(entry, path=there)
        contents.update({at_top(top, path): value for path, value in draft.contents.items()})
        origins.update(
            {at_top(top, path): at_top(top, origin) for path, origin in draft.origins.items()}
        )
    overlaps = Overlaps({top: part.root for top, part in tree.parts.items()})
    for path in list(changes) if overlaps else ():
        _mirror(path, overlaps, changes, contents, origins)
    for top, draft in drafts.items():
        _take(draft, top, tree, changes, contents)
    rules = {top: draft.rules() for top, draft in drafts.items()}
    named = {top: found for top, found in rules.items() if top}
    return Patch(changes, contents, origins, replace(rules[""], named=named), drafts[""].dockerfile)


def _in_its_context(edit: Edit, tree: ContextTree) -> tuple[str, Edit]:
    """The context that an edit changes, and the edit with the paths in that context."""
    if edit.context_path is None:
        return "", edit
    known = tree.entries.get(edit.context_path)
    path = known.same if known is not None and known.same else edit.context_path
    top, rest = part_of(path, tree.parts)
    if edit.kind != "rename":
        return top, replace(edit, path=rest)
    other, to = part_of(edit.text or "", tree.parts)
    if other != top:
        raise ConfigError(
            f"edit of {edit.path}: cannot be renamed to {edit.text}, which is of another context"
        )
    return top, replace(edit, path=rest, text=to)


def _mirror(
    path: str,
    overlaps: Overlaps,
    changes: dict[str, ContextEntry | None],
    contents: dict[str, bytes | Grown],
    origins: dict[str, str],
) -> None:
    """Make the change of a path in the other contexts that hold the same file."""
    entry = changes[path]
    for other in overlaps.others(path):
        if other in changes or not part_of(other, {top_of(other): None})[1]:
            continue
        changes[other] = None if entry is None else replace(entry, path=other)
        if path in contents:
            contents[other] = contents[path]
        if path in origins:
            top = top_of(other)
            beside = next(
                (one for one in overlaps.others(origins[path]) if top_of(one) == top), None
            )
            if beside is not None:
                origins[other] = beside


def _take(
    draft: _PatchDraft,
    top: str,
    tree: ContextTree,
    changes: Mapping[str, ContextEntry | None],
    contents: Mapping[str, bytes | Grown],
) -> None:
    """Give a draft the changes that other contexts made, for its ignore rules."""
    for path, entry in changes.items():
        other, rest = part_of(path, tree.parts)
        if other == top and rest not in draft.changes:
            draft.changes[rest] = None if entry is None else replace(entry, path=rest)
            if path in contents:
                draft.contents[rest] = contents[path]


@dataclass
class _PatchDraft:
    """The edits so far in one context; the attributes are those of :class:`Patch`.

    ``top`` is "" for the main context; the rules of a named one are in its ``.dockerignore``, and
    its files are never the Dockerfile.
    """

    spec: BuildSpec
    tree: ContextTree
    top: str = ""
    changes: dict[str, ContextEntry | None] = field(default_factory=dict)
    contents: dict[str, bytes | Grown] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    dockerfile: bytes | None = None

    def __post_init__(self) -> None:
        self.context = os.path.abspath(self.spec.context)
        self.root = os.path.realpath(self.context)
        # An edit of the file that a linked Dockerfile leads to is an edit of the Dockerfile.
        self.dockerfile_path = (
            None if self.top else self._below_root(os.path.realpath(self.spec.dockerfile))
        )

    def apply(self, edit: Edit, nonce: str) -> None:
        if edit.kind == "build-arg":
            return
        if edit.kind in ("dockerfile", "base"):
            self._edit_dockerfile(edit)
            return
        path = self._resolved(edit.path or "", whole=edit.kind in ("delete", "rename"))
        self._refuse_ignored(path)
        entry = self._entry(path)
        if edit.kind == "create":
            self._create(edit, path, entry, nonce)
            return
        if entry is None:
            hint = "check the spelling, paths are relative to the context"
            raise editing.no_such_file(f"edit of {edit.path}", self.spec.context, hint)
        if edit.kind in ("append", "replace"):
            if entry.kind != "file":
                what = "a directory" if entry.kind == "dir" else "not a regular file"
                raise ConfigError(f"edit of {edit.path}: is {what}; name a file")
            self._rewrite(edit, path, entry, nonce)
        elif edit.kind == "touch":
            self.changes[path] = replace(entry, mtime_ns=entry.mtime_ns + 1)
        elif edit.kind == "chmod":
            self.changes[path] = replace(entry, mode=editing.changed_mode(edit, entry.mode))
        elif edit.kind == "delete":
            for item in self._removable(edit, path, entry):
                self._drop(item.path)
        elif edit.kind == "rename":
            self._rename(edit, path, entry)

    # -- looking

    def _below_root(self, full: str) -> str | None:
        """A real path as a path in the context, "" for the context itself, None for one outside."""
        if full == self.root:
            return ""
        base = self.root.rstrip("/") + "/"
        return full[len(base) :] if full.startswith(base) else None

    def _resolved(self, written: str, *, whole: bool) -> str:
        """The path that an edit changes: links are followed, but not out of the context.

        ``whole`` edits change a link itself, not the file that the link leads to.
        """
        path = editing.context_path(written, self.context)

        def target(directory: str, text: str) -> str:
            if os.path.isabs(text):
                full = os.path.realpath(text)
            else:
                full = os.path.normpath(os.path.join(self.root, directory, text))
            inside = self._below_root(full)
            if inside is None:
                raise ConfigError(
                    f"edit of {path}: is a symbolic link that leads out of the build context; "
                    "name a file inside it"
                )
            return inside

        return walk_links(path, self._entry, last=not whole, target=target)[0]

    def _refuse_ignored(self, path: str) -> None:
        if _CHANGED_BY_TOOLS.intersection(path.split("/")):
            return
        rules = self.tree.ignore
        if not rules.lines or path in self._read_by_the_build() or not rules.excludes(path):
            return
        raise ConfigError(
            f"edit of {path}: is excluded from the build context by {rules.deciding_line(path)}, "
            "so the build cannot see it; edit a file that the image copies"
        )

    def _read_by_the_build(self) -> set[str]:
        """Files that a build reads even if they are ignored: Dockerfile and ignore file."""
        ignore_files = {path for _, path in self._ignore_files() if path is not None}
        return ignore_files | ({self.dockerfile_path} if self.dockerfile_path else set())

    def _ignore_files(self) -> Iterator[tuple[Path, str | None]]:
        """The files that may hold the ignore rules, the decisive one first.

        Each file comes with its path in the context, None for a file outside.
        """
        beside = Path(os.path.abspath(f"{self.spec.dockerfile}.dockerignore"))
        inside_context = Path(self.context, ".dockerignore")
        for written in (inside_context,) if self.top else (beside, inside_context):
            inside = os.path.relpath(written, self.context)
            if inside == ".." or inside.startswith("../"):
                yield written, self._below_root(os.path.realpath(written))
            else:
                yield written, walk_links(inside, self._entry, target=self._leads)[0]

    def _leads(self, directory: str, text: str) -> str:
        """The context path to which a link to an ignore file leads; "" if that is outside."""
        full = os.path.normpath(os.path.join(self.root, directory, text))
        return self._below_root(full) or ""

    def _entry(self, path: str) -> ContextEntry | None:
        if path in self.changes:
            return self.changes[path]
        if any(self.changes.get(parent, "") is None for parent in _parents(path)):
            return None
        if path in self.tree.entries:
            return self.tree.entries[path]
        full = os.path.join(self.tree.root, path)
        try:
            status = os.lstat(full)
            link = os.readlink(full) if stat.S_ISLNK(status.st_mode) else None
        except (OSError, ValueError):
            return None
        return entry_of(path, status, link)

    def _below(self, path: str, entry: ContextEntry) -> list[ContextEntry]:
        """Everything below a directory as the edits so far left it, ignored or not."""
        if entry.kind != "dir":
            return []
        found: dict[str, ContextEntry] = {}
        origin = os.path.join(self.tree.root, self.origins.get(path, path))
        if os.path.isdir(origin):
            for item in context_files(Path(origin)):
                below = f"{path}/{item.path}"
                found[below] = replace(item, path=below)
        for changed, new in self.changes.items():
            if changed.startswith(path + "/"):
                if new is None:
                    found.pop(changed, None)
                else:
                    found[changed] = new
        return [found[name] for name in sorted(found, key=lambda item: item.split("/"))]

    def _removable(self, edit: Edit, path: str, entry: ContextEntry) -> list[ContextEntry]:
        """A path and all below it. Raises ConfigError if the Dockerfile is among them."""
        items = [entry, *self._below(path, entry)]
        written = os.path.relpath(os.path.abspath(self.spec.dockerfile), self.context)
        if any(item.path in (self.dockerfile_path, written) for item in items):
            raise ConfigError(
                f"edit of {edit.path}: takes the Dockerfile away, and nothing would be built; "
                "give it another text with Edit.dockerfile()"
            )
        return items

    def _content(self, path: str, first: int = 0, count: int = -1) -> bytes:
        """The bytes of a file as the edits so far left it, ``count`` of them from ``first`` on."""
        content = self.contents.get(path, Grown(-1, b""))
        if isinstance(content, bytes):
            return content[first:] if count < 0 else content[first : first + count]
        full = os.path.join(self.tree.root, self.origins.get(path, path))
        try:
            with open(os.open(full, _READ), "rb") as file:
                if content.keep >= 0:
                    whole = file.read(content.keep) + content.tail
                    return whole[first:] if count < 0 else whole[first : first + count]
                file.seek(first)
                return file.read(count)
        except OSError as error:
            raise unreadable(full, error) from error

    # -- changing

    def _rewrite(self, edit: Edit, path: str, entry: ContextEntry, nonce: str) -> None:
        content: bytes | Grown
        if edit.kind == "replace":
            before = self._content(path)
            content = editing.replaced(path, before, edit.old or "", edit.text or "", nonce)
        elif entry.size < _LARGE or path in self.contents or path == self.dockerfile_path:
            content = editing.appended(path, self._content(path), edit.text, nonce)
        else:
            head = self._content(path, 0, editing.END)
            tail = self._content(path, entry.size - editing.END)
            cut, added = editing.addition(path, head, tail, edit.text, nonce)
            content = Grown(entry.size - cut, added)
        self._write(path, entry, content)

    def _write(self, path: str, entry: ContextEntry, content: bytes | Grown) -> None:
        self.changes[path] = replace(entry, size=len(content))
        self.contents[path] = content
        if path == self.dockerfile_path and isinstance(content, bytes):
            self.dockerfile = content

    def _drop(self, path: str) -> None:
        self.changes[path] = None
        self.contents.pop(path, None)
        self.origins.pop(path, None)

    def _make_parents(self, edit: Edit, path: str) -> None:
        for parent in reversed(list(_parents(path))):
            above = self._entry(parent)
            if above is None:
                self.changes[parent] = new_entry(parent, "dir", 0, 0o755)
            elif above.kind != "dir":
                raise ConfigError(f"edit of {edit.path}: {parent} is not a directory")

    def _create(self, edit: Edit, path: str, entry: ContextEntry | None, nonce: str) -> None:
        if entry is not None:
            raise ConfigError(
                f"edit of {edit.path}: exists already and cannot be created; append to it instead"
            )
        self._make_parents(edit, path)
        content = editing.created(path, edit.text, nonce)
        self._write(path, new_entry(path, "file", 0, 0o644), content)

    def _rename(self, edit: Edit, path: str, entry: ContextEntry) -> None:
        there = self._resolved(edit.text or "", whole=True)
        self._refuse_ignored(there)
        if self._entry(there) is not None:
            raise ConfigError(f"edit of {path}: cannot be renamed to {there}, which exists already")
        if there.startswith(path + "/"):
            raise ConfigError(f"edit of {path}: cannot be renamed into itself ({there})")
        moved = self._removable(edit, path, entry)
        self._make_parents(edit, there)
        for item in moved:
            new = there + item.path[len(path) :]
            origin = self.origins.get(item.path, item.path)
            content = self.contents.get(item.path)
            self._drop(item.path)
            self.changes[new] = replace(item, path=new)
            self.origins[new] = origin
            if content is not None:
                self.contents[new] = content

    def _edit_dockerfile(self, edit: Edit) -> None:
        if edit.kind == "dockerfile":
            text = edit.text or ""
        else:
            from ..dockerfile import parse_dockerfile, with_base

            before = self.dockerfile
            if before is None:
                before = read_bytes(self.spec.dockerfile)
            dockerfile = parse_dockerfile(
                before.decode("utf-8", errors="replace"), self.spec.dockerfile
            )
            text = with_base(dockerfile, self.spec.target, edit.text or "")
        try:
            self.dockerfile = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ConfigError(f"the edited Dockerfile is no text: {error}") from None
        path = self.dockerfile_path
        entry = self._entry(path) if path else None
        if path and entry is not None:
            self._write(path, entry, self.dockerfile)

    def rules(self) -> IgnoreRules:
        """The ignore rules as the edits left them."""
        source = os.path.abspath(self.tree.ignore.source or "")
        for written, path in self._ignore_files():
            if path not in self.changes and os.fspath(written) == source:
                return self.tree.ignore
            entry = self._entry(path) if path is not None else None
            if path is not None and entry is not None and entry.kind == "file":
                return IgnoreRules.parse(self._content(path), written)
        return IgnoreRules()


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
