"""Where the Python of a prefix looks for packages, as far as the layers of an image show it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..image.replay import View
from ..regexes import regex
from ..values import dataclass

__all__ = ["Interpreter", "interpreter"]


@dataclass(frozen=True)
class Interpreter:
    """The Python of a prefix.

    ``version`` is ``3.10.4`` or ``3.10``, None if it is not known. ``sites`` are the absolute
    directories that this Python searches for packages, in its order; ``inherited`` those of the
    Python from which a venv with the system's packages was made. ``names`` are the names of this
    Python's own directories in ``lib`` (``python3.10``, ``pypy3.10``).
    """

    version: str | None
    sites: tuple[str, ...]
    inherited: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


_LIBRARY = regex(r"(python|pypy)(\d+(?:\.\d+)?)(t?)")
"""``lib/python3.10``, ``lib/python3.13t`` of a free-threaded one, Debian's ``lib/python3``."""


def interpreter(view: View, prefix: str, recorded: str | None = None) -> Interpreter:
    """The Python of a prefix; ``recorded`` is the version that conda has a record of.

    A venv says its version in ``pyvenv.cfg``; any other prefix shows it by the
    names in ``bin``. Where nothing says it, every directory of ``lib`` counts.
    """
    root = "/" + prefix.strip("/")
    settings = _venv(view, root)
    version = recorded or settings.get("version") or _version_in_bin(view, root)
    sites, names = _sites(view, root, version)
    inherited: tuple[str, ...] = ()
    home = settings.get("home", "")
    if settings.get("include-system-site-packages", "").lower() == "true" and home:
        parent = re.sub(r"/bin/?$", "", home) or "/"
        if parent != root:
            above = interpreter(view, parent, version)
            inherited = (*above.sites, *above.inherited)
    return Interpreter(version, sites, inherited, names)


def _venv(view: View, root: str) -> Mapping[str, str]:
    """The values of ``pyvenv.cfg``, with ``version`` reduced to three numbers."""
    found = view.get(f"{root}/pyvenv.cfg")
    if found is None:
        return {}
    text = view.layers[found.layer].kept.get(found.entry.path, b"").decode("utf-8", "replace")
    fields = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            fields[name.strip().lower()] = value.strip()
    # venv: version; uv: version_info; virtualenv: version_info = 3.11.2.final.0
    written = fields.pop("version", "") if "version_info" not in fields else fields["version_info"]
    if number := re.match(r"\d+\.\d+(\.\d+)?", written):
        fields["version"] = number[0]
    return fields


def _version_in_bin(view: View, root: str) -> str | None:
    """The version in the name of the one ``python3.10`` in ``bin``; None if there are several."""
    names = (name.decode("utf-8", "replace") for name in view.names(f"{root}/bin"))
    found = {
        match[1] for name in names if (match := re.fullmatch(r"(?:python|pypy)(\d\.\d+)t?", name))
    }
    if len(found) > 1:
        # The link "python" decides between several versions.
        there = view.resolve(f"{root}/bin/python") or view.resolve(f"{root}/bin/python3")
        if there is not None and (match := re.search(r"/(?:python|pypy)(\d\.\d+)t?$", there.name)):
            return match[1]
    return found.pop() if len(found) == 1 else None


def series(version: str) -> str:
    """The first two numbers of a version: the part that names its directory."""
    return ".".join(version.split(".")[:2])


def _sites(view: View, root: str, version: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The directories in which a prefix's Python searches, and their names below ``lib``."""
    kinds = ["dist-packages", "site-packages"]
    found: list[str] = []
    if root == "/usr" and version is not None:
        # Debian's and Fedora's Python also search the administrator's directories in /usr/local.
        debian = view.get("/usr/lib/python3/dist-packages") is not None
        taken = _version_in_bin(view, "/usr/local") == series(version)
        for directory, _ in _libraries(view, "/usr/local", version):
            found += [f"{directory}/{kind}" for kind in kinds[: 1 if debian or taken else 2]]
    if root == "/usr/local" and version is not None:
        kinds = ["site-packages"]  # dist-packages are Debian's
    names: list[str] = []
    for directory, name in _libraries(view, root, version):
        there = [f"{directory}/{kind}" for kind in kinds if view.names(f"{directory}/{kind}")]
        found += there
        names += [name] if there else []
    exact = [name for name in names if "." in name]
    if version is not None and not exact:
        exact = [f"python{series(version)}"]
    there = [site for site in dict.fromkeys(found) if view.names(site)]
    return tuple(there), tuple(dict.fromkeys(exact or names))


def _libraries(view: View, root: str, version: str | None) -> Iterator[tuple[str, str]]:
    """The directories of ``lib`` that are of this version, and their names."""
    for lib in ("lib", "lib64"):
        # Fedora's pip puts compiled packages into lib64. A venv's lib64 is a link, not followed.
        for raw in view.names(f"{root.rstrip('/')}/{lib}"):
            name = raw.decode("utf-8", "replace")
            match = _LIBRARY.fullmatch(name)
            if match is None:
                continue
            if version is None or match[2] in (series(version), version.split(".")[0]):
                yield f"{root.rstrip('/')}/{lib}/{name}", name
