"""The judge in one process of a session: options, run, and a subject for each spec."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .. import checks
from ..errors import DockerCacheError
from ..inspection import Inspection
from ..model import BuildSpec, EngineInfo, Finding
from ..project import Settings, Siblings
from ..recording import Recording
from ..report import Ending
from ..runs import Run
from ..subject import Subject
from . import sharing
from .image_options import ImageOptions
from .options import Options, read_options
from .progress import Progress, progress_for
from .targets import Target, TargetSelection, select, target_of

if TYPE_CHECKING:
    from .named_steps import NamedSteps

__all__ = ["SessionJudge", "is_file"]


class SessionJudge:
    """The subjects of one process; items and fixtures ask it.

    ``open_run`` starts the run of this session, or joins it. Raises ConfigError
    for options and arguments that cannot be used.
    """

    def __init__(self, config: pytest.Config, open_run: Callable[[], Run]) -> None:
        self.config = config
        ids = tuple(checks.CHECKS)
        self.options: Options = read_options(config, ids)
        named = config.args_source is config.ArgsSource.ARGS
        self.selection: TargetSelection = select(
            config.args,
            "named" if named else "default",
            self.options,
            directory=config.invocation_params.dir,
            root=config.rootpath,
            checks=ids,
            image_checks=[check.id for check in checks.CHECKS.values() if check.needs == "image"],
        )
        config.args[:] = self.selection.arguments
        self.named_steps: Mapping[str, NamedSteps] = {}
        self._open_run = open_run
        self._subjects: dict[tuple[BuildSpec, Settings], Subject] = {}
        self._siblings = Siblings()
        self._inspections: dict[str, Inspection] = {}
        self._told: dict[str, str] = {}

    @cached_property
    def run(self) -> Run:
        """The run that the processes of this session share. Raises ConfigError."""
        return self._open_run()

    @property
    def has_run(self) -> bool:
        """Whether the run has been opened."""
        return "run" in self.__dict__

    @property
    def only_lists(self) -> bool:
        """Whether this session only lists what it would do."""
        option = self.config.option
        return bool(option.collectonly or getattr(option, "setuponly", False))

    @cached_property
    def progress(self) -> Progress:
        """Where news of running builds goes."""
        worker = getattr(self.config, "workerinput", {}).get("workerid")
        if worker is not None and self.config.get_verbosity() >= 0:
            from .relay import RelayedProgress

            return RelayedProgress(lambda: self.run, str(worker))
        return progress_for(self.config)

    @cached_property
    def width(self) -> int:
        """Columns of the terminal that shows what is judged, also where a worker judges."""
        told: object = getattr(self.config, "workerinput", {}).get(sharing.WIDTH)
        return told if isinstance(told, int) else self.config.get_terminal_writer().fullwidth

    def subject(
        self, spec: BuildSpec, engine: str | None = None, options: ImageOptions | None = None
    ) -> Subject:
        """The subject of a spec: one in each process for each spec and its settings.

        ``options`` are those of the image; None for those of the judged image that the spec is.
        """
        settings = (options or self.image_options(spec)).settings
        if engine is not None:
            settings = replace(settings, engine=engine)
        found = self._subjects.get((spec, settings))
        if found is None:
            sharing.tell_spec(self.run, spec, settings.engine)
            found = Subject(spec, settings, self.run, self.progress, self._siblings)
            self._subjects[spec, settings] = found
        return found

    def image_options(self, spec: BuildSpec) -> ImageOptions:
        """The options of a build: those of the judged image that it is, else those of all images.

        The image is the one with this spec, else the one of the same Dockerfile and stage.
        """
        same = [
            target
            for target in self.selection.every
            if target.image is None
            and (target.path, target.target) == (spec.written_in, spec.target)
        ]
        for target in same if len(same) > 1 else ():
            with contextlib.suppress(DockerCacheError):
                if target.spec() == spec:
                    return target.options
        return same[0].options if same else self.options.image.each_platform()[0]

    def subject_of(self, target: Target) -> Subject | Inspection | Recording:
        """The subject of a target. Raises ConfigError."""
        spec = target.spec()
        demands, settings = target.options.check_settings, target.options.settings
        if target.image is None and demands.build_log is not None:
            log, since = demands.build_log, demands.since
            return Recording(spec, settings, self.run, log, since)
        if target.image is None:
            return self.subject(spec, options=target.options)
        found = self._inspections.get(target.image)
        if found is None:
            base_image = self.options.base_image
            found = Inspection(spec, settings, self.run, target.image, base_image)
            self._inspections[target.image] = found
        return found

    def target_of_test(self, test: Path) -> Target | None:
        """The Dockerfile that a test in this file is about whose marker names none."""
        return target_of(
            test,
            self.selection,
            self.options,
            directory=self.config.invocation_params.dir,
            root=self.config.rootpath,
        )

    def tell_engine(self, subject: Subject | Inspection | Recording | None) -> EngineInfo | None:
        """The engine that judged, None without one; the engine is noted for the reports."""
        if subject is None or is_file(subject):
            return None
        try:
            engine = subject.engine.info
        except DockerCacheError:
            return None
        sharing.tell_engine(self.run, engine)
        return engine

    def told_once(self, ending: Ending, nodeid: str) -> Ending:
        """The ending of a check; a problem that another check has told already is only named.

        One problem often stops all checks: an engine that does not answer, a file that cannot be
        read. Skips with equal reasons stay unchanged, because pytest folds them itself.
        """
        told = ending.outcome == "error" or (
            ending.outcome == "failed" and ending.skip == "not-verified"
        )
        first = self._told.setdefault(ending.message, nodeid) if told else nodeid
        if first == nodeid:
            return ending
        finding = Finding(
            f"{ending.finding.verdict} (see {first})",
            line=ending.line,
            predicted=ending.finding.predicted,
        )
        return replace(ending, finding=finding, same_as=first)

    def shown(self, path: Path) -> str:
        """A path as reports show it: relative to the root where it can be."""
        try:
            return path.relative_to(self.config.rootpath).as_posix()
        except ValueError:
            return str(path)

    def shortened(self, text: str) -> str:
        """A message with the paths below the root made relative, so that they fit in a line."""
        return text.replace(f"{self.config.rootpath}{os.sep}", "")


def is_file(subject: Subject | Inspection | Recording) -> bool:
    """Whether a subject is a file, with an image or a log, which no engine has to read."""
    if isinstance(subject, Recording):
        return True
    return isinstance(subject, Inspection) and subject.is_file
