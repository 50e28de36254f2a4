"""How BuildKit names the vertex of a step: ``[stage k/n] TEXT``.

* ``stage`` is the stage's name in lower case, ``stage-<index>`` without one,
  and left out with its blank when the Dockerfile has a single state
  (:func:`~.stages.stage_label`).
* ``k`` counts the vertices of the stage: 1 is the FROM of an image; RUN, COPY,
  ADD and WORKDIR follow, ``WORKDIR /`` excepted, which makes no vertex. It is
  padded with blanks to the width of n.
* ``n`` counts FROM image, RUN, COPY, ADD and WORKDIR, ``WORKDIR /`` included,
  so k may never reach n. ONBUILD triggers count in k; in n only since Docker
  Engine 28.
* ``TEXT`` is the whole instruction, flags included, on one line, keyword in
  upper case, blanks as written. It is expanded with the stage's variables,
  those of the base image included: COPY, ADD and WORKDIR lose quotes and
  escape characters and unset variables; RUN keeps quotes and unset variables
  and loses escape characters. What cannot be expanded stays as written. A RUN
  that is one heredoc ends with the document's first line, ``(set -e...)``.
* ``COPY --link`` on an engine with real links has a second vertex, whose TEXT
  begins with ``LINK``; a trigger's begins with ``ONBUILD`` since Engine 28.

Read in BuildKit 0.13 to 0.29 (``dockerfile2llb/convert.go``) and held against
Docker Engine 26.1 by the engine tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .expansion import Lexer, SubstitutionError
from .instructions import heredoc_mark, mounts
from .syntax import Instruction, PlannedStep

__all__ = ["may_be_named", "shown_text", "vertex_name"]

_UNKNOWN = "\ue000"
_ANYTHING = r"[\s\S]*"


def vertex_name(step: PlannedStep) -> str | None:
    """The name of a step's vertex as far as it is known; None for a step without a vertex.

    It is not the last word for a step on a base of which nothing is known
    (``step.known_base``) and for FROM, whose image is shown canonical and
    with its digest: ask :func:`may_be_named`.
    """
    if step.ordinal is None:
        return None
    label = f"{step.label} " if step.label else ""
    width = len(str(step.total))
    return f"[{label}{step.ordinal:>{width}}/{step.total}] {step.expanded}"


def may_be_named(step: PlannedStep, text: str) -> bool:
    """Whether TEXT of a vertex's name can be this step's.

    Where the text of the step refers to a variable that only the base image
    may set, or that a secret sets (shown as ``****``), anything may stand.
    """
    instruction = step.instruction
    if step.triggered:
        text = text.removeprefix("ONBUILD ")
    if instruction.flag("link") is not None:
        text = text.removeprefix("LINK ")
    if instruction.keyword == "FROM":
        return text.startswith("FROM ")
    if text == step.expanded:
        return True
    secrets = {dict(mount.options).get("env", "") for mount in mounts(instruction)} - {""}
    if step.known_base and not secrets:
        return False
    variables = {name: value for name, value in step.environment if name not in secrets}
    written = _written_text(instruction)
    lexer = _lexer(instruction, step.escape, _UNKNOWN)
    try:
        shape = _upper_keyword(lexer.expand(written, variables))
    except SubstitutionError:
        shape = _UNKNOWN
    pattern = _ANYTHING.join(re.escape(part) for part in shape.split(_UNKNOWN))
    return text == _upper_keyword(written) or re.fullmatch(pattern, text) is not None


def shown_text(instruction: Instruction, variables: Mapping[str, str], escape: str) -> str:
    """TEXT of an instruction's vertex, given the variables of its stage.

    Instructions without a vertex show their text unexpanded.
    """
    text = _written_text(instruction)
    if instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR"):
        try:
            text = _lexer(instruction, escape).expand(text, variables)
        except SubstitutionError:
            return _upper_keyword(text)
    return _upper_keyword(text)


def _lexer(instruction: Instruction, escape: str, unknown: str | None = None) -> Lexer:
    if instruction.keyword == "RUN":
        return Lexer(escape, raw_quotes=True, keep_unset=True, unknown=unknown)
    return Lexer(escape, unknown=unknown)


def _written_text(instruction: Instruction) -> str:
    text = instruction.text
    if instruction.keyword == "RUN" and instruction.heredocs and heredoc_mark(instruction.value):
        first, *more = instruction.heredocs[0].body.strip().replace("\r\n", "\n").split("\n")
        text += f" ({first}{'...' if more else ''})"
    return text


def _upper_keyword(text: str) -> str:
    keyword, blank, rest = text.partition(" ")
    return keyword.upper() + blank + rest
