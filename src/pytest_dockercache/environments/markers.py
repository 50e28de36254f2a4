"""Environment markers (PEP 508), evaluated for an image of which little is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from ..values import dataclass
from .installed import Environment
from .platforms import machine

if TYPE_CHECKING:
    from packaging.markers import Marker

__all__ = ["Machine"]

_PATCHES = range(60)
"""Third parts of a Python version that may be there where only the first two are known."""


@dataclass(frozen=True)
class Machine:
    """The values of markers: of the environment's Python and the machine that it runs on.

    ``pythons`` are the versions that its Python may have, empty if nothing is
    known of it; ``values`` are the other values that are known.
    """

    pythons: tuple[str, ...]
    values: Mapping[str, str]

    @classmethod
    def of(cls, environment: Environment, platform: str) -> Machine:
        """The machine of an environment in an image of this platform (``linux/amd64``)."""
        system = platform.partition("/")[0]
        values = {"extra": ""}
        if system == "linux":
            values |= {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
            if known := machine(platform):
                values["platform_machine"] = known
        pypy = any(name.startswith("pypy") for name in environment.interpreters)
        values["implementation_name"] = "pypy" if pypy else "cpython"
        values["platform_python_implementation"] = "PyPy" if pypy else "CPython"
        if environment.python:
            return cls((environment.python,), values)
        series = {re.sub(r"^[a-z]+", "", name) for name in environment.interpreters}
        known = series.pop() if len(series) == 1 else ""
        if "." not in known:
            return cls((), values)
        return cls(tuple(f"{known}.{patch}" for patch in _PATCHES), values)

    def fulfils(self, marker: Marker | None) -> bool | None:
        """Whether a requirement with this marker applies; None where that is not known."""
        from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
        from packaging.version import InvalidVersion

        if marker is None:
            return True
        found = set()
        for values in self._worlds(str(marker)):
            try:
                found.add(bool(marker.evaluate(dict(values))))
            except InvalidVersion:
                # packaging before 26.0 compares only versions, and fails at a platform_release such
                # as "win32", which no Linux machine has.
                continue
            except (UndefinedComparison, UndefinedEnvironmentName):
                return None
        return found.pop() if len(found) == 1 else None

    def _worlds(self, marker: str) -> Iterator[Mapping[str, str]]:
        """Every set of values that may be so, as far as this marker can tell them apart."""
        literals = re.findall(r"'([^']*)'|\"([^\"]*)\"", marker)
        anything = ["0", "999999", *(one or other for one, other in literals)]
        free = [name for name in _FREE if name not in self.values and name in marker]
        given = dict.fromkeys(_FREE, "0") | dict(self.values)
        versions = self.pythons or _PYTHONS
        if "python_full_version" not in marker and "implementation_version" not in marker:
            versions = tuple({_series(version): version for version in versions}.values())
        pythons = [_python_values(version) for version in versions]
        for python, *values in product(pythons, *([anything] * len(free))):
            world = {**given, **python, **dict(zip(free, values, strict=True))}
            if world["implementation_name"] == "cpython":
                world["implementation_version"] = world["python_full_version"]
            yield world


_FREE = (
    "implementation_version", "platform_machine", "platform_release", "platform_version",
    "os_name", "sys_platform", "platform_system",
)  # fmt: skip

_PYTHONS = ("2.7.18", *(f"3.{minor}.{patch}" for minor in range(4, 30) for patch in (0, 1, 59)))
"""The versions that an unknown Python may have."""


def _python_values(version: str) -> Mapping[str, str]:
    return {"python_full_version": version, "python_version": _series(version)}


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])
