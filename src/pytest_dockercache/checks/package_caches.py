"""``no-package-caches``: the image holds no package managers' caches."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..dockerfile import PlannedStep
from ..environments import tools
from ..image import PackageCache, package_caches
from ..model import Fix, Row, megabytes
from ..project import Project
from .contents import Contents
from .judged import Judged
from .mending import knows_mounts, mended
from .origins import Origin, ending_run, origin_of
from .reading import contents_of
from .settings import DEFAULTS, CheckSettings
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]


def judge(subject: Judged, settings: CheckSettings = DEFAULTS) -> Verdict:
    """Look at the files that the Dockerfile's own layers add to the final image."""
    return judge_contents(subject, contents_of(subject, subject.image(), settings))


def judge_contents(subject: Judged, contents: Contents) -> Verdict:
    """Judge an image whose layers have been read already."""
    caches = package_caches(contents.layers.view, contents.judged, tools.caches())
    failing = [item for item in caches if item.fails]
    if not failing:
        reported = sum(item.bytes for item in caches)
        remark = f"; {megabytes(reported)} beside them are only reported" if reported else ""
        return Verdict(f"no package caches{remark}")
    total = sum(item.bytes for item in failing)
    place, line = _worst(contents, failing)
    worst = [item for item in failing if item.place == place and _line(contents, item) == line]
    others = len({item.place for item in failing}) - 1
    more = f" and {others} more place{'s' if others > 1 else ''}" if others else ""
    origin = origin_of(contents.steps, line, place, lambda step: _runs(step, _names(worst)))
    raise broken(
        f"image holds package caches: {megabytes(total)} in {place}{more}",
        subject=subject,
        rows=_rows(contents, failing),
        why=_why(contents, worst, origin),
        fix=mended(
            subject,
            lambda project: _offer(subject, project, contents, failing),
            _fix(worst, origin),
        ),
        line=line,
    )


def _offer(
    subject: Judged, project: Project, contents: Contents, failing: Sequence[PackageCache]
) -> Fix | None:
    """A patch that removes what each line leaves, by line and place."""
    from ..fixing import Waste, without_package_caches  # Only a failure needs them.

    groups: dict[tuple[int, str], list[PackageCache]] = {}
    for item in failing:
        line = _line(contents, item)
        if line is None:
            return None
        groups.setdefault((line, item.place), []).append(item)
    waste = [
        Waste(line, place, min(_names(items), default=""), _is_torn(items))
        for (line, place), items in groups.items()
    ]
    return without_package_caches(project, waste, mounts=knows_mounts(subject))


def _line(contents: Contents, item: PackageCache) -> int | None:
    return contents.line(item.layer)


def _worst(contents: Contents, failing: Sequence[PackageCache]) -> tuple[str, int | None]:
    """The place and the line with the most bytes."""
    sums: dict[tuple[str, int | None], int] = {}
    for item in failing:
        key = (item.place, _line(contents, item))
        sums[key] = sums.get(key, 0) + item.bytes
    return max(sums, key=lambda key: sums[key])


def _names(items: Sequence[PackageCache]) -> frozenset[str]:
    return frozenset(item.cache.tool for item in items if item.cache is not None)


def _runs(step: PlannedStep, names: frozenset[str]) -> bool:
    """Whether a RUN's text names a program of one of these package managers."""
    words = re.findall(r"[\w.-]+", step.instruction.text)
    return any(tools.family_of(word) in names for word in words)


def _is_torn(items: Sequence[PackageCache]) -> bool:
    """Whether most of the bytes are copies that a change of owner or mode has made."""
    return 2 * sum(item.copied for item in items) > sum(item.bytes for item in items)


def _titles(items: Sequence[PackageCache]) -> str:
    titles = list(dict.fromkeys(item.title for item in items))
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def _why(contents: Contents, worst: Sequence[PackageCache], origin: Origin) -> str:
    who = contents.place(worst[0].layer)
    titles, place = _titles(worst), worst[0].place
    if origin.kind == "run" and _is_torn(worst):
        return (
            f"{who} changes the owner or mode of files in {place}: that stores them again, "
            "without the hard links that made them free"
        )
    if origin.kind == "stage":
        made = f", where {_lines(origin.makers)} left them" if origin.makers else ""
        return (
            f"{who} copies {titles} from stage {origin.stage}{made}; the copy is linked to nothing"
        )
    if origin.kind == "image":
        return f"{who} copies {titles} from the image {origin.stage}"
    if origin.kind == "context":
        return f"{who} copies {titles} from the build context"
    return f"{who} leaves {titles} in its layer"


def _fix(worst: Sequence[PackageCache], origin: Origin) -> str:
    place, kind = worst[0].place, worst[0].cache
    if origin.kind == "run" and _is_torn(worst):
        return (
            f"leave {place} out of what line {origin.line} changes, or change it in the RUN that "
            "makes these files: inside one step no link is torn"
        )
    if origin.kind in ("stage", "image"):
        return f"leave {place} out of what line {origin.line} copies: no program needs it"
    if origin.kind == "context":
        return f"exclude {origin.path} from the build context with .dockerignore"
    avoid = kind.avoid if kind is not None else ""
    if kind is not None and kind.clean == avoid and origin.line is not None:
        return ending_run(origin.line, avoid)
    return avoid + (f", in line {origin.line}" if origin.line is not None else "")


def _lines(lines: Sequence[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    return f"lines {', '.join(map(str, lines[:-1]))} or {lines[-1]}"


def _rows(contents: Contents, failing: Sequence[PackageCache]) -> list[Row]:
    """One row for each layer, part of a cache and place, with the sum of its bytes."""
    sums: dict[tuple[int, str, str], list[PackageCache]] = {}
    for item in failing:
        sums.setdefault((item.layer, item.title, item.place), []).append(item)
    rows = []
    for (layer, title, place), items in sums.items():
        files = sum(item.files for item in items)
        size = megabytes(sum(item.bytes for item in items))
        count = "1 file" if files == 1 else f"{files} files"
        rows.append(contents.row(layer, f"{place}: {count}, {size} of {title}"))
        if items[0].examples:
            rows.append(Row(f"{'':>6}e.g. {items[0].examples[0]}"))
    return rows
