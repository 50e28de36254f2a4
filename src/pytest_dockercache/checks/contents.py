"""What an image holds, with the Dockerfile line of every layer that the project adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..dockerfile import PlannedStep
from ..engines import Engine
from ..errors import Unverifiable
from ..image import ImageLayers, LayerLines, LayerStore, map_layers_to_lines, open_image
from ..rebuild import Subject

__all__ = ["Contents", "contents_of", "final_chain", "megabytes"]


@dataclass(frozen=True)
class Contents:
    """An image's layers, which of them are judged, and their lines.

    ``judged`` are positions of layers: those that the Dockerfile adds, or
    all with ``dockercache_base_layers = check``.
    """

    layers: ImageLayers
    lines: LayerLines
    texts: Mapping[int, str]
    check_base: bool = False

    @cached_property
    def judged(self) -> frozenset[int]:
        """The layers that the checks hold to account."""
        return frozenset(range(len(self.layers.layers))) if self.check_base else self.lines.own

    def line(self, layer: int) -> int | None:
        """The Dockerfile line that made a layer, None in the base image."""
        return self.lines.line(layer)

    def place(self, layer: int) -> str:
        """Where a layer comes from, for a sentence: ``line 8`` or ``the base image``."""
        line = self.line(layer)
        return "the base image" if line is None else f"line {line}"

    def row(self, layer: int, remark: str) -> str:
        """One line of a failure: line number, instruction, remark."""
        line = self.line(layer)
        number = "base" if line is None else str(line)
        text = self.texts.get(line or 0) or self.layers.created_by(layer)
        short = " ".join(text.split())
        short = short if len(short) <= 36 else short[:35] + "…"
        return f"{number:>4}  {short:<36} {remark}"


_known: dict[tuple[int, str], Contents] = {}


def contents_of(subject: Subject, image: str) -> Contents:
    """Read an image of the subject's engine; each image is read once a process.

    Raises Unverifiable where layers and lines cannot be matched, or where no
    source of the layers can be read.
    """
    key = (id(subject.engine), image)
    if key not in _known:
        engine: Engine = subject.engine
        layers = open_image(image, client=engine.client, cache=LayerStore())
        steps = final_chain(subject.project.steps, subject.project.final_stage)
        lines = map_layers_to_lines(
            layers.history, [(step.line, step.instruction.keyword) for step in steps]
        )
        texts = {step.line: step.instruction.text for step in steps}
        _known[key] = Contents(layers, lines, texts)
    found = _known[key]
    return Contents(found.layers, found.lines, found.texts, subject.settings.base_layers == "check")


def final_chain(steps: Sequence[PlannedStep], final: int) -> tuple[PlannedStep, ...]:
    """The steps of the final stage and of the stages that it is built FROM, in build order."""
    stages = {step.stage.index: step.stage for step in steps}
    if final not in stages:
        raise Unverifiable("the final stage of the Dockerfile has no steps")
    chain = [stages[final]]
    while chain[0].parent is not None and chain[0].parent in stages:
        chain.insert(0, stages[chain[0].parent])
    return tuple(step for stage in chain for step in steps if step.stage.index == stage.index)


def megabytes(size: int) -> str:
    """Bytes as people read them, in powers of ten like docker's own."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
