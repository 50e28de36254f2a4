"""Platforms as builders write them, and what the machines call themselves."""

from __future__ import annotations

import platform as this_machine
from collections.abc import Mapping

__all__ = ["MACHINES", "default_platform", "normal_platform", "platform_arguments"]

MACHINES: Mapping[str, str] = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
"""The output of ``uname -m`` on each 64-bit architecture, by Docker's name of the architecture."""

_ARCHITECTURES = {
    **{machine: architecture for architecture, machine in MACHINES.items()},
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i386": "386",
    "i686": "386",
}


def default_platform() -> str:
    """The platform of this machine as builders write it, for example ``linux/amd64``."""
    machine = this_machine.machine().lower()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


_OTHER_NAMES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "arm64/v8": "arm64",
    "aarch64/v8": "arm64",
    "amd64/v1": "amd64",
    "x86_64/v1": "amd64",
    "i386": "386",
    "arm": "arm/v7",
    "armhf": "arm/v7",
    "armel": "arm/v6",
}
"""The names of architectures, with variants, that mean another (containerd ``platforms``)."""


def normal_platform(platform: str) -> str:
    """A platform as builders list it: ``linux/amd64`` for ``x86_64``, this machine's for local."""
    if platform == "local":
        return default_platform()
    system, slash, architecture = platform.lower().partition("/")
    if not slash:
        # A word alone is an architecture, or a system.
        if system in ("linux", "windows", "darwin", "freebsd"):
            return f"{system}/{default_platform().partition('/')[2]}"
        system, architecture = "linux", system
    return f"{system}/{_OTHER_NAMES.get(architecture, architecture)}"


def platform_arguments(platform: str | None, target: str | None) -> dict[str, str]:
    """BuildKit's predefined arguments, for FROM, and for stages that declare them.

    ``platform`` is the requested platform, None for this machine's.
    """
    build = default_platform()
    arguments: dict[str, str] = {}
    for prefix, value in (("BUILD", build), ("TARGET", normal_platform(platform or build))):
        system, _, rest = value.partition("/")
        architecture, _, variant = rest.partition("/")
        arguments[f"{prefix}PLATFORM"] = value
        arguments[f"{prefix}OS"] = system
        arguments[f"{prefix}ARCH"] = architecture
        arguments[f"{prefix}VARIANT"] = variant
    arguments["TARGETSTAGE"] = target or "default"
    return arguments
