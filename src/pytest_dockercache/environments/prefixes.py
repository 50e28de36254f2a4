"""The environments of an image, found by name, by prefix, or as the one in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import Unverifiable
from ..image.index import display
from ..image.replay import View
from ..regexes import regex

__all__ = ["every_prefix", "find_prefix", "on_path", "prefixes", "program_prefix"]


def prefixes(view: View) -> tuple[str, ...]:
    """The conda environments of an image: every directory with ``conda-meta`` records, sorted."""
    found = set()
    for path, _ in view.codes():
        if path.endswith(b".json"):
            directory, _, _ = path.rpartition(b"/")
            prefix, _, name = directory.rpartition(b"/")
            if name == b"conda-meta":
                found.add(display(prefix))
    return tuple(sorted(found))


def _python_prefixes(view: View) -> tuple[str, ...]:
    """Prefixes whose ``site-packages`` or ``dist-packages`` hold distributions.

    Not the packages that lie extracted in conda's cache.
    """
    found = set()
    for path, _ in view.codes():
        if path.endswith(
            (b".dist-info/METADATA", b"-info/PKG-INFO", b"-INFO/PKG-INFO", b".egg-info")
        ):
            match = _SITE.fullmatch(path)
            if match and not match["prefix"].rpartition(b"/")[0].endswith(b"/pkgs"):
                found.add(display(match["prefix"]))
    return tuple(sorted(found))


def find_prefix(view: View, name: str | None, env: Mapping[str, str]) -> str:
    """The prefix of an environment by name or absolute path; without either, the one in use.

    The environment in use is the one that the image's ``CONDA_PREFIX`` or ``CONDA_DEFAULT_ENV``
    names, else the first environment whose ``bin`` is on ``PATH``, base included, else the only one
    besides base. Raises Unverifiable, with the names of all environments, if none fits.
    """
    found = prefixes(view)
    roots = [prefix for prefix in found if not _is_named(prefix)]
    if name is not None and name.startswith("/"):
        wanted = "/" + name.strip("/")
        if wanted in found or wanted in _python_prefixes(view):
            return wanted
    elif name in ("base", "root"):
        if base := _base(view, roots, env):
            return base
    elif name is not None:
        fitting = [prefix for prefix in found if prefix.endswith(f"/envs/{name}")]
        if len(fitting) == 1:
            return fitting[0]
    else:
        return _prefix_in_use(view, found, roots, env)
    names = ", ".join(_short(prefix) for prefix in found) or "none"
    raise Unverifiable(f"the image has no environment {name}; it has: {names}")


def every_prefix(view: View) -> tuple[str, ...]:
    """The prefixes of all environments: conda's, and those that hold Python distributions."""
    return tuple(sorted({*prefixes(view), *_python_prefixes(view)}))


def _base(view: View, roots: Sequence[str], env: Mapping[str, str]) -> str | None:
    """The root that conda runs from: only there are ``condabin`` and the named environments."""
    running = [root for root in roots if f"{root}/condabin" in view or f"{root}/envs" in view]
    candidates = running or list(roots)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    first = next((prefix for prefix in on_path(env) if prefix in candidates), None)
    if first is not None:
        return first
    raise Unverifiable(f"which environment is base cannot be told: {', '.join(candidates)}")


def on_path(env: Mapping[str, str]) -> list[str]:
    """The prefixes whose ``bin`` directory is on PATH, in its order."""
    directories = (directory.rstrip("/") for directory in env.get("PATH", "").split(":"))
    return [directory.removesuffix("/bin") for directory in directories if directory]


def program_prefix(view: View, env: Mapping[str, str], *names: str) -> str | None:
    """The prefix of the first directory on PATH that has a program of one of these names.

    None if no directory has the program, or the first that has it is no ``bin``.
    """
    for directory in env.get("PATH", "").split(":"):
        for name in names if directory else ():
            found = view.resolve(f"{directory}/{name}")
            if found is None:
                continue
            prefix, _, last = ("/" + directory.strip("/")).rpartition("/")
            if f"{prefix}/pyvenv.cfg" not in view:
                # A link out of a directory of programs leads to where the program lives.
                prefix, _, last = found.name.rpartition("/")[0].rpartition("/")
            return (prefix or "/") if last == "bin" else None
    return None


def _prefix_in_use(
    view: View, found: Sequence[str], roots: Sequence[str], env: Mapping[str, str]
) -> str:
    default = env.get("CONDA_DEFAULT_ENV", "")
    if (prefix := env.get("CONDA_PREFIX", "").rstrip("/")) in found:
        return prefix
    if default:
        return find_prefix(view, default, {"PATH": env.get("PATH", "")})
    python = _python_prefixes(view)
    for prefix in on_path(env):
        if prefix in found or (prefix in python and f"{prefix}/pyvenv.cfg" in view):
            return prefix
    named = [prefix for prefix in found if _is_named(prefix)]
    candidates = named or list(roots) or list(python)
    if len(candidates) == 1:
        return candidates[0]
    first = program_prefix(view, env, "python", "python3")
    if not found and first is not None and (first in python or candidates):
        return first
    if not candidates:
        raise Unverifiable("the image has no conda environment and no Python distributions")
    names = ", ".join(map(_short, candidates))
    raise Unverifiable(f"the image has several environments: {names}; name one")


def _is_named(prefix: str) -> bool:
    return prefix.rpartition("/")[0].endswith("/envs")


def _short(prefix: str) -> str:
    return prefix.rpartition("/")[2] if _is_named(prefix) else prefix


_SITE = regex(
    rb"(?P<prefix>.*?)/?\blib(?:64)?/(?:python[0-9.]+t?|pypy[0-9.]+)/(?:site|dist)-packages/"
    rb"[^/]+\.(?:dist-info/METADATA|egg-info(?:/PKG-INFO)?|egg/EGG-INFO/PKG-INFO)"
)
