"""An edited context without a copy of it: what the edits would make of the tree, as a value.

The engine that predicts needs to know what a build would see after an edit,
not a directory that holds it. The rules and the refusals are those of
:func:`pytest_dockercache.context.stage`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import ConfigError
from ..model import BuildSpec, Edit
from . import edits as editing
from .entries import ContextEntry, context_files, entry_of
from .ignore import IgnoreRules
from .tree import ContextTree, new_entry

__all__ = ["EditedContext", "preview"]

_CHANGED_BY_TOOLS = frozenset({".git", ".pytest_cache", "__pycache__"})


@dataclass(frozen=True)
class EditedContext:
    """What a build would see after some edits.

    ``dockerfile`` is the text of the Dockerfile, None when no edit changed it.
    """

    tree: ContextTree
    dockerfile: str | None = None


def preview(
    spec: BuildSpec, tree: ContextTree, edits: Sequence[Edit], *, nonce: str
) -> EditedContext:
    """What the build of ``spec`` would see after ``edits``; ``tree`` is its context before them.

    Nothing is written. Raises ConfigError for an edit that cannot be applied,
    and for an ignore file that Docker refuses.
    """
    draft = _Draft(spec, tree)
    for number, edit in enumerate(edits):
        draft.apply(edit, nonce if number == 0 else f"{nonce}.{number}")
    return draft.done()


@dataclass
class _Draft:
    """The edits so far; None among ``changes`` is a path that is gone."""

    spec: BuildSpec
    tree: ContextTree
    changes: dict[str, ContextEntry | None] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    text: bytes | None = None

    def apply(self, edit: Edit, nonce: str) -> None:
        if edit.kind == "build-arg":
            return
        if edit.kind in ("dockerfile", "base"):
            self._edit_dockerfile(edit)
            return
        context = os.fspath(self.spec.context)
        written = edit.context_path or ""
        path = self._resolved(
            editing.context_path(written, context), whole=edit.kind in ("delete", "rename")
        )
        self._refuse_ignored(path)
        entry = self._entry(path)
        if edit.kind == "create":
            self._create(edit, path, entry, nonce)
            return
        if entry is None:
            raise ConfigError(
                f"edit of {written}: no such file in the build context {self.spec.context}; "
                "check the spelling, paths are relative to the context"
            )
        if edit.kind in ("append", "replace"):
            if entry.kind != "file":
                what = "a directory" if entry.kind == "dir" else "not a regular file"
                raise ConfigError(f"edit of {written}: is {what}; name a file")
            content = self._content(path)
            if edit.kind == "append":
                content = editing.appended(path, content, edit.text, nonce)
            else:
                content = editing.replaced(path, content, edit.old or "", edit.text or "", nonce)
            self._write(path, replace(entry, size=len(content)), content)
        elif edit.kind == "touch":
            self.changes[path] = replace(entry, mtime_ns=entry.mtime_ns + 1)
        elif edit.kind == "chmod":
            if entry.kind == "link":
                raise ConfigError(f"edit of {written}: a symbolic link has no mode of its own")
            mode = editing.changed_mode(edit, stat.S_IMODE(entry.mode))
            self.changes[path] = replace(entry, mode=mode)
        elif edit.kind == "delete":
            for below in (path, *(item.path for item in self._below(path, entry))):
                self._drop(below)
        elif edit.kind == "rename":
            self._rename(edit, path, entry)

    def done(self) -> EditedContext:
        rules = self._rules()
        tree = self.tree.edited(self.changes, self.contents, self.origins, rules)
        text = None
        if self.text is not None:
            text = self.text.decode("utf-8", errors="replace")
        return EditedContext(tree, text)

    # -- looking

    def _resolved(self, path: str, *, whole: bool) -> str:
        """Links are followed, but not out of the context."""
        root = os.path.realpath(self.spec.context)
        directory, name = os.path.split(path)
        base = os.path.realpath(os.path.join(root, directory))
        full = os.path.join(base, name) if whole else os.path.realpath(os.path.join(base, name))
        if full != root and not full.startswith(root + "/"):
            raise ConfigError(
                f"edit of {path}: is a symbolic link that leads out of the build context; "
                "name a file inside it"
            )
        return os.path.relpath(full, root)

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
        name = self._dockerfile_name()
        return {".dockerignore"} | ({name, f"{name}.dockerignore"} if name else set())

    def _dockerfile_name(self) -> str | None:
        """The Dockerfile's path in the context, None when it lies outside of it."""
        inside = os.path.relpath(self.spec.dockerfile, self.spec.context)
        return None if inside.startswith("..") else inside

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
        except (FileNotFoundError, NotADirectoryError):
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

    def _content(self, path: str) -> bytes:
        if path in self.contents:
            return self.contents[path]
        full = os.path.join(self.tree.root, self.origins.get(path, path))
        try:
            with open(full, "rb") as file:
                return file.read()
        except OSError as error:
            raise ConfigError(
                f"{full}: cannot be read ({error.strerror}): docker build fails on it too; "
                "give it read permission or exclude it in .dockerignore"
            ) from error

    # -- changing

    def _write(self, path: str, entry: ContextEntry, content: bytes) -> None:
        self.changes[path] = entry
        self.contents[path] = content
        if path == self._dockerfile_name():
            self.text = content

    def _drop(self, path: str) -> None:
        self.changes[path] = None
        self.contents.pop(path, None)
        self.origins.pop(path, None)

    def _create(self, edit: Edit, path: str, entry: ContextEntry | None, nonce: str) -> None:
        if entry is not None:
            raise ConfigError(
                f"edit of {edit.path}: exists already and cannot be created; append to it instead"
            )
        for parent in reversed(list(_parents(path))):
            above = self._entry(parent)
            if above is None:
                self.changes[parent] = new_entry(parent, "dir", 0, 0o755)
            elif above.kind != "dir":
                raise ConfigError(f"edit of {edit.path}: {parent} is not a directory")
        content = editing.created(path, edit.text, nonce)
        self._write(path, new_entry(path, "file", len(content), 0o644), content)

    def _rename(self, edit: Edit, path: str, entry: ContextEntry) -> None:
        there = editing.context_path(edit.text or "", os.fspath(self.spec.context))
        self._refuse_ignored(there)
        if self._entry(there) is not None:
            raise ConfigError(f"edit of {path}: cannot be renamed to {there}, which exists already")
        if there.startswith(path + "/"):
            raise ConfigError(f"edit of {path}: cannot be renamed into itself ({there})")
        for parent in reversed(list(_parents(there))):
            if self._entry(parent) is None:
                self.changes[parent] = new_entry(parent, "dir", 0, 0o755)
        moved = [entry, *self._below(path, entry)]
        for item in moved:
            new = there + item.path[len(path) :]
            origin = self.origins.get(item.path, item.path)
            content = self.contents.get(item.path)
            self._drop(item.path)
            self.changes[new] = replace(item, path=new)
            if content is not None:
                self.contents[new] = content
            else:
                self.origins[new] = origin

    def _edit_dockerfile(self, edit: Edit) -> None:
        name = self._dockerfile_name()
        if edit.kind == "dockerfile":
            text = edit.text or ""
        else:
            from ..dockerfile import parse_dockerfile, with_base

            before = self.text if self.text is not None else self.spec.dockerfile.read_bytes()
            dockerfile = parse_dockerfile(
                before.decode("utf-8", errors="replace"), self.spec.dockerfile
            )
            text = with_base(dockerfile, self.spec.target, edit.text or "")
        self.text = text.encode("utf-8", "surrogateescape")
        entry = self._entry(name) if name is not None else None
        if name is not None and entry is not None:
            self._write(name, replace(entry, size=len(self.text)), self.text)

    def _rules(self) -> IgnoreRules:
        """The ignore rules as the edits left them."""
        name = self._dockerfile_name()
        candidates = [f"{name}.dockerignore"] if name is not None else []
        candidates.append(".dockerignore")
        if not any(candidate in self.changes for candidate in candidates):
            return self.tree.ignore
        if name is None and self.tree.ignore.source not in (
            None,
            self.spec.context / ".dockerignore",
        ):
            return self.tree.ignore  # The one beside the Dockerfile counts, which nobody edited.
        for candidate in candidates:
            entry = self._entry(candidate)
            if entry is not None and entry.kind == "file":
                return IgnoreRules.parse(self._content(candidate), self.spec.context / candidate)
        return IgnoreRules()


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
