"""The Dockerfile line of each layer, found by holding an image's history against the steps."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

from ..dockerfile import Instruction, PlannedStep, SubstitutionError
from ..dockerfile.expansion import Lexer
from ..dockerfile.instructions import WHITESPACE, heredoc_mark, json_strings
from ..errors import Unverifiable
from ..model import on_one_line
from ..regexes import regex
from ..values import dataclass
from .layers import LAYER_INSTRUCTIONS, NOP, HistoryEntry

__all__ = ["LayerLines", "map_layers_to_lines"]


@dataclass(frozen=True)
class LayerLines:
    """The layers that a Dockerfile adds, each with its line.

    ``own`` are positions of layers; all other layers are the base's. ``lines`` maps an own layer to
    the first line of its instruction; a step that made no layer (classic builder: a RUN that
    changes nothing) is missing.
    """

    own: frozenset[int]
    lines: Mapping[int, int]

    def line(self, layer: int) -> int | None:
        """The Dockerfile line that made a layer, None for a layer of the base."""
        return self.lines.get(layer)


def map_layers_to_lines(
    history: Sequence[HistoryEntry], steps: Sequence[PlannedStep], shell: Sequence[str] = ()
) -> LayerLines:
    """Map the topmost layers to the steps of the final stage, from the top of the history down.

    ``steps`` are the steps of the final stage, and of the stages it is built FROM, in build order,
    with or without the steps that make no layer (ENV, CMD …). ``shell`` is the SHELL of the image,
    for steps that use the base's. Counting instructions, not layers, is right for both builders: an
    empty RUN or WORKDIR has a layer on BuildKit and none on the classic builder (26.1.5). All
    layers below are the base's, ONBUILD triggers included.

    Raises Unverifiable when the history does not end in these steps (the image of another
    Dockerfile, or a history that a tool has cut), or has a layer among or above these steps that no
    step made (a squashed image).
    """
    wanted = [step for step in steps if step.instruction.keyword in LAYER_INSTRUCTIONS]
    made = [entry for entry in history if entry.instruction in LAYER_INSTRUCTIONS]
    if len(made) < len(wanted):
        raise Unverifiable(
            f"the image's history has {len(made)} steps that make layers, "
            f"the Dockerfile {len(wanted)}"
        )
    top = made[len(made) - len(wanted) :]
    # The image has the last SHELL: the base's, unless the Dockerfile sets another.
    own_shell = any(step.instruction.keyword == "SHELL" for step in steps)
    base_shell = None if own_shell else tuple(shell)
    lines: dict[int, int] = {}
    for entry, step in zip(top, wanted, strict=True):
        record = _RecordedInstruction.of(entry)
        if not _may_be(record, step, base_shell):
            raise Unverifiable(
                "the image was not built from this Dockerfile, as far as its history says: "
                f"line {step.line} is `{_on_one_line(step.instruction.text)}`, "
                f"the image's history has `{_on_one_line(f'{record.keyword} {record.text}')}` there"
            )
        if entry.layer is not None:
            lines[entry.layer] = step.line
    if top:
        lowest = next(number for number, entry in enumerate(history) if entry is top[0])
        for entry in history[lowest:]:
            if entry.layer is not None and entry.layer not in lines:
                raise Unverifiable(_nobodys_layer(entry, wanted[0].line))
    return LayerLines(frozenset(lines), lines)


# What builders write of a step that makes a layer (read in their sources; the first two
# also built with):
#
#   BuildKit 0.8 to 0.29   RUN |1 A=9 /bin/sh -c echo $A # buildkit
#                          COPY --chown=1:2 a.txt b.txt /dest/ # buildkit
#                          WORKDIR /made/sub
#   classic 20.10 to 28    |1 A=9 /bin/sh -c echo $A
#                          /bin/sh -c #(nop) COPY multi:59e39… in /dest/
#                          /bin/sh -c #(nop) WORKDIR /made/sub
#   buildah, podman        /bin/sh -c --mount=target=/c echo $A:59e39…|unsetLabel=a
#                          /bin/sh -c #(nop) COPY dir:59e39… in $DEST |unsetLabel=a
#                          /bin/sh -c #(nop) WORKDIR sub
#   kaniko                 the instruction as it is written
#
# A RUN is recorded as written, after ``|N NAME=value`` for each build argument; the values
# are those of the build that made the image. BuildKit and the classic builder expand COPY, ADD
# and WORKDIR, with variables that only the base image or that build may know: any text may
# stand in their place.

_BUILDKIT = " # buildkit"
_DEFAULT_SHELL = ("/bin/sh", "-c")
_UNKNOWN = "\ue000"
_ARGUMENTS = regex(r"\|\d+ [^\s=]+=")
_CHECKSUMS = regex(r"(?:(?::[a-z0-9]{1,16})?:[0-9a-f]{32,128})+\Z")
_METADATA = regex(r" ?\|[A-Za-z][A-Za-z-]*=[^|]*(?:\|[A-Za-z][A-Za-z-]*=[^|]*)*\Z")


@dataclass(frozen=True)
class _RecordedInstruction:
    """An entry of the history: its keyword, the text after the keyword, and its builder's form."""

    keyword: str
    text: str
    form: Literal["buildkit", "nop", ""]

    @classmethod
    def of(cls, entry: HistoryEntry) -> _RecordedInstruction:
        text, keyword = _comparable(entry.created_by), entry.instruction
        first, _, rest = text.partition(" ")
        if first.upper() == keyword:
            form: Literal["buildkit", ""] = "buildkit" if rest.endswith(_BUILDKIT) else ""
            return cls(keyword, rest.removesuffix(_BUILDKIT), form)
        found = NOP.match(text)
        if found and keyword != "RUN":
            return cls(keyword, text[found.end() :].strip(), "nop")
        return cls(keyword, text, "")


def _comparable(text: str) -> str:
    """A text with single blanks, and without characters that JSON cannot carry."""
    return re.sub("[\udc80-\udcff\ufffd]+", "\ufffd", on_one_line(text))


def _on_one_line(text: str) -> str:
    return on_one_line(text, 60)


def _may_be(
    record: _RecordedInstruction, step: PlannedStep, base_shell: tuple[str, ...] | None
) -> bool:
    """Whether an entry of the history can be a step's; False only if that is impossible."""
    instruction = step.instruction
    if record.keyword != instruction.keyword:
        return False
    if record.text == _after_keyword(instruction.text):
        return True
    if instruction.keyword == "RUN":
        return _may_run(record, step, base_shell)
    if instruction.keyword == "WORKDIR":
        return _may_lead_to(record, step)
    return _may_copy(record, step)


def _after_keyword(text: str) -> str:
    return _comparable(text).partition(" ")[2]


def _may_run(
    record: _RecordedInstruction, step: PlannedStep, base_shell: tuple[str, ...] | None
) -> bool:
    """Whether a text is a RUN's command, with only build arguments and its shell before it."""
    texts = {record.text}
    if record.form != "buildkit":
        texts.add(_CHECKSUMS.sub("", _METADATA.sub("", record.text)))
    # buildah writes this shell whatever SHELL says.
    shells = {step.shell, base_shell or _DEFAULT_SHELL, _DEFAULT_SHELL}
    any_shell = base_shell is None and step.shell == _DEFAULT_SHELL
    exec_form = step.instruction.exec_form
    for text in texts:
        if exec_form is not None and _is_after(text, _comparable(" ".join(exec_form)), {()}):
            return True
        for command in _commands(step.instruction):
            if text == command or _is_after(text, command, shells):
                return True
            before = text[: len(text) - len(command)]
            if any_shell and text.endswith(command) and _may_be_shell(before):
                return True
    return False


def _is_after(text: str, command: str, shells: Collection[tuple[str, ...]]) -> bool:
    """Whether a text consists of build arguments, a shell and a command, in this order."""
    if not text.endswith(command):
        return False
    before = text[: len(text) - len(command)]
    for shell in shells:
        words = _comparable(" ".join(shell)) + " " if shell else ""
        if before == words or (before.endswith(words) and _ARGUMENTS.match(before)):
            return True
    return False


def _may_be_shell(before: str) -> bool:
    """Whether the text before a command can be a SHELL that the base image has set.

    Such a text is one program, or words that end with the option that takes a command
    (``/bin/bash -o pipefail -c``), without a word of the command itself.
    """
    words = before.split()
    if _ARGUMENTS.match(before):
        return " /bin/sh -c " not in before  # The end of the values is not known.
    takes_command = [re.fullmatch(r"-\w*c|-[Cc]ommand|/[Cc]", word) is not None for word in words]
    return len(words) == 1 or (any(takes_command) and takes_command.index(True) == len(words) - 1)


def _commands(instruction: Instruction) -> Iterator[str]:
    """The texts that builders give to a RUN: without or with flags, heredocs filled in."""
    documents = instruction.heredocs
    for text in (instruction.value, _after_keyword(instruction.text)):
        yield _comparable(text)
        if documents:
            yield _comparable("\n".join([text, *(f"{d.body}\n{d.name}" for d in documents)]))
            yield _comparable("\n".join([text, *(d.body for d in documents)]))
    if documents and heredoc_mark(instruction.value):
        yield _comparable(documents[0].body)
        yield _comparable(f"/dev/pipes/{documents[0].name}")


def _may_copy(record: _RecordedInstruction, step: PlannedStep) -> bool:
    """Whether a text has the destination of a COPY or ADD, and for BuildKit its sources."""
    words = json_strings(step.instruction.value)
    if words is None:
        words = WHITESPACE.split(step.instruction.value)
    text = re.sub(r"\A(?:--\S+ )+", "", record.text)
    if len(words) < 2:
        return True
    if record.form == "buildkit" and not step.instruction.heredocs:
        # A variable may be empty or bring blanks, so blanks do not count.
        shape = "".join(_shape(step, word).replace("\\ ", "") for word in words)
        return re.fullmatch(shape, text.replace(" ", "")) is not None
    place = rf"(?:{_shape(step, words[-1])}|{re.escape(_comparable(words[-1]))})"
    if record.form == "nop":
        added = re.match(r"(?:\S+ )?in ", text)
        if added is None:
            return True
        found = text[added.end() :]
        return any(re.fullmatch(place, item) for item in (found, _METADATA.sub("", found)))
    return re.search(rf"(?:\A| ){place}\Z", text) is not None


def _shape(step: PlannedStep, word: str) -> str:
    """A regular expression for a word after expansion: anything may stand for a variable."""
    known = _expanded(step, word)
    return ".*" if known is None else ".*".join(map(re.escape, known.split(_UNKNOWN)))


def _expanded(step: PlannedStep, text: str) -> str | None:
    try:
        return _comparable(Lexer(step.escape, unknown=_UNKNOWN).expand(text, {}))
    except SubstitutionError:
        return None


def _may_lead_to(record: _RecordedInstruction, step: PlannedStep) -> bool:
    """Whether a WORKDIR can lead to a directory: absolute, cleaned by the classic builder."""
    path = _expanded(step, step.instruction.value)
    if path is None or "\\" in path or ":" in path:
        return True  # Paths of Windows follow other rules.
    found = posixpath.normpath("/" + _METADATA.sub("", record.text)).strip("/")
    if path.startswith("/") and _UNKNOWN not in path:
        return posixpath.normpath("/" + path).strip("/") == found
    certain = re.split(rf"(?:\A|/)(?:\.\.|[^/]*{_UNKNOWN}[^/]*)(?=/|\Z)", path)[-1]
    tail = posixpath.normpath("/" + certain).strip("/")
    return not tail or f"/{found}".endswith(f"/{tail}")


def _nobodys_layer(entry: HistoryEntry, line: int) -> str:
    """Why a layer cannot be told from the base's.

    ``docker build --squash`` (moby) empties the entries of the steps and
    appends one without an instruction; a tool that writes one layer a stage
    (buildah without ``--layers``) gives it to the last instruction.
    """
    assert entry.layer is not None
    text = on_one_line(entry.created_by or entry.comment)
    remark = f" (history: {text[:60]})" if text else ""
    return (
        f"layer {entry.layer + 1} lies above line {line}, and no line made it{remark}: "
        "the image was squashed, or a tool has put a layer on top"
    )
