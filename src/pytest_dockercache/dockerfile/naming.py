"""BuildKit's name for the vertex of a step: ``[stage k/n] TEXT``.

* ``stage`` is the stage's name in lower case, ``stage-<index>`` without one,
  and left out with its blank when the Dockerfile has a single state
  (:func:`~.stages.stage_label`).
* ``k`` counts the vertices of the stage: 1 is the FROM of an image; RUN, COPY,
  ADD and WORKDIR follow, ``WORKDIR /`` excepted, which makes no vertex.
  The number k is padded with blanks to the width of n.
* ``n`` counts FROM image, RUN, COPY, ADD and WORKDIR, ``WORKDIR /`` included,
  so k may never reach n. ONBUILD triggers count in k; in n only since Docker
  Engine 28.
* ``TEXT`` is the whole instruction, flags included, on one line, keyword in
  upper case, blanks as written. It is expanded with the stage's variables,
  those of the base image included: COPY, ADD and WORKDIR lose quotes and
  escape characters and unset variables; RUN keeps quotes and unset variables
  and loses escape characters. A reference that cannot be expanded stays as written. A RUN
  that is one heredoc ends with the document's first line, ``(set -e...)``.
* ``COPY --link`` on an engine with real links has a second vertex, whose TEXT
  begins with ``LINK``; a trigger's begins with ``ONBUILD`` since Engine 28.

Read in BuildKit 0.13 to 0.29 (``dockerfile2llb/convert.go``) and held against
Docker Engine 26.1 by the engine tests.
"""

from __future__ import annotations

from collections.abc import Mapping

from .expansion import Lexer, SubstitutionError
from .instructions import heredoc_mark
from .syntax import Instruction

__all__ = ["shown_text"]


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


def _lexer(instruction: Instruction, escape: str) -> Lexer:
    if instruction.keyword == "RUN":
        return Lexer(escape, raw_quotes=True, keep_unset=True)
    return Lexer(escape)


def _written_text(instruction: Instruction) -> str:
    text = instruction.text
    if instruction.keyword == "RUN" and instruction.heredocs and heredoc_mark(instruction.value):
        first, *more = instruction.heredocs[0].body.strip().replace("\r\n", "\n").split("\n")
        text += f" ({first}{'...' if more else ''})"
    return text


def _upper_keyword(text: str) -> str:
    keyword, blank, rest = text.partition(" ")
    return keyword.upper() + blank + rest
