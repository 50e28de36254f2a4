"""The buildx plugin of the docker command: where and which it is, and its environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Plugin", "PluginQuestion", "build_environment", "find_plugin", "supported"]

_MINIMUM = (0, 13)
"""The first buildx that writes ``--progress=rawjson``."""

_DROPPED = (
    "BUILDKIT_PROGRESS",
    "BUILDKIT_COLORS",
    "BUILDX_BUILDER",  # resolved by us and passed as --builder
    "BUILDX_EXPERIMENTAL",  # puts a controller between us and the build
    "BUILDX_GIT_CHECK_DIRTY",
    "BUILDX_GIT_LABELS",  # would write labels that are not ours
    "BUILDX_METADATA_WARNINGS",
    "BUILDX_NO_DEFAULT_OUTPUT",
    "BUILDX_CPU_PROFILE",
    "BUILDX_MEM_PROFILE",
    "DOCKER_BUILDKIT",
    "DOCKER_CLI_HINTS",
)
"""Variables of the user's that change what buildx prints, loads or labels.

Everything else stays, above all what decides where and what is built as in
the user's own ``docker build``: DOCKER_* (endpoint, configuration, default
platform), BUILDX_CONFIG, SOURCE_DATE_EPOCH, SSH_AUTH_SOCK and proxies.
"""


@dataclass(frozen=True)
class Plugin:
    """The plugin that answers: its version, and the command that its arguments follow."""

    version: str
    command: tuple[str, ...] = ("docker", "buildx")


def find_plugin() -> Plugin | None:
    """The buildx plugin that the docker command uses, None if either is missing.

    Run by itself, as its makers provide for (docker/buildx cmd/buildx/main.go,
    runStandalone), it does what it does behind the
    docker command, without a twentieth of a second that it takes to get there.
    """
    docker = shutil.which("docker")
    if docker is None:
        return None
    version, _, path = (_said(docker, "info", "--format", _PLUGIN) or "").partition(" ")
    if _version_in(version) and os.path.isabs(path) and os.access(path, os.X_OK):
        return Plugin(_version_in(version), (path,))
    version = _version_in(_said(docker, "buildx", "version") or "")
    return Plugin(version) if version else None


_PLUGIN = (
    '{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Version}} {{.Path}}{{end}}{{end}}'
)


def _version_in(text: str) -> str:
    found = re.search(r"\bv?(\d+\.\d+\.\d+[^+\s]*)", text)
    return found[1] if found else ""


def _said(*command: str) -> str | None:
    try:
        said = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            env=build_environment(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None


def supported(version: str) -> bool:
    """Whether this buildx writes the progress that we read."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= _MINIMUM


def build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for the docker command: the user's own, less what changes a verdict."""
    kept = {name: value for name, value in environment.items() if name not in _DROPPED}
    kept["BUILDX_METADATA_PROVENANCE"] = "max"
    # Attestations would turn the image of an engine with the containerd store
    # into an index whose ID differs at every build; the provenance for the
    # metadata file is made either way.
    kept["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    # Only feeds the provenance, and runs git over the context at every build.
    kept["BUILDX_GIT_INFO"] = "false"
    return kept


class PluginQuestion:
    """:func:`find_plugin`, asked in the background."""

    def __init__(self) -> None:
        self._plugin: Plugin | None = None
        self._thread = threading.Thread(target=self._ask, name="buildx plugin", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        self._plugin = find_plugin()

    def answer(self) -> Plugin | None:
        """The plugin, None if the docker command has none."""
        self._thread.join()
        return self._plugin
