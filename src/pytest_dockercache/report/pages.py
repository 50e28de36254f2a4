"""Where the documentation of a check is read: every report leads its failures there."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HOLDS", "HOME", "page_of"]

HOME = "https://github.com/pytest-dockercache/pytest-dockercache"
"""The project's address, as ``[project.urls]`` of ``pyproject.toml`` has it."""


def page_of(check: str) -> str:
    """The address of a check's page; ``check`` is its ID."""
    return f"{HOME}/blob/main/docs/checks/{check}.md"


HOLDS: Mapping[str, str] = {
    "builds": "the image builds",
    "env-layer-cached": "after an edit of any source file every environment step is a hit",
    "env-change-rebuilds": "after an edit of an environment file every environment step that "
    "can read it is a miss",
    "build-args-late": "after changing a build argument that no environment step uses, every "
    "environment step is a hit",
    "dockerignore-effective": "changes in .git/, .pytest_cache/ and __pycache__/ leave every "
    "step a hit",
    "no-package-caches": "the image holds no package caches",
    "no-bytecode": "the image holds no .pyc files",
    "no-hidden-bytes": "later layers delete or replace few bytes of earlier ones",
    "python-version": "the Python of the image is the pinned version",
    "environment-matches": "the packages in the image are those that the environment file or "
    "the lock asks for",
    "environment-same": "the environment is that of another image",
    "image-size": "the image is within its budget",
    "rebuild-saving": "a source edit avoids a share of the cold build",
    "reshipped-bytes": "a source edit makes few bytes of layers anew",
    "env-layer-reused": "a build that ran elsewhere reused the environment, as its log tells",
    "cache-from": "a builder that has nothing reuses the environment from the imported cache",
}
"""When each check holds, by its ID, in a sentence."""
