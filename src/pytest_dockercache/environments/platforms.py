"""Package managers' names for the platform of an image."""

from __future__ import annotations

from ..dockerfile.platforms import MACHINES

__all__ = ["machine", "subdir"]

_SUBDIRS = {
    "linux/amd64": "linux-64",
    "linux/arm64": "linux-aarch64",
    "linux/ppc64le": "linux-ppc64le",
    "linux/riscv64": "linux-riscv64",
    "linux/s390x": "linux-s390x",
    "linux/386": "linux-32",
}


def subdir(platform: str) -> str:
    """conda's name of a platform as Docker has it: ``linux-64`` for ``linux/amd64``."""
    return _SUBDIRS.get("/".join(platform.split("/")[:2]), platform)


def machine(platform: str) -> str | None:
    """The answer of ``uname -m``; None where it depends on the host's kernel, as on 32 bits."""
    system, _, architecture = platform.partition("/")
    return MACHINES.get(architecture.partition("/")[0]) if system == "linux" else None
