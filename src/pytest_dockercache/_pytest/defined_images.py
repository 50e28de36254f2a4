"""The images that compose, bake and development container files define, with their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DockerCacheError
from .choices import DockerfileChoice, Own, keys_of
from .given import GivenValue
from .image_options import IMAGE_KEYS, ImageOptions

if TYPE_CHECKING:
    from ..definitions import BuildDefinition, Kind

__all__ = ["DefinedImages", "what_is_built"]

_KEYS = ("target", *(key for key in IMAGE_KEYS if key not in ("context", "target")))
"""The keys after the comma of a file: ``target`` is the service, the others hold for each image."""


class DefinedImages:
    """Reads the images of files, each file once.

    ``directory`` is the invocation directory, ``root`` the rootdir; a file is looked for in both.
    ``image_options`` reads the options of one image.
    """

    def __init__(
        self, directory: Path, root: Path, image_options: Callable[[Own], ImageOptions]
    ) -> None:
        self._directory = directory
        self._root = root
        self._image_options = image_options
        self._read: dict[tuple[Path, ...], tuple[DockerfileChoice, ...]] = {}

    def chosen(self, values: Mapping[Kind, Sequence[GivenValue]]) -> tuple[DockerfileChoice, ...]:
        """The images of the files that options name. Raises ConfigError."""
        found: list[DockerfileChoice] = []
        for kind, given in values.items():
            for value in given:
                found += self._of_value(kind, value)
        return tuple(found)

    def _of_value(self, kind: Kind, value: GivenValue) -> Iterator[DockerfileChoice]:
        from ..definitions import definition_files

        text, own = keys_of(value, _KEYS, ("target",))
        names = tuple(target.text for target in own.pop("target", ()))
        files: tuple[Path, ...] = ()
        if text:
            path = value.path(text)
            files = (path,)
            if not path.is_file():
                what = "is a directory" if path.is_dir() else "does not exist"
                remedy = f"name a {kind} file, after an equals sign"
                raise value.wrong(f"{path} {what}", remedy)
        else:
            places = dict.fromkeys((self._directory, self._root))
            files = next(filter(None, (definition_files(place, kind) for place in places)), ())
            if not files:
                looked = " or ".join(map(str, places))
                raise value.wrong(f"no {kind} file in {looked}", "name one")
        try:
            found = self._definitions(kind, files, names)
        except DockerCacheError as problem:
            fix = problem.finding.fix
            remedy = "correct the file" if fix is None else fix.text
            raise value.wrong(problem.verdict, remedy) from None
        for definition in found:
            yield self._choice(definition, own, explicit=value.explicit)

    def in_directory(self, place: Path) -> tuple[DockerfileChoice, ...]:
        """The images of the files in a directory that nobody named; () if there is none.

        A file that cannot be read is one image with a problem. What two files define alike is
        judged once.
        """
        from ..definitions import KINDS, definition_files

        found: list[DockerfileChoice] = []
        for kind in KINDS:
            files = definition_files(place, kind)
            if files:
                known = {what_is_built(choice) for choice in found}
                found += [one for one in self._of_files(kind, files) if _is_new(one, known)]
        return tuple(found)

    def of_file(self, path: Path) -> tuple[DockerfileChoice, ...]:
        """The images of one file, () for a file that defines none by its name."""
        from ..definitions import definition_files, kind_of

        kind = kind_of(path)
        if kind is None:
            return ()
        files = definition_files(path.parent, kind)
        return self._of_files(kind, files if path in files[:1] else (path,))

    def _of_files(self, kind: Kind, files: tuple[Path, ...]) -> tuple[DockerfileChoice, ...]:
        found = self._read.get(files)
        if found is None:
            try:
                definitions = self._definitions(kind, files, ())
                found = tuple(self._choice(one, {}, explicit=False) for one in definitions)
            except DockerCacheError as problem:
                node = self._shown(files[0])
                own = self._image_options({})
                found = (DockerfileChoice(files[0], own, None, False, node, problem),)
            self._read[files] = found
        return found

    def _definitions(
        self, kind: Kind, files: Sequence[Path], names: Sequence[str]
    ) -> tuple[BuildDefinition, ...]:
        from ..definitions import read_definitions

        return read_definitions(kind, files, names, (self._directory, self._root))

    def _choice(
        self, definition: BuildDefinition, given: Own, *, explicit: bool
    ) -> DockerfileChoice:
        shown = self._shown(definition.file)
        node = f"{shown}::{definition.name}" if definition.name else shown
        own = {
            key: tuple(
                GivenValue(text, key, definition.directory, False, f"{node}: {key} = {text}")
                for text in texts
            )
            for key, texts in definition.options.items()
        }
        problem = definition.problem
        try:
            options = self._image_options({**own, **given})
        except ConfigError as wrong:
            options, problem = self._image_options({}), problem or wrong
        inside = definition.inside
        options = replace(
            options,
            run_options=definition.run_options,
            uncached=definition.uncached,
            uncached_by=definition.uncached_by,
            written=None if inside is None else definition.dockerfile,
        )
        path = inside or definition.dockerfile
        return DockerfileChoice(path, options, None, explicit, node, problem)

    def _shown(self, file: Path) -> str:
        try:
            return file.relative_to(self._root).as_posix()
        except ValueError:
            return file.as_posix()


def what_is_built(choice: DockerfileChoice) -> tuple[object, ...]:
    """All that tells the build of an image from another: two that are equal build alike."""
    options = choice.options
    named = (options.target, frozenset(options.build_args), options.contexts, options.platforms)
    ran = (options.run_options, options.uncached, options.written)
    return (choice.path, options.context, *named, *ran)


def _is_new(choice: DockerfileChoice, known: set[tuple[object, ...]]) -> bool:
    return choice.problem is not None or what_is_built(choice) not in known
