"""``no-package-caches``: the image holds no conda or pip package caches."""

from __future__ import annotations

from collections.abc import Mapping

from ..environments import tools
from ..image import PackageCache, package_caches
from ..model import Row
from ..subject import Subject
from .contents import Contents, megabytes
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]

_NAMES: Mapping[str, str] = {
    "conda-archives": "package archives",
    "conda-index": "conda's index cache",
    "conda-packages": "extracted packages",
    "pip": "pip's cache",
}

_FIXES: Mapping[str, str] = {
    "conda-archives": "conda clean -afy",
    "conda-index": "conda clean -afy",
    "conda-packages": "conda clean -afy",
    "pip": "pip install --no-cache-dir (or ENV PIP_NO_CACHE_DIR=1)",
}


def judge(subject: Subject) -> Verdict:
    """Look at what the Dockerfile's own layers add, as the final image shows it."""
    return judge_contents(subject, contents_of(subject, subject.image()))


def judge_contents(subject: Subject, contents: Contents) -> Verdict:
    """The same for an image that was read already."""
    layers = contents.layers
    caches = package_caches(
        layers.view, contents.judged, env=layers.config.env, caches=tools.caches()
    )
    failing = sorted((item for item in caches if item.fails), key=lambda item: -item.bytes)
    reported = sum(item.bytes for item in caches if not item.fails)
    if not failing:
        remark = f"; {megabytes(reported)} beside them are only reported" if reported else ""
        return Verdict(f"no package caches{remark}")
    total = sum(item.bytes for item in failing)
    worst = failing[0]
    place = _root(worst)
    line = contents.line(worst.layer)
    fix = _FIXES[worst.kind]
    if line is not None and fix.startswith("conda clean"):
        fix = f'append "&& {fix}" to the RUN in line {line}: a later RUN frees nothing'
    raise broken(
        f"image holds package caches: {megabytes(total)} in {place}"
        + (f" and {len(_roots(failing)) - 1} more places" if len(_roots(failing)) > 1 else ""),
        subject=subject,
        rows=_rows(contents, failing),
        why=f"{contents.place(worst.layer)} downloads packages and leaves "
        f"{_NAMES[worst.kind]} in its layer",
        fix=fix,
        line=line,
    )


def _root(item: PackageCache) -> str:
    """The cache directory that a finding lies in: ``/opt/conda/pkgs`` for an extracted package."""
    head, found, _ = item.path.partition("/pkgs/")
    return f"{head}/pkgs" if found else item.path


def _roots(items: list[PackageCache]) -> set[str]:
    return {_root(item) for item in items}


def _rows(contents: Contents, failing: list[PackageCache]) -> list[Row]:
    """One row for each layer, kind and place; extracted packages are added up."""
    sums: dict[tuple[int, str, str], list[PackageCache]] = {}
    for item in failing:
        sums.setdefault((item.layer, item.kind, _root(item)), []).append(item)
    rows = []
    for (layer, kind, place), items in sums.items():
        files = sum(item.files for item in items)
        size = megabytes(sum(item.bytes for item in items))
        rows.append(contents.row(layer, f"{place}: {files} files, {size} of {_NAMES[kind]}"))
        if items[0].examples:
            rows.append(Row(f"{'':>6}e.g. {items[0].examples[0]}"))
    return rows
