"""A stage cut in two, so that an installation stands on the half without the source.

``FROM base AS prod``, where ``base`` copies the source, becomes ``FROM base-without-source AS
prod`` with the rest of ``base`` above its own instructions. ``base`` and every stage that is
built from it keep their images: each executes the instructions that it executed before, in the
same order, on one stage more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..cache import Dialect
from ..dockerfile import Stage, stage_chain, stages_of
from ..dockerfile.instructions import mounts
from ..dockerfile.rewriting import Block, Sheet
from ..values import dataclass
from .site import Site

__all__ = ["Cut", "cut_above"]


@dataclass(frozen=True)
class Cut:
    """A Dockerfile in which a stage does not stand on the lower half of another one.

    ``origins`` maps the first line of each instruction to its line before, which two of them may
    share; 0 for a new instruction. ``words`` say what was done, with ``{line}`` for the line of
    the step at which the other stage was cut.
    """

    text: str
    origins: Mapping[int, int]
    words: str


def cut_above(site: Site, guilty: int, installs: int, dialect: Dialect, without: str) -> Cut | None:
    """The Dockerfile in which the stage of the step ``installs`` does not stand on ``guilty``.

    ``guilty`` and ``installs`` are positions in ``site.steps``; ``without`` ends the name of the
    new stage. None where the stages would not be the same images for certain.
    """
    step = site.steps[guilty]
    stages = stages_of(site.steps)
    chain = stage_chain(stages, site.steps[installs].stage.index)
    indexes = [stage.index for stage in chain]
    if step.triggered or step.stage.index not in indexes[1:]:
        return None
    chain = chain[: indexes.index(step.stage.index) + 1]
    if not _can_be_cut(site, chain, step.line, dialect):
        return None
    if step.line == min(item.line for item in step.stage.instructions):
        return _on_the_image(site, chain)
    names = {stage.name for stage in site.snapshot.dockerfile.stages}
    name = f"{step.stage.name}-without-{without}"
    return None if name in names else _halved(site, chain, step.line, name)


def _on_the_image(site: Site, chain: Sequence[Stage]) -> Cut | None:
    """The last stage of a chain on the image of the first, with all instructions between."""
    own, ground = chain[0], chain[-1]
    sheet = site.sheet
    standing = _from(sheet.source(ground.from_.line), alias=own.name)
    if standing is None or own.from_.flag("platform"):
        return None
    blocks = _with_rest(sheet.replaced(own.from_.line, standing), chain, 0)
    made = replace(sheet, blocks=tuple(blocks))
    words = f"build stage {own.label} on {ground.base} instead of stage {chain[1].label}"
    return Cut(made.text, made.origins, words)


def _halved(site: Site, chain: Sequence[Stage], line: int, name: str) -> Cut | None:
    """The first stage of a chain as two, and the last stage on the upper one."""
    own, ground = chain[0], chain[-1]
    sheet = site.sheet
    upper = _from(sheet.source(ground.from_.line), alias=name)
    standing = _from(sheet.source(own.from_.line), base=name, alias=own.name)
    if upper is None or standing is None:
        return None
    sheet = sheet.replaced(ground.from_.line, upper).replaced(own.from_.line, standing)
    lower = replace(sheet.new(f"FROM {name} AS {ground.name}"), above=(sheet.eol,))
    blocks = _with_rest(sheet, chain, line)
    place = next(number for number, block in enumerate(blocks) if block.line == line)
    made = replace(sheet, blocks=(*blocks[:place], lower, *blocks[place:]))
    words = (
        f"cut stage {ground.label} above line {{line}}, and build stage {own.label} on its upper "
        f"half, {name}"
    )
    return Cut(made.text, made.origins, words)


def _with_rest(sheet: Sheet, chain: Sequence[Stage], line: int) -> list[Block]:
    """The blocks, with those of the other stages of a chain, from ``line`` on, in the last one."""
    own, ground = chain[0], chain[-1]
    rest = [
        replace(sheet.at(item.line), above=())
        for stage in reversed(chain[1:])
        for item in stage.instructions
        if stage is not ground or item.line >= line
    ]
    place = next(n for n, block in enumerate(sheet.blocks) if block.line == own.from_.line)
    return [*sheet.blocks[: place + 1], *rest, *sheet.blocks[place + 1 :]]


def _from(source: str, alias: str | None, base: str = "") -> str | None:
    """A FROM with another name, and on another base; None for one over several lines."""
    found = re.fullmatch(
        r"(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)(?:\s+(AS)\s+\S+)?\s*", source, re.IGNORECASE
    )
    if found is None or "\n" in source:
        return None
    named = "" if alias is None else f" {found[3] or 'AS'} {alias}"
    return f"{found[1]}{base or found[2]}{named}"


def _can_be_cut(site: Site, chain: Sequence[Stage], line: int, dialect: Dialect) -> bool:
    """Whether the instructions of a chain of stages mean the same with a stage more.

    The classic builder gives the arguments of a stage to no stage that is built from it; a
    CMD is dropped by an ENTRYPOINT of a later stage only.
    """
    dockerfile = site.snapshot.dockerfile
    counted = Counter(stage.name for stage in dockerfile.stages if stage.name is not None)
    if any(count > 1 for count in counted.values()) or any(_numbered(site)):
        return False
    indexes = {stage.index for stage in chain}
    if any(step.triggered for step in site.steps if step.stage.index in indexes):
        return False
    keywords = [item.keyword for stage in reversed(chain) for item in stage.instructions]
    if "ONBUILD" in keywords or (dialect.name == "classic" and "ARG" in keywords):
        return False
    if any("TARGETSTAGE" in item.text for item in dockerfile.instructions):
        return False
    if "CMD" in keywords and "ENTRYPOINT" in keywords[keywords.index("CMD") :]:
        return False
    # A stage between that has a base of its own choosing may stand on another one next time.
    return all("$" not in stage.from_.value for stage in chain[:-1])


def _numbered(site: Site) -> Iterator[bool]:
    """Whether a COPY or a mount names a stage by its number, which would be another's."""
    for instruction in site.snapshot.dockerfile.instructions:
        yield re.fullmatch(r"\d+", instruction.flag("from") or "") is not None
        for mount in mounts(instruction):
            yield re.fullmatch(r"\d+", mount.origin or "") is not None
