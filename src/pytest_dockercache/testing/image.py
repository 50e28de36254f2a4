"""An image as a test sees it: what it holds, what it runs, and the checks as assertions."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ..checks import (
    bytecode,
    environment_packages,
    hidden_bytes,
    package_caches,
    python_version,
    serving,
)
from ..checks.contents import Contents
from ..checks.reading import contents_of
from ..checks.settings import DEFAULTS, CheckSettings
from ..engines import Execution
from ..environments.installed import Environment
from ..environments.requirements import read_requirements
from ..errors import ConfigError
from ..image import Found, ImageConfig, LayerIndex, hidden
from ..runs import RUN_LABEL
from ..subject import Subject

__all__ = ["Image"]


class Image:
    """One built image. ``id`` is its ID in the daemon."""

    def __init__(self, subject: Subject, image: str, settings: CheckSettings = DEFAULTS) -> None:
        self._subject = subject
        self._settings = settings
        self.id = image

    def __repr__(self) -> str:
        return f"Image({self.id!r})"

    @cached_property
    def contents(self) -> Contents:
        """The layers and their Dockerfile lines. Raises Unverifiable."""
        return contents_of(self._subject, self.id, self._settings)

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

    def find(self, name: str) -> tuple[Found, ...]:
        """The files of the final image whose file name matches a shell pattern (``*.pyc``)."""
        return tuple(
            found
            for found in self.contents.layers.view.files()
            if fnmatch.fnmatchcase(found.name.rpartition("/")[2], name)
        )

    def hidden_bytes(self) -> int:
        """Bytes that the Dockerfile's layers carry although a later one hides them."""
        findings = hidden(self.contents.layers.view, self.contents.judged)
        return sum(item.bytes for item in findings if item.counted)

    def environment(self, name: str | None = None) -> Environment:
        """The packages of an environment, read from the layers: by name, by prefix, or in use.

        Raises Unverifiable if there is no such environment, or several.
        """
        return environment_packages.installed(self.contents, name)

    def assert_environment(self, path: str | Path, name: str | None = None) -> None:
        """Assert that an environment holds what an environment or lock file asks for.

        ``path`` is relative to the build context. Raises CacheAssertionError,
        and ConfigError for a file that cannot be read.
        """
        wanted = read_requirements(
            self._subject.spec.context / path,
            platform=self.config.platform or "linux/amd64",
        )
        packages = self.environment(name or wanted.name or None)
        environment_packages.judge_requirements(
            self._subject, self.contents, packages, wanted, str(path)
        )

    def assert_same_environment(self, other: Image, name: str | None = None) -> None:
        """Assert that two images hold the same packages. Raises CacheAssertionError."""
        environment_packages.judge_same(
            self._subject, self.environment(name), other.environment(name), str(other.id)
        )

    def serves(self, port: int, path: str = "/", *, timeout: float = 30.0) -> tuple[int, bytes]:
        """Start the image as it is and ask it for ``http://…:port/path`` until it answers.

        Returns the status and the body (at most 1 MB). The container is
        labelled as ours and removed; unlike :meth:`run` it has a network,
        because the port is published on the loopback interface. ``timeout``
        is in seconds. Raises CacheAssertionError when nothing answers or the
        container ends, with the end of its log.
        """
        return serving.ask(self._subject, self.id, port, path, timeout)

    def run(
        self,
        command: str | Sequence[str],
        *,
        entrypoint: str | Sequence[str] | None = None,
        timeout: float = 60.0,
    ) -> Execution:
        """Run a command in a container: no network, labelled as ours, removed afterwards.

        A text is split into words as a shell splits it, and run without a
        shell. ``timeout`` is in seconds. Raises ConfigError for a text with an
        open quote.
        """
        labels: Mapping[str, str] = {RUN_LABEL: self._subject.run.id}
        return self._subject.engine.run(
            self.id,
            _words(command),
            entrypoint=None if entrypoint is None else _words(entrypoint),
            timeout=timeout,
            labels=labels,
        )

    def assert_no_package_caches(self) -> None:
        """Assert what the check ``no-package-caches`` asserts. Raises CacheAssertionError."""
        package_caches.judge_contents(self._subject, self.contents)

    def assert_no_bytecode(self) -> None:
        """Assert what the check ``no-bytecode`` asserts. Raises CacheAssertionError."""
        bytecode.judge_contents(self._subject, self.contents)

    def assert_no_hidden_bytes(self) -> None:
        """Assert what the check ``no-hidden-bytes`` asserts. Raises CacheAssertionError."""
        hidden_bytes.judge_contents(self._subject, self.contents, self._settings)

    def assert_python(self, expected: str) -> None:
        """Assert that ``python --version`` satisfies a match spec such as ``3.10``.

        Raises CacheAssertionError.
        """
        python_version.judge_image(self._subject, self.id, expected, "the test")


def _words(command: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(command, str):
        return command
    try:
        return shlex.split(command)
    except ValueError as problem:
        raise ConfigError(f"image.run({command!r}): {problem}") from None
