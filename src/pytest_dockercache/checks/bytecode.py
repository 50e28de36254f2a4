"""``no-bytecode``: no ``.pyc`` in the final image among what this Dockerfile adds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..dockerfile import PlannedStep
from ..image import Bytecode, bytecode
from ..model import Fix, Row, megabytes, on_one_line
from ..project import Project
from ..regexes import regex
from ..values import dataclass
from .contents import Contents
from .judged import Judged
from .mending import knows_mounts, mended
from .origins import Origin, ending_run, origin_of
from .reading import contents_of
from .settings import DEFAULTS, CheckSettings
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]

_SHOWN = 5


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Look for ``.pyc`` files in the Dockerfile's own layers, as the final image shows them."""
    return judge_contents(subject, contents_of(subject, subject.image(), settings))


def judge_contents(subject: Judged, contents: Contents) -> Verdict:
    """Judge an image whose layers have been read already."""
    everything = bytecode(contents.layers.view, contents.judged)
    found = sorted(
        (item for item in everything if item.has_source), key=lambda item: (-item.files, item.layer)
    )
    programs = [item for item in everything if not item.has_source]
    if not found:
        count = sum(item.files for item in programs)
        remark = f"; {count} without a source beside them are the program itself" if count else ""
        return Verdict(
            f"no .pyc files that a source stands for{remark}" if count else "no .pyc files"
        )
    files = sum(item.files for item in found)
    size = sum(item.bytes for item in found)
    worst = found[0]
    places = _outermost([item.path for item in found])
    line = contents.line(worst.layer)
    request = _request(contents.steps, worst, line)
    origin = origin_of(contents.steps, line, worst.path, _may_compile)
    raise broken(
        f"image holds bytecode: {_counted(files)}, {megabytes(size)}, in {_listed(places)}",
        subject=subject,
        rows=_rows(contents, found),
        why=_why(contents, worst, origin, request),
        fix=mended(
            subject,
            lambda project: _offer(subject, project, contents, found, programs),
            _fix(worst, origin, request, programs),
        ),
        line=line,
    )


def _offer(
    subject: Judged,
    project: Project,
    contents: Contents,
    found: Sequence[Bytecode],
    programs: Sequence[Bytecode],
) -> Fix | None:
    """A patch that deletes the bytecode in the instruction that writes it."""
    from ..fixing import Waste, without_pyc  # Only a failure needs fixes.

    lines = [contents.line(item.layer) for item in found]
    if programs or None in lines:
        return None  # Some bytecode is the program itself, and find cannot tell which.
    places: dict[int, list[str]] = {}
    for line, item in zip(lines, found, strict=True):
        places.setdefault(line or 0, []).append(item.path)
    waste = [Waste(line, path) for line in places for path in _outermost(places[line])]
    return without_pyc(project, waste, mounts=knows_mounts(subject))


# --- the instruction that asks for bytecode
# -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Request:
    """The words of a Dockerfile that ask for bytecode, and their line."""

    line: int
    words: str


_VARIABLE = regex(
    r"(?<![\w-])(UV_COMPILE_BYTECODE|PIP_COMPILE)[ =]+[\"']?(?:1|true|yes|on)\b", re.IGNORECASE
)
_COMMAND = regex(r"(?<![\w.-])(compileall|py_compile|--compile-bytecode|--compile)(?![\w-])")


def _request(steps: Sequence[PlannedStep], worst: Bytecode, line: int | None) -> _Request | None:
    """The words that ask for a layer's bytecode, None if there are none.

    Such words stand in the layer's own RUN, in a RUN of the stage that the layer is copied from, or
    in a variable that is set above either; the nearest words count.
    """
    origin = origin_of(steps, line, worst.path, _may_compile)
    makers = origin.makers or ((line,) if line is not None else ())
    for maker in makers:
        step = next((step for step in steps if step.line == maker), None)
        if step is None or step.instruction.keyword != "RUN":
            continue
        text = on_one_line(step.instruction.text)
        found = _VARIABLE.search(text) or _COMMAND.search(text)
        if found is not None:
            return _Request(step.line, found[0])
        for name, value in reversed(step.environment):
            if _VARIABLE.fullmatch(f"{name}={value}"):
                return _Request(_declared(steps, step, name), f"{name}={value}")
    return None


def _declared(steps: Sequence[PlannedStep], step: PlannedStep, name: str) -> int:
    """The line of the ENV or ARG that gave a step a variable; the step's own if a base did."""
    found = step.line
    for earlier in steps:
        keyword, text = earlier.instruction.keyword, earlier.instruction.text
        if (
            keyword in ("ENV", "ARG")
            and earlier.line < step.line
            and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
        ):
            found = earlier.line
    return found


def _may_compile(step: PlannedStep) -> bool:
    return bool(
        re.search(
            r"python|pip|conda|mamba|uv|poetry|pdm|pipenv|pixi|compileall", step.instruction.text
        )
    )


# --- the message -----------------------------------------------------------------------------


def _outermost(places: Sequence[str]) -> list[str]:
    """Places without the places that lie below another one."""
    return [
        place
        for place in dict.fromkeys(places)
        if not any(place.startswith(other + "/") for other in places)
    ]


def _counted(files: int) -> str:
    return "1 .pyc file" if files == 1 else f"{files} .pyc files"


def _more(places: int) -> str:
    return "1 more place" if places == 1 else f"{places} more places"


def _listed(places: Sequence[str]) -> str:
    if len(places) == 1:
        return places[0]
    if len(places) == 2:
        return " and ".join(places)
    return f"{places[0]}, {places[1]} and {_more(len(places) - 2)}"


def _rows(contents: Contents, found: Sequence[Bytecode]) -> list[Row]:
    rows = []
    for item in found[:_SHOWN]:
        remark = f"{item.path}: {_counted(item.files)}, {megabytes(item.bytes)}"
        rows.append(contents.row(item.layer, remark))
        if item.examples:
            rows.append(Row(f"{'':>6}e.g. {item.examples[0]}"))
    if len(found) > _SHOWN:
        rows.append(Row(f"{'':>6}and {_more(len(found) - _SHOWN)}"))
    return rows


def _why(contents: Contents, worst: Bytecode, origin: Origin, request: _Request | None) -> str:
    who = contents.place(worst.layer)
    if request is not None:
        asks = f"line {request.line} asks for bytecode ({request.words})"
        if request.line == origin.line:
            return asks
        return f"{asks}, and {who} {'copies' if origin.kind != 'run' else 'writes'} it"
    if origin.kind == "run" and 2 * worst.copied > worst.bytes:
        return f"{who} changes the owner or mode of .pyc files, which stores them again"
    if origin.kind in ("stage", "image"):
        name = f"stage {origin.stage}" if origin.kind == "stage" else f"the image {origin.stage}"
        return f"{who} copies .pyc files with their sources from {name}"
    if origin.kind == "context":
        return f"{who} copies .pyc files from the build context"
    return f"{who} adds .pyc files, which python writes again when needed"


def _fix(
    worst: Bytecode, origin: Origin, request: _Request | None, programs: Sequence[Bytecode]
) -> str:
    if request is not None:
        return (
            f"leave {request.words} out of line {request.line}; or, if the first start must be "
            "quick, keep the bytecode and leave this check out (--dockercache-skip=no-bytecode)"
        )
    if origin.kind == "context":
        return "exclude **/__pycache__ and **/*.pyc from the build context with .dockerignore"
    if origin.kind == "image":
        return f"delete them where {origin.stage} is built: nothing can be appended to a COPY"
    if origin.kind == "stage":
        lines = _lines(origin.makers)
        where = f"line {lines}" if lines else f"stage {origin.stage}"
        return f"{_deletion(origin.path, programs)} in {where}, where they are written"
    if origin.kind == "run":
        if 2 * worst.copied > worst.bytes:
            return "delete them in the step that writes them"
        deletion = _deletion(worst.path, programs)
        return ending_run(origin.line, deletion)
    return "set ENV PYTHONDONTWRITEBYTECODE=1"


def _deletion(path: str, programs: Sequence[Bytecode]) -> str:
    """A command that deletes bytecode below a path, but no program that exists only as bytecode."""
    if any(item.path == path or item.path.startswith(path + "/") for item in programs):
        return f"find {path} -depth -name __pycache__ -exec rm -r {{}} +"
    return f"find {path} -name '*.pyc' -delete"


def _lines(lines: Sequence[int]) -> str:
    return " or ".join(map(str, lines))
