"""Managers of other languages: known by name, so that their installs are seen and not judged."""

from __future__ import annotations

import re

from .table import Tool, known_layouts

__all__ = ["TOOLS"]


def _tool(
    name: str,
    programs: str,
    installs: str,
    manifests: str = r"(?!)",
) -> Tool:
    return Tool(
        name=name,
        programs=re.compile(programs),
        installs=frozenset(installs.split(" ")),
        manifests=re.compile(manifests),
        caches=known_layouts(name),
    )


TOOLS = (
    _tool("npm", "npm", "ci clean-install install i add update", r"package\.json|\.npmrc"),
    _tool("yarn", "yarn(pkg)?|berry", " install add", r"\.yarnrc(\.yml)?"),
    _tool("pnpm", "pnpm", "install i add fetch", r"pnpm-workspace\.yaml"),
    _tool("bun", "bun", "install i add ci"),
    _tool("go", "go", "get install download build", r"go\.(mod|sum)"),
    _tool("cargo", "cargo", "fetch build install add chef", r"cargo\.toml"),
    _tool("bundler", "bundler?|gem", " install update", r"gemfile"),
    _tool("composer", r"composer(\.phar)?", "install update require", r"composer\.json"),
    _tool("conan", "conan", "install", r"conanfile\.(py|txt)"),
    _tool("vcpkg", "vcpkg", "install", r"vcpkg\.json"),
    _tool("maven", r"mvnw?", "install package dependency:go-offline dependency:resolve"),
    _tool("gradle", r"gradlew?", "build assemble dependencies"),
    _tool("dotnet", "dotnet|nuget", "restore build publish", r".*\.csproj|nuget\.config"),
    _tool("apt", r"apt|apt-get|aptitude", "install upgrade dist-upgrade full-upgrade build-dep"),
    _tool("apk", "apk", "add upgrade"),
    _tool("dnf", r"dnf|microdnf|yum|zypper|tdnf", "install in update upgrade groupinstall"),
    _tool("brew", "brew", "install bundle"),
    _tool("pacman", "pacman", "-S -Sy -Syu -Syyu"),
    _tool("tox", "tox|nox", " run r devenv"),
)
