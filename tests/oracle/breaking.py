"""Good projects on disk, broken in one to three places, and the patches that their checks offer.

A good project is a directory with a Dockerfile all of whose checks pass. A
broken one is judged by every check, with real builds; each patch that a
failing check offers is applied by ``git apply``, and the patched project is
judged again: it must build, the check must pass, and so must every check that
passed before.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from pytest_dockercache._pytest.outcomes import decide, passed
from pytest_dockercache.checks import CHECKS
from pytest_dockercache.dockerfile import parse_dockerfile
from pytest_dockercache.dockerfile.rewriting import Sheet, sheet_of
from pytest_dockercache.errors import CacheAssertionError, DockerCacheError
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Settings
from pytest_dockercache.report.findings import Ending
from pytest_dockercache.runs import Run
from pytest_dockercache.subject import Subject

__all__ = ["Figures", "Workshop", "broken_text"]

JUDGED = (
    "builds",
    "env-layer-cached",
    "env-change-rebuilds",
    "build-args-late",
    "dockerignore-effective",
    "no-package-caches",
    "no-bytecode",
    "no-hidden-bytes",
)

Lines = list[str]
"""A Dockerfile as its instructions, each with its comments and continuations."""


# -- ways to break a Dockerfile


def _keyword(block: str) -> str:
    for line in block.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return line.split()[0].upper()
    return ""


def _is_source(block: str) -> bool:
    """Whether a block copies a file from the context that is no manifest."""
    if _keyword(block) != "COPY" or "--from" in block or "<<" in block:
        return False
    return re.search(r"\.(ya?ml|toml|lock|txt|in|cfg)\b|requirements", block) is None


def _runs(blocks: Lines) -> list[int]:
    return [number for number, block in enumerate(blocks) if _keyword(block) == "RUN"]


def _stage_start(blocks: Lines, number: int) -> int:
    return max(p for p in range(number + 1) if _keyword(blocks[p]) == "FROM")


def _source_above(blocks: Lines, choose: random.Random) -> Lines | None:
    found = [n for n, block in enumerate(blocks) if _is_source(block)]
    if not found:
        return None
    number = choose.choice(found)
    above = [n for n in _runs(blocks) if _stage_start(blocks, number) < n < number]
    return _moved(blocks, number, choose.choice(above)) if above else None


def _moved(blocks: Lines, number: int, above: int) -> Lines:
    rest = [block for n, block in enumerate(blocks) if n != number]
    return [*rest[:above], blocks[number], *rest[above:]]


def _widened(blocks: Lines, choose: random.Random) -> Lines | None:
    pattern = re.compile(r"^(COPY )([\w./ *-]+?) (\./?|/\S*/)$", re.MULTILINE)
    found = [n for n, block in enumerate(blocks) if pattern.search(block) and "--" not in block]
    if not found:
        return None
    number = choose.choice(found)
    return [
        pattern.sub(r"\1. \3", block) if n == number else block for n, block in enumerate(blocks)
    ]


def _swapped(blocks: Lines, choose: random.Random) -> Lines | None:
    pairs = [
        n
        for n in range(len(blocks) - 1)
        if {_keyword(blocks[n]), _keyword(blocks[n + 1])} == {"COPY", "RUN"}
    ]
    if not pairs:
        return None
    number = choose.choice(pairs)
    return [
        *blocks[:number], blocks[number + 1], blocks[number], *blocks[number + 2 :]
    ]  # fmt: skip


def _merged(blocks: Lines, choose: random.Random) -> Lines | None:
    """Two RUNs of a stage as one, where the second stood: what stands between is above now."""
    runs = [n for n in _runs(blocks) if "<<" not in blocks[n] and "--mount" not in blocks[n]]
    pairs = [
        (a, b) for a, b in pairwise(runs) if _stage_start(blocks, a) == _stage_start(blocks, b)
    ]
    if not pairs:
        return None
    first, second = choose.choice(pairs)
    command = re.split(r"^RUN\s+", blocks[second], maxsplit=1, flags=re.MULTILINE)[1]
    joined = blocks[first].rstrip() + " \\\n    && " + command
    return [
        joined if n == second else block for n, block in enumerate(blocks) if n != first
    ]  # fmt: skip


_FLAGS = re.compile(
    r" (--no-cache-dir|--no-cache|--no-compile|--no-root|--no-install-project|--no-self"
    r"|--no-install-workspace|--chown=\S+)(?=\s)"
)


def _unflagged(blocks: Lines, choose: random.Random) -> Lines | None:
    found = [(n, match) for n, block in enumerate(blocks) for match in _FLAGS.finditer(block)]
    if not found:
        return None
    number, match = choose.choice(found)
    block = blocks[number]
    return [*blocks[:number], block[: match.start()] + block[match.end() :], *blocks[number + 1 :]]


_CLEANING = re.compile(
    r"\s*\\\n\s*&& ((?:conda|mamba|micromamba) clean[^\\\n]*|find [^\\\n]*-delete|rm -rf? [^\\\n]*)"
)


def _not_cleaned(blocks: Lines, choose: random.Random) -> Lines | None:
    found = [(n, match) for n, block in enumerate(blocks) for match in _CLEANING.finditer(block)]
    if not found:
        return None
    number, match = choose.choice(found)
    block = blocks[number]
    left = block[: match.start()] + block[match.end() :]
    apart = [f"RUN {match[1]}\n"] if choose.random() < 0.5 else []
    return [*blocks[:number], left, *apart, *blocks[number + 1 :]]


def _argument_above(blocks: Lines, choose: random.Random) -> Lines | None:
    runs = _runs(blocks)
    if not runs or any("GIT_SHA" in block for block in blocks):
        return None
    use = choose.choice(
        ["ENV VERSION=$GIT_SHA\n", "RUN echo $GIT_SHA > /version\n", "LABEL sha=$GIT_SHA\n", ""]
    )
    number = choose.choice(runs)
    end = next(
        (n for n in range(number, len(blocks)) if _keyword(blocks[n]) == "FROM"), len(blocks)
    )
    return [
        *blocks[:number], "ARG GIT_SHA=dev\n", *blocks[number:end], use, *blocks[end:]
    ]  # fmt: skip


def _argument_inside(blocks: Lines, choose: random.Random) -> Lines | None:
    runs = [n for n in _runs(blocks) if "<<" not in blocks[n] and "[" not in blocks[n][:6]]
    if not runs or any("GIT_SHA" in block for block in blocks):
        return None
    number = choose.choice(runs)
    block = blocks[number].rstrip("\n") + " \\\n    && echo $GIT_SHA > /version\n"
    return [*blocks[:number], "ARG GIT_SHA=dev\n", block, *blocks[number + 1 :]]


WAYS: Mapping[str, Callable[[Lines, random.Random], Lines | None]] = {
    "source above": _source_above,
    "copy widened": _widened,
    "swapped": _swapped,
    "runs merged": _merged,
    "flag removed": _unflagged,
    "clean removed": _not_cleaned,
    "argument above": _argument_above,
    "argument inside": _argument_inside,
}


def broken_text(text: str, choose: random.Random) -> tuple[str, tuple[str, ...]]:
    """A Dockerfile's text broken in one to three places, and how; nothing where no way applies."""
    sheet: Sheet = sheet_of(text.replace("\r\n", "\n"))
    blocks = ["".join((*block.above, *block.lines)) for block in sheet.blocks]
    blocks = [block if block.endswith("\n") else f"{block}\n" for block in blocks]
    wanted = choose.choice([1, 1, 2, 3])
    how: list[str] = []
    for name in choose.sample(sorted(WAYS), len(WAYS)):
        made = WAYS[name](blocks, choose) if len(how) < wanted else None
        if made is not None and made != blocks:
            blocks = [block for block in made if block]
            how.append(name)
    return "".join((*blocks, *sheet.tail)), tuple(how)


# -- judging the patches


@dataclass
class Figures:
    """The outcomes of the broken projects and of their failing checks."""

    projects: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    offered: int = 0
    right: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        share = f"{self.offered / self.asked:.1%}" if self.asked else "-"
        left_out = ", ".join(f"{count} {why}" for why, count in self.skipped.most_common())
        lines = [
            f"{self.projects} broken projects with {self.asked} failing checks: {self.offered} "
            f"patches offered ({share}), {self.right} right, {len(self.wrong)} wrong"
            + (f"; left out: {left_out}" if left_out else "")
        ]
        lines += [f"  wrong  seed {seed}: {why}" for seed, why in self.wrong]
        lines += [f"  {count:>4}  {text}" for text, count in self.words.most_common(30)]
        return "\n".join(lines)


@dataclass
class Workshop:
    """Directories of good projects, and the results of their checks before any change."""

    projects: Sequence[Path]
    build_args: Mapping[str, str]
    run: Run
    folder: Path
    _good: dict[Path, Mapping[str, Ending]] = field(default_factory=dict)

    def judge(self, seed: int, figures: Figures) -> bool:
        """Break the project of a seed and try the offered patches; False where it says nothing."""
        choose = random.Random(seed)
        source = choose.choice(list(self.projects))
        home = self.folder / f"project-{seed}"
        try:
            return self._judge(source, home, seed, choose, figures)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _judge(
        self, source: Path, home: Path, seed: int, choose: random.Random, figures: Figures
    ) -> bool:
        good = self._baseline(source)
        root = home / source.name
        shutil.copytree(source, root, symlinks=True)
        text, how = broken_text((root / "Dockerfile").read_text(), choose)
        ignore = root / ".dockerignore"
        if ignore.is_file() and choose.random() < 0.3:
            lines = ignore.read_text().splitlines(keepends=True)
            ignore.write_text("".join(choose.sample(lines, len(lines) // 2)))
            how = (*how, "ignore lines dropped")
        if not how:
            figures.skipped["cannot be broken"] += 1
            return False
        parse_dockerfile(text)
        (root / "Dockerfile").write_text(text)
        broken = self._endings(root)
        if broken["builds"].outcome != "passed":
            figures.skipped["do not build"] += 1
            return False
        failing = [
            check
            for check, ending in broken.items()
            if ending.outcome == "failed" and good[check].outcome != "failed"
        ]
        if not failing:
            figures.skipped["are still good"] += 1
            return False
        figures.projects += 1
        for check in failing:
            figures.asked += 1
            fix = broken[check].fix
            if fix is None or fix.patch is None:
                said = "" if fix is None else fix.text
                figures.words[f"seed {seed} {source.name} {check} ({', '.join(how)}): {said}"] += 1
                continue
            figures.offered += 1
            why = self._tried(root, home / check / source.name, fix.patch, check, broken)
            if why:
                figures.wrong.append((seed, f"{source.name} ({', '.join(how)}): {why}"))
            else:
                figures.right += 1
        return True

    def _baseline(self, source: Path) -> Mapping[str, Ending]:
        if source not in self._good:
            root = self.folder / "good" / source.name
            shutil.copytree(source, root, symlinks=True)
            self._good[source] = self._endings(root)
            shutil.rmtree(root)
        return self._good[source]

    def _tried(
        self, root: Path, place: Path, patch: str, check: str, before: Mapping[str, Ending]
    ) -> str:
        # A place of its own: a run remembers the builds at a path.
        shutil.copytree(root, place, symlinks=True)
        applied = subprocess.run(
            ["git", "apply", "-"], cwd=place, input=patch.encode(), capture_output=True, check=False
        )
        if applied.returncode:
            return f"{check}: does not apply: {applied.stderr.decode(errors='replace')[-300:]}"
        after = self._endings(place)
        for name, ending in before.items():
            wanted = name == check or ending.outcome == "passed"
            if wanted and after[name].outcome != "passed":
                said = after[name].message.partition("\n")[0]
                return f"{check}: with it applied {name} {after[name].outcome}: {said}\n{patch}"
        return ""

    def _endings(self, root: Path) -> dict[str, Ending]:
        spec = BuildSpec(root / "Dockerfile", root)
        text = spec.dockerfile.read_text()
        given = {name: v for name, v in self.build_args.items() if f"ARG {name}" in text}
        spec = replace(spec, build_args=tuple(given.items()))
        subject = Subject(spec, Settings(root=root, timeout=300), self.run)
        return dict(_judged(subject))


def _judged(subject: Subject) -> Iterator[tuple[str, Ending]]:
    for check in JUDGED:
        try:
            verdict = CHECKS[check].judge(subject)
        except (DockerCacheError, CacheAssertionError) as problem:
            yield check, decide(problem, check=check, strict=False, auto=False)
        else:
            yield check, passed(verdict)
