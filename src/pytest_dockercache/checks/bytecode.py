"""``no-bytecode``: no ``.pyc`` in the final image among what this Dockerfile adds."""

from __future__ import annotations

from ..image import bytecode
from ..model import Row
from ..subject import Subject
from .contents import Contents, megabytes
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = ["judge", "judge_contents"]


def judge(subject: Subject) -> Verdict:
    """Look for ``.pyc`` files in the Dockerfile's own layers, as the final image shows them."""
    return judge_contents(subject, contents_of(subject, subject.image()))


def judge_contents(subject: Subject, contents: Contents) -> Verdict:
    """The same for an image that was read already."""
    found = sorted(
        bytecode(contents.layers.view, contents.judged), key=lambda item: (-item.files, item.layer)
    )
    if not found:
        return Verdict("no .pyc files")
    files = sum(item.files for item in found)
    size = sum(item.bytes for item in found)
    worst = found[0]
    line = contents.line(worst.layer)
    rows = []
    for item in found:
        remark = f"{item.path}: {item.files} .pyc files, {megabytes(item.bytes)}"
        rows.append(contents.row(item.layer, remark))
        if item.examples:
            rows.append(Row(f"{'':>6}e.g. {item.examples[0]}"))
    fix = "set ENV PYTHONDONTWRITEBYTECODE=1"
    if line is not None:
        fix = (
            f"append \"&& find {worst.path} -name '*.pyc' -delete\" to line {line}, or where its "
            "files come from: a later RUN frees nothing"
        )
    raise broken(
        f"image holds bytecode: {files} .pyc files, {megabytes(size)}, in {worst.path}",
        subject=subject,
        rows=rows,
        why=f"{contents.place(worst.layer)} adds .pyc files, which python writes again when needed",
        fix=fix,
        line=line,
    )
