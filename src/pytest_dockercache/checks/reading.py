"""Reads an image once, and finds out which of its layers the project's Dockerfile adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..dockerfile import PlannedStep, stage_chain, stages_of
from ..errors import ConfigError, DockerCacheError, EngineUnavailable, Unverifiable
from ..image import (
    DEFAULT_SOURCES,
    ImageLayers,
    LayerLines,
    LayerStore,
    is_file_reference,
    map_layers_to_lines,
    open_image,
)
from ..project import Project
from ..runs import RUN_LABEL
from .contents import Contents
from .judged import Judged
from .layer_summary import remember_layers
from .settings import DEFAULTS, CheckSettings

__all__ = ["contents_of", "final_chain", "open_layers"]

_NAME_BASE = "name the image that it was built on with --dockercache-base-image=REF"

_BASE_LABELS = ("org.opencontainers.image.base.digest", "org.opencontainers.image.base.name")

_SOURCES_FOR_STRANGERS = tuple(source for source in DEFAULT_SOURCES if source != "mount")
"""An image that we did not build may be anybody's: none of its programs is run to read it."""

_known: dict[tuple[str | None, ...], Contents | DockerCacheError] = {}
"""The images that were read, and the errors of unreadable ones.

A broken archive is not read again for the next check.
"""


def contents_of(subject: Judged, image: str, settings: CheckSettings = DEFAULTS) -> Contents:
    """Read an image; each image is read once a run and process for each Dockerfile and base image.

    Raises Unverifiable where no source of the layers can be read.
    """
    key = _key(subject, image)
    if key not in _known:
        try:
            contents = _read(subject, image)
        except EngineUnavailable:
            raise  # The daemon may be back for the next check.
        except DockerCacheError as problem:
            _known[key] = problem
            raise
        _remember(subject, image, contents)
        _known[key] = contents
    found = _known[key]
    if isinstance(found, DockerCacheError):
        raise found.with_traceback(None)
    return replace(found, check_base=settings.base_layers == "check")


def _read(subject: Judged, image: str) -> Contents:
    layers = open_layers(subject, image, built_here=subject.built_here)
    steps: tuple[PlannedStep, ...] = ()
    if subject.has_dockerfile:
        steps = subject.project_of(image).steps
    texts = {step.line: step.instruction.text for step in steps}
    try:
        lines, unknown = _lines(subject, image, layers), None
    except Unverifiable as problem:
        lines, unknown = None, problem.finding
    return Contents(layers, lines, texts, steps, unknown=unknown)


def _key(subject: Judged, image: str) -> tuple[str | None, ...]:
    """Everything that decides the meaning of an image's name, and the Dockerfile of its layers."""
    settings = subject.settings
    where = (subject.run.id, settings.engine, settings.builder)
    inspected = None if subject.built_here else "inspected"
    return (*where, str(subject.spec), image, inspected, subject.base_image)


def _remember(subject: Judged, image: str, contents: Contents) -> None:
    """Keep the summary for the reports, which show the unedited project's image only."""
    if not subject.built_here:
        remember_layers(subject.run, subject.spec, image, contents)
    elif image == subject.image():
        remember_layers(subject.run, subject.spec, "", contents)


def open_layers(subject: Judged, image: str, *, built_here: bool) -> ImageLayers:
    """The layers of an image of the subject's daemon, or of a file.

    ``built_here`` says whether this run has built the image.
    """
    return open_image(
        image,
        client=None if is_file_reference(image) else subject.engine.client,
        sources=DEFAULT_SOURCES if built_here else _SOURCES_FOR_STRANGERS,
        cache=LayerStore(),
        labels={RUN_LABEL: subject.run.id},
    )


def _lines(subject: Judged, image: str, layers: ImageLayers) -> LayerLines:
    """The layers that the Dockerfile adds. Raises Unverifiable where they are not known."""
    if subject.built_here:
        return _lines_of_dockerfile(subject.project_of(image), layers)
    if subject.base_image is not None:
        base = open_layers(subject, subject.base_image, built_here=False)
        return _above(subject, image, layers, base, subject.base_image)
    problem: Unverifiable | None = None
    if subject.has_dockerfile:
        # Labels are inherited: a base image's label names the base of the base. So the Dockerfile
        # comes first, where the image's history agrees with it.
        try:
            return _lines_of_dockerfile(subject.project, layers)
        except Unverifiable as error:
            problem = error
    for label in _BASE_LABELS:
        name = layers.config.labels.get(label)
        if name:
            try:
                base = open_layers(subject, name, built_here=False)
            except DockerCacheError:
                continue
            if _is_base(base, layers):
                return _above(subject, image, layers, base, name)
    if problem is not None:
        raise Unverifiable(
            problem.finding.verdict,
            fix=_NAME_BASE,
        ) from None
    raise Unverifiable(
        "which layers are the base image's is not known",
        fix="name it with --dockercache-base-image=REF, or judge all with "
        "dockercache_base_layers = check",
    )


def _lines_of_dockerfile(project: Project, layers: ImageLayers) -> LayerLines:
    steps = final_chain(project.steps, project.final_stage)
    return map_layers_to_lines(layers.history, steps, layers.config.shell)


def _is_base(base: ImageLayers, layers: ImageLayers) -> bool:
    lowest = layers.config.diff_ids[: len(base.config.diff_ids)]
    return lowest == base.config.diff_ids


def _above(
    subject: Judged, image: str, layers: ImageLayers, base: ImageLayers, name: str
) -> LayerLines:
    """The layers above the base image's, with lines where the Dockerfile agrees."""
    if not _is_base(base, layers):
        raise ConfigError(
            f"{name} is not the base image of {image}: its layers are not the lowest",
            fix=_NAME_BASE,
        )
    own = frozenset(range(len(base.layers), len(layers.layers)))
    if subject.has_dockerfile:
        try:
            matched = _lines_of_dockerfile(subject.project, layers)
        except Unverifiable:
            return LayerLines(own, {})
        if matched.own <= own:
            return LayerLines(own, matched.lines)
    return LayerLines(own, {})


def final_chain(steps: Sequence[PlannedStep], final: int) -> tuple[PlannedStep, ...]:
    """The steps of the final stage and of the stages that it is built FROM, in build order."""
    chain = stage_chain(stages_of(steps), final)
    if not chain:
        raise Unverifiable("the final stage of the Dockerfile has no steps")
    return tuple(
        step for stage in reversed(chain) for step in steps if step.stage.index == stage.index
    )
