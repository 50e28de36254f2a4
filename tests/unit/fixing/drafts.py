"""Small projects whose Dockerfile is to be mended, told in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_dockercache.cache import BUILDKIT, Snapshot
from pytest_dockercache.fixing.reinstalling import Rewriting, reordered
from pytest_dockercache.fixing.site import Site
from pytest_dockercache.model import BuildSpec, Edit


def site_of(
    directory: Path, dockerfile: str, files: Mapping[str, str], env_step: str | None = None
) -> Site:
    """A project on disk with this Dockerfile and these files."""
    for path, text in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    (directory / "Dockerfile").write_text(dockerfile)
    (directory / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    spec = BuildSpec(directory / "Dockerfile", directory)
    return Site(Snapshot.read(spec), spec, dockerfile, env_step)


def mended(
    directory: Path,
    dockerfile: str,
    files: Mapping[str, str],
    edit: str | Edit = "src/main.py",
    *more: str | Edit,
    env_step: str | None = None,
) -> Rewriting:
    """The fix after which these edits reinstall nothing (a text is a file's path)."""
    edits = [Edit.append(item) if isinstance(item, str) else item for item in (edit, *more)]
    return reordered(site_of(directory, dockerfile, files, env_step), edits, BUILDKIT)
