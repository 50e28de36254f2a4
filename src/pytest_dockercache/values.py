"""Dataclasses whose methods are written when a class is first used.

``dataclasses.dataclass`` compiles six methods for each class, some 0.4 ms: two
thirds of the time that the import of this package took. A run uses about half
of the classes, and most of those while it waits for a builder anyway.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_writing = threading.RLock()

_OF_EVERY_CLASS = frozenset(("__dict__", "__weakref__"))

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """``dataclasses.dataclass``, done when the class is first called or asked for its fields.

        ``options`` are those of ``dataclasses.dataclass`` but for ``slots`` and
        ``weakref_slot``, which make another class: TypeError.
        """
        if not {"slots", "weakref_slot"}.isdisjoint(options):
            raise TypeError("a class with slots is another class: use dataclasses.dataclass")

        def postponed(cls: type) -> type:
            _Unwritten(cls, options)
            return cls

        return postponed if cls is None else postponed(cls)


class _Unwritten:
    """Stands for the fields of a class until somebody asks for them.

    ``dataclasses`` itself asks for the fields of base classes, of a class, and
    of a value, before it does anything with them.
    """

    def __init__(self, cls: type, options: dict[str, Any]) -> None:
        self._cls = cls
        self._options = options
        self._was = dict(vars(cls))
        self._module = sys.modules.get(cls.__module__)
        set_up: Any = cls
        set_up.__init__ = _calling(self.written)
        set_up.__dataclass_fields__ = self

    def __get__(self, value: object, owner: type) -> object:
        return self.written().__dataclass_fields__

    def written(self) -> Any:
        """The class, with its methods."""
        with _writing:
            if vars(self._cls).get("__dataclass_fields__") is self:
                self._write()
        return self._cls

    def _write(self) -> None:
        # The methods are written for a twin that nobody else knows: another thread may be about
        # to call this class, which must have an ``__init__`` at any moment.
        annotated = self._was.get("__annotations__", {})
        own = {
            name: value
            for name, value in self._was.items()
            if name in annotated or (name.startswith("__") and name not in _OF_EVERY_CLASS)
        }
        twin: Any = type(self._cls)(self._cls.__name__, self._cls.__bases__, dict(own))
        with self._module_known():
            dataclasses.dataclass(**self._options)(twin)
        written = {
            name: value
            for name, value in vars(twin).items()
            if name not in _OF_EVERY_CLASS and own.get(name, self) is not value
        }
        for name in own.keys() - vars(twin).keys():
            delattr(self._cls, name)  # a field with a default factory has no value of its own
        # The class has its own methods from the moment when it has this.
        written["__init__"] = written.pop("__init__", twin.__init__)
        for name, value in written.items():
            setattr(self._cls, name, value)

    @contextmanager
    def _module_known(self) -> Iterator[None]:
        """The class's module is among the modules, where ``dataclasses`` looks annotations up.

        Whoever runs pytest in their own process (``pytester``) forgets the modules that such a run
        has imported, while classes of these live on.
        """
        name = self._cls.__module__
        if self._module is None or name in sys.modules:
            yield
            return
        sys.modules[name] = self._module
        try:
            yield
        finally:
            if sys.modules.get(name) is self._module:
                del sys.modules[name]


def _calling(written: Callable[[], Any]) -> Callable[..., None]:
    def call(self: object, *arguments: Any, **named: Any) -> None:
        written().__init__(self, *arguments, **named)

    return call
