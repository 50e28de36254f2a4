"""Regular expressions that are compiled when they are first used.

A run uses some of the expressions of the modules that it imports: compiling
all of them took a third of the time that the import took.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["regex"]


def regex(pattern: AnyStr, flags: int | re.RegexFlag = 0) -> re.Pattern[AnyStr]:
    """The pattern of ``re.compile(pattern, flags)``, compiled at its first use.

    An error in the pattern shows at its first use too: for the constants of
    modules only, whose tests use them. Only attributes and methods of a
    compiled pattern may be asked for; the functions of ``re`` do not take it.
    """
    return cast("re.Pattern[AnyStr]", _Regex(pattern, flags))


class _Regex:
    """Stands for a compiled pattern; each method, once asked for, is the pattern's own."""

    def __init__(self, pattern: Any, flags: int | re.RegexFlag) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(re.compile(self.pattern, self._flags), name)
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return f"regex({self.pattern!r})"
