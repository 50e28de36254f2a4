"""The Dockerfile line that makes a layer's files, also in another stage behind a COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from ..dockerfile import PlannedStep, stage_chain, stages_of
from ..dockerfile.stages import path_at, path_below
from ..values import dataclass

__all__ = ["Origin", "ending_run", "origin_of"]


@dataclass(frozen=True)
class Origin:
    """The origin of the files of one layer.

    ``kind`` is ``run`` where the layer's own RUN makes them, ``stage`` where its COPY takes them
    from another stage, ``image`` from another image, ``context`` from the build context;
    ``unknown`` where no Dockerfile line is known. ``line`` is the layer's own line. ``stage`` names
    the other stage or image, ``path`` is the place of the files there; ``makers`` are the lines of
    the RUNs that can have made the files.
    """

    kind: Literal["run", "stage", "image", "context", "unknown"] = "unknown"
    line: int | None = None
    stage: str = ""
    path: str = ""
    makers: tuple[int, ...] = ()


def origin_of(
    steps: Sequence[PlannedStep],
    line: int | None,
    path: str,
    is_maker: Callable[[PlannedStep], bool],
) -> Origin:
    """The origin of the files that the step of ``line`` puts at ``path`` of the image.

    ``is_maker`` says whether a RUN can have made the files; if no RUN visibly can, every RUN
    counts.
    """
    step = next((step for step in steps if step.line == line and step.instruction.keyword in
                 ("RUN", "COPY", "ADD")), None)  # fmt: skip
    if step is None:
        return Origin(line=line)
    if step.instruction.keyword == "RUN":
        return Origin("run", line, path=path, makers=(step.line,))
    for origin, there in _taken_from(step, path):
        if origin == "context":
            return Origin("context", line, path=there)
        if isinstance(origin, str):
            return Origin("image", line, origin, there)
        label = next((item.stage.label for item in steps if item.stage.index == origin), "")
        return Origin("stage", line, label, there, _makers(steps, origin, there, is_maker, set()))
    return Origin(line=line)


def _taken_from(step: PlannedStep, path: str) -> Iterator[tuple[int | str, str]]:
    """The origins from which a COPY can have brought the files at a path, and the path there."""
    for transfer in step.transfers:
        if transfer.kind == "bind":
            continue
        below = path_below(path, transfer.destination)
        above = path_below(transfer.destination, path)
        for source in transfer.sources:
            if below is not None:
                name = source.rstrip("/").rpartition("/")[2]
                # A directory's content is copied, a file keeps its name.
                rest = below.removeprefix("/" + name) if below == "/" + name else below
                yield transfer.origin, path_at(source, rest)
            elif above is not None:
                yield transfer.origin, path_at(source, "")


def _makers(
    steps: Sequence[PlannedStep],
    stage: int,
    path: str,
    is_maker: Callable[[PlannedStep], bool],
    seen: set[int],
) -> tuple[int, ...]:
    """The lines of the RUNs that can have made the files at a path of a stage."""
    if stage in seen:
        return ()
    seen.add(stage)
    chain = [
        step
        for holding in reversed(stage_chain(stages_of(steps), stage))
        for step in steps
        if step.stage.index == holding.index
    ]
    runs = [step for step in chain if step.instruction.keyword == "RUN"]
    found = [step.line for step in runs if is_maker(step)]
    if not found:
        for step in chain:
            for origin, there in _taken_from(step, path):
                if isinstance(origin, int):
                    found += _makers(steps, origin, there, is_maker, seen)
    return tuple(dict.fromkeys(found or (step.line for step in runs)))


def ending_run(line: int | None, command: str) -> str:
    """The text of a fix for files that a RUN leaves behind."""
    return f'let the RUN in line {line} end with "{command}": a later RUN frees nothing'
