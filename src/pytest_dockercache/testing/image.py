"""An image as a test sees it: its files, its commands, and the checks as assertions."""

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
    """One built image of the daemon; ``id`` is its ID there.

    The contents of the image are read from its layers; only :meth:`run`, :meth:`serves` and
    :meth:`assert_python` start a container.
    """

    def __init__(self, subject: Subject, image: str, settings: CheckSettings = DEFAULTS) -> None:
        self._subject = subject
        self._settings = settings
        self.id = image

    def __repr__(self) -> str:
        return f"Image({self.id!r})"

    @cached_property
    def contents(self) -> Contents:
        """The layers and their Dockerfile lines.

        Raises Unverifiable where no source of the layers can be read.
        """
        return contents_of(self._subject, self.id, self._settings)

    @property
    def layers(self) -> tuple[LayerIndex, ...]:
        """The index of each layer's files, the lowest layer first. Raises Unverifiable."""
        return self.contents.layers.layers

    @property
    def config(self) -> ImageConfig:
        """The image's configuration: environment, command, entry point, exposed ports.

        Raises Unverifiable.
        """
        return self.contents.layers.config

    def files(self, pattern: str = "*") -> Iterator[Found]:
        """The files of the final image whose absolute path matches a shell pattern.

        ``*`` matches slashes too, as in :mod:`fnmatch`. Raises Unverifiable.
        """
        for found in self.contents.layers.view.files():
            if fnmatch.fnmatchcase(found.name, pattern):
                yield found

    def find(self, name: str) -> tuple[Found, ...]:
        """The files of the final image whose file name matches a shell pattern (``*.pyc``).

        Raises Unverifiable.
        """
        return tuple(
            found
            for found in self.contents.layers.view.files()
            if fnmatch.fnmatchcase(found.name.rpartition("/")[2], name)
        )

    def hidden_bytes(self) -> int:
        """The bytes of files in the Dockerfile's layers that a later layer deletes or replaces.

        Raises Unverifiable where the Dockerfile's layers are not known.
        """
        findings = hidden(self.contents.layers.view, self.contents.judged)
        return sum(item.bytes for item in findings if item.counted)

    def environment(self, name: str | None = None) -> Environment:
        """The packages of an environment, as the layers record them.

        ``name`` is the environment's name (``app``) or its absolute prefix; None
        stands for the environment in use. Raises Unverifiable if the image has
        no such environment, or several.
        """
        return environment_packages.installed(self.contents, name)

    def assert_environment(self, path: str | Path, name: str | None = None) -> None:
        """Assert that an environment holds the packages of an environment or lock file.

        ``path`` is relative to the build context; ``name`` is as for
        :meth:`environment`, None for the name in the file, else the environment
        in use. Raises CacheAssertionError where packages differ, Unverifiable
        where nothing can be verified, ConfigError for a file that cannot be read.
        """
        wanted = read_requirements(
            self._subject.spec.place(str(path)),
            platform=self.config.platform or "linux/amd64",
        )
        packages = self.environment(name or wanted.name or None)
        environment_packages.judge_requirements(
            self._subject, self.contents, packages, wanted, str(path)
        )

    def assert_same_environment(self, other: Image, name: str | None = None) -> None:
        """Assert that an environment holds the packages of an environment of another image.

        ``name`` names the environment in both images, as for :meth:`environment`. Raises
        CacheAssertionError where packages differ, Unverifiable where the records of one image
        cannot be read.
        """
        environment_packages.judge_same(
            self._subject, self.environment(name), other.environment(name), str(other.id)
        )

    def serves(self, port: int, path: str = "/", *, timeout: float = 30.0) -> tuple[int, bytes]:
        """Start the unchanged image and ask it for ``http://…:port/path`` until it answers.

        ``port`` is the container's; ``timeout`` is in seconds. Returns the HTTP status and the body
        (at most 1 MiB of it). The container carries the run's label and is removed afterwards.
        Unlike that of :meth:`run`, the container has a network: the port is published on the
        loopback interface. Raises CacheAssertionError, with the end of the container's log, when
        the server does not answer in time or the container ends.
        """
        return serving.ask(self._subject, self.id, port, path, timeout)

    def run(
        self,
        command: str | Sequence[str],
        *,
        entrypoint: str | Sequence[str] | None = None,
        timeout: float = 60.0,
    ) -> Execution:
        """Run a command in a container without network, which is removed afterwards.

        A ``command`` or ``entrypoint`` that is a text is split into words as a
        shell splits it, and runs without a shell. None for ``entrypoint`` leaves
        the image's own. ``timeout`` is in seconds; a command that takes longer is
        killed (``Execution.timed_out``). Raises ConfigError for a text with an
        open quote, and EngineUnavailable.
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
        """Assert that the check ``no-package-caches`` holds for this image.

        Raises CacheAssertionError, Unverifiable.
        """
        package_caches.judge_contents(self._subject, self.contents)

    def assert_no_bytecode(self) -> None:
        """Assert that the check ``no-bytecode`` holds for this image.

        Raises CacheAssertionError, Unverifiable.
        """
        bytecode.judge_contents(self._subject, self.contents)

    def assert_no_hidden_bytes(self) -> None:
        """Assert that the check ``no-hidden-bytes`` holds for this image.

        Raises CacheAssertionError, Unverifiable.
        """
        hidden_bytes.judge_contents(self._subject, self.contents, self._settings)

    def assert_python(self, expected: str) -> None:
        """Assert that ``python --version`` satisfies a match spec such as ``3.10``.

        ``expected`` follows conda's match specs: ``3.10`` is any 3.10.x, and not 3.1. Raises
        CacheAssertionError for another version or no Python, Unverifiable where the Python that
        runs is not known.
        """
        python_version.judge_image(self._subject, self.id, expected, "the test")


def _words(command: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(command, str):
        return command
    try:
        return shlex.split(command)
    except ValueError as problem:
        raise ConfigError(f"image.run({command!r}): {problem}") from None
