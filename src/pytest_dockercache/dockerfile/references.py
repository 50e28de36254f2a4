"""Names of images as Docker reads them, and the named contexts that take their places."""

from __future__ import annotations

from .syntax import Dockerfile

__all__ = ["canonical_image", "named_context"]


def canonical_image(name: str) -> str:
    """``docker.io/library/debian:latest`` for ``debian``, as Docker reads a reference."""
    remainder, at, digest = name.partition("@")
    first, slash, _ = remainder.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost"):
        remainder = f"docker.io/{remainder if slash else f'library/{remainder}'}"
    if ":" not in remainder.rpartition("/")[2] and not at:
        remainder += ":latest"
    return f"{remainder}{at}{digest}"


def named_context(dockerfile: Dockerfile, origin: str) -> str | None:
    """The first part of the paths of a named context, "" if it is no directory.

    None if ``origin``, the name in a FROM or a ``--from``, is no named context. Names are compared
    as references of images: a context ``debian:12`` takes the place of
    ``docker.io/library/debian:12`` (BuildKit's ``dockerui``).
    """
    if not dockerfile.contexts:
        return None
    wanted = canonical_image(origin)
    for name, top in dockerfile.contexts:
        if canonical_image(name) == wanted:
            return top
    return None
