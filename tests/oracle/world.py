"""The parts of generated cases: a project, its build arguments, and one edit."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_dockercache.model import BuildSpec, Edit

__all__ = ["Case", "File", "write"]


@dataclass(frozen=True)
class File:
    """One context entry: a file, a directory (``content`` None), or a link (``link``)."""

    content: str | None = ""
    mode: int = 0o644
    link: str | None = None
    archive: bool = False


@dataclass(frozen=True)
class Case:
    """One project, the way it is built, and the changes before the second build.

    ``kind`` says what sort of edit it is, ``about`` which instruction or path
    it changes: the rows and columns of the table of agreement.
    """

    dockerfile: str
    files: Mapping[str, File] = field(default_factory=dict)
    ignore: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    edits: tuple[Edit, ...] = ()
    kind: str = ""

    def shown(self) -> str:
        """The case as text, to be read and to be typed in again."""
        lines = ["--- Dockerfile", self.dockerfile.rstrip("\n")]
        if self.ignore is not None:
            lines += ["--- .dockerignore", self.ignore.rstrip("\n")]
        lines.append("--- context")
        for path, file in self.files.items():
            if file.link is not None:
                lines.append(f"{path} -> {file.link}")
            elif file.content is None:
                lines.append(f"{path}/ {file.mode:04o}")
            else:
                lines.append(f"{path} {file.mode:04o} {file.content!r}")
        if self.build_args or self.target:
            lines.append(f"--- build arguments {dict(self.build_args)} target {self.target}")
        lines.append("--- edits")
        for edit in self.edits:
            if edit.kind == "dockerfile":
                lines += ["Dockerfile becomes", (edit.text or "").rstrip("\n")]
            else:
                lines.append(repr(edit))
        return "\n".join(lines)


def write(case: Case, folder: Path, nonce: str) -> BuildSpec:
    """Put a case on disk, with ``nonce`` in the file that its Dockerfile copies first."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"nonce": File(nonce), **case.files}
    if case.ignore is not None:
        files[".dockerignore"] = File(case.ignore)
    files["Dockerfile"] = File(case.dockerfile)
    for path, file in files.items():
        full = folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        if file.link is not None:
            full.symlink_to(file.link)
        elif file.content is None:
            full.mkdir(exist_ok=True)
        elif file.archive:
            full.write_bytes(_archive(file.content))
        else:
            full.write_text(file.content)
    for path, file in sorted(files.items(), reverse=True):
        full = folder / path
        if file.link is None:
            full.chmod(file.mode)
    for parent, directories, _ in os.walk(folder):
        for name in directories:
            directory = Path(parent, name)
            relative = directory.relative_to(folder).as_posix()
            if relative not in files and not directory.is_symlink():
                directory.chmod(0o755)
    return BuildSpec(
        dockerfile=folder / "Dockerfile",
        context=folder,
        target=case.target,
        build_args=case.build_args,
    )


def _archive(content: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        entry = tarfile.TarInfo("packed.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content.encode()))
    return stream.getvalue()


def with_edit(case: Case, kind: str, *edits: Edit) -> Case:
    """The case with another edit."""
    return replace(case, kind=kind, edits=edits)
