"""An image as a test sees it: what it holds, what it runs, and the checks as assertions."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from ..engines import Execution
from ..image import Found, ImageConfig, LayerIndex
from ..rebuild import Subject
from ..runs import RUN_LABEL
from . import bytecode, hidden_bytes, package_caches, python_version
from .contents import Contents, contents_of

__all__ = ["Image"]


class Image:
    """One built image. ``id`` is its ID in the daemon."""

    def __init__(self, subject: Subject, image: str) -> None:
        self._subject = subject
        self.id = image

    def __repr__(self) -> str:
        return f"Image({self.id!r})"

    @cached_property
    def contents(self) -> Contents:
        """The layers and their Dockerfile lines. Raises Unverifiable."""
        return contents_of(self._subject, self.id)

    @property
    def layers(self) -> tuple[LayerIndex, ...]:
        """What each layer holds, the lowest first."""
        return self.contents.layers.layers

    @property
    def config(self) -> ImageConfig:
        """The image's configuration: environment, command, entry point, exposed ports."""
        return self.contents.layers.config

    def files(self, pattern: str = "*") -> Iterator[Found]:
        """The files of the final image whose absolute path matches a shell pattern."""
        for found in self.contents.layers.view.files():
            if fnmatch.fnmatchcase(found.name, pattern):
                yield found

    def run(
        self,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] | None = None,
        timeout: float = 60.0,
    ) -> Execution:
        """Run a command in a container: no network, labelled as ours, removed afterwards.

        ``timeout`` is in seconds.
        """
        labels: Mapping[str, str] = {RUN_LABEL: self._subject.run.id}
        return self._subject.engine.run(
            self.id, command, entrypoint=entrypoint, timeout=timeout, labels=labels
        )

    def assert_no_package_caches(self) -> None:
        """Assert what the check ``no-package-caches`` asserts. Raises CacheAssertionError."""
        package_caches.judge_contents(self._subject, self.contents)

    def assert_no_bytecode(self) -> None:
        """Assert what the check ``no-bytecode`` asserts. Raises CacheAssertionError."""
        bytecode.judge_contents(self._subject, self.contents)

    def assert_no_hidden_bytes(self) -> None:
        """Assert what the check ``no-hidden-bytes`` asserts. Raises CacheAssertionError."""
        hidden_bytes.judge_contents(self._subject, self.contents)

    def assert_python(self, expected: str) -> None:
        """Assert that ``python --version`` satisfies a match spec such as ``3.10``.

        Raises CacheAssertionError.
        """
        python_version.judge_image(self._subject, self.id, expected, "the test")
