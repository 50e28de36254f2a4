"""Which packages an image holds, read from conda's and pip's own records in the layers.

Indexing kept what these small files say (see :mod:`.sifting`), so that the
question is answered without reading the image again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import Unverifiable
from ..image.index import OPAQUE, Kind, display
from ..image.replay import View, split_code
from ..image.sifting import KEEP_SUFFIXES, keeps

__all__ = [
    "Environment",
    "Package",
    "environment",
    "every_prefix",
    "find_prefix",
    "normalised",
    "prefixes",
]


@dataclass(frozen=True)
class Package:
    """One installed package.

    ``manager`` is ``conda`` for a package that a ``conda-meta`` record names,
    ``pip`` for a distribution that no such record owns. ``name`` is conda's
    own name, or the normalised one of PEP 503; ``build`` and ``channel`` are
    "" for pip; ``url`` is where it came from, as far as that was recorded;
    ``digests`` are such as ``md5:…`` and ``sha256:…`` of its archive.
    """

    name: str
    version: str
    build: str = ""
    channel: str = ""
    manager: Literal["conda", "pip"] = "conda"
    url: str = ""
    digests: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.name}={self.version}" if self.manager == "conda" else ""
        if text:
            return f"{text}={self.build}" if self.build else text
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Environment:
    """What is installed below one prefix of the final image.

    ``prefix`` is absolute; ``distributions`` maps the normalised name of every
    Python distribution to its version, those that conda installed included.
    ``unread`` names records that are there and cannot be used: what they
    would say is not known. ``interpreters`` are the directories of ``lib``
    that hold distributions (``python3.10``, ``pypy3.10``; Debian's
    ``python3`` tells no version).
    """

    prefix: str
    packages: tuple[Package, ...]
    distributions: Mapping[str, str]
    unread: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()

    def get(self, name: str, manager: str = "conda") -> Package | None:
        """The package of this name, None if it is not installed."""
        for package in self.packages:
            if package.name == name and package.manager == manager:
                return package
        return None

    @property
    def python(self) -> str | None:
        """The version of conda's ``python`` package, None if there is none."""
        found = self.get("python")
        return found.version if found else None


def normalised(name: str) -> str:
    """The name of a Python distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
        if path.endswith((b".dist-info/METADATA", b".egg-info/PKG-INFO")):
            match = _SITE.fullmatch(path)
            if match and not match["prefix"].rpartition(b"/")[0].endswith(b"/pkgs"):
                found.add(display(match["prefix"]))
    return tuple(sorted(found))


def find_prefix(view: View, name: str | None, env: Mapping[str, str]) -> str:
    """The prefix of an environment by name or absolute path; without either, the one in use.

    In use is what the image's ``CONDA_PREFIX`` or ``CONDA_DEFAULT_ENV`` says,
    else the first environment whose ``bin`` is on ``PATH``, base included,
    else the only one besides base. Raises Unverifiable, naming the
    environments there are.
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
    on_path = [prefix for prefix in _on_path(env) if prefix in candidates]
    if on_path:
        return on_path[0]
    raise Unverifiable(f"which environment is base cannot be told: {', '.join(candidates)}")


def _on_path(env: Mapping[str, str]) -> list[str]:
    """The prefixes whose ``bin`` directory is on PATH, in its order."""
    directories = (directory.rstrip("/") for directory in env.get("PATH", "").split(":"))
    return [directory.removesuffix("/bin") for directory in directories if directory]


def _prefix_in_use(
    view: View, found: Sequence[str], roots: Sequence[str], env: Mapping[str, str]
) -> str:
    default = env.get("CONDA_DEFAULT_ENV", "")
    if (prefix := env.get("CONDA_PREFIX", "").rstrip("/")) in found:
        return prefix
    if default:
        return find_prefix(view, default, {"PATH": env.get("PATH", "")})
    python = _python_prefixes(view)
    for prefix in _on_path(env):
        if prefix in found or (prefix in python and f"{prefix}/pyvenv.cfg" in view):
            return prefix
    named = [prefix for prefix in found if _is_named(prefix)]
    candidates = named or list(roots) or list(python)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise Unverifiable("the image has no conda environment and no Python distributions")
    names = ", ".join(map(_short, candidates))
    raise Unverifiable(f"the image has several environments: {names}; name one")


def _is_named(prefix: str) -> bool:
    return prefix.rpartition("/")[0].endswith("/envs")


def _short(prefix: str) -> str:
    return prefix.rpartition("/")[2] if _is_named(prefix) else prefix


def environment(view: View, prefix: str) -> Environment:
    """The packages below a prefix of the final image (see :func:`find_prefix`).

    Read from ``conda-meta/*.json`` and from the metadata of distributions
    (``*.dist-info``, ``*.egg-info``) in the prefix's ``site-packages``. No
    container runs.
    """
    root = prefix.strip("/").encode("utf-8", "surrogateescape")
    below = root + b"/" if root else b""
    packages: list[Package] = []
    unread: list[str] = []
    owned: set[bytes] = set()
    for path, content in _records(view, below + b"conda-meta"):
        if not path.endswith(b".json") or path.count(b"/") != below.count(b"/") + 1:
            continue
        record = json.loads(content) if content else None
        if not record or not isinstance(record.get("version"), str):
            unread.append(display(path))
            continue
        packages.append(_conda_package(record))
        owned.update(
            below + name.encode("utf-8", "surrogateescape") for name in record.get("owns", ())
        )
    distributions: dict[str, str] = {}
    interpreters: set[str] = set()
    # Fedora's pip puts what is compiled into lib64. A venv's lib64 is a link and not followed.
    records = [*_records(view, below + b"lib"), *_records(view, below + b"lib64")]
    urls = {
        path.rpartition(b"/")[0]: content
        for path, content in records
        if path.endswith(b"/direct_url.json")
    }
    for path, content in records:
        found = _SITE.fullmatch(path)
        if found is None or display(found["prefix"]) != ("/" + prefix.strip("/")):
            continue
        directory = path.rpartition(b"/")[0] if found["file"] or found["egg"] else path
        fields = _headers(content)
        name, version = fields.get("name"), fields.get("version")
        if not name or not version:
            unread.append(display(path))
            continue
        distributions[normalised(name)] = version
        interpreters.add(display(found["interpreter"]).lstrip("/"))
        if directory not in owned:
            url = json.loads(urls.get(directory) or b"{}")
            packages.append(
                Package(
                    normalised(name),
                    version,
                    manager="pip",
                    url=str(url.get("url", "")) if isinstance(url, dict) else "",
                )
            )
    ordered = sorted(packages, key=lambda package: (package.manager, package.name))
    return Environment(
        "/" + prefix.strip("/"),
        tuple(ordered),
        distributions,
        tuple(unread),
        tuple(sorted(interpreters)),
    )


_SITE = re.compile(
    rb"(?P<prefix>.*?)/?\blib(?:64)?/(?P<interpreter>python[0-9.]+|pypy[0-9.]+)/(?:site|dist)-packages/"
    rb"[^/]+\.(?:dist-info(?P<file>/METADATA)|egg-info(?P<egg>/PKG-INFO)?)"
)


def _records(view: View, directory: bytes) -> Iterator[tuple[bytes, bytes]]:
    for path, code in view.codes(directory):
        if path.endswith(KEEP_SUFFIXES):
            number, position = split_code(code)
            layer = view.layers[number]
            if layer.kinds[position] & ~OPAQUE != Kind.DIRECTORY and keeps(path, 0):
                yield path, layer.kept.get(path, b"")


def _headers(content: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _conda_package(record: Mapping[str, Any]) -> Package:
    channel = str(record.get("channel") or "")
    digests = tuple(f"{kind}:{record[kind]}" for kind in ("md5", "sha256") if record.get(kind))
    return Package(
        name=str(record["name"]).lower(),
        version=str(record["version"]),
        build=str(record.get("build") or record.get("build_string") or ""),
        channel=channel,
        url=str(record.get("url") or ""),
        digests=digests,
    )
