"""The prediction for each step after a change of the project: hit, miss, or unknown.

The first snapshot stands for a finished build, whose steps are the records of the cache. A step of
the second build is a hit if a record has an equal operation, stands on the same record, and reads
equal content (solver/edge.go in BuildKit). The model assumes that both builds share one builder,
that nothing was pruned between them, and that no other project supplied a record.

A key stays unknown where it depends on the output of a command that ran again, on the content of a
URL, or on a setting that only the base image knows. Unknown is never turned into a hit.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Literal

from ..context.edits import UNIQUE_WORD
from ..context.gomatch import has_wildcard
from ..context.missing import missing_sources
from ..context.places import better_context
from ..context.selection import rooted
from ..dockerfile import PlannedStep, Transfer
from ..dockerfile.instructions import mounts
from ..errors import BuildFailed
from ..model import Finding, Fix
from ..regexes import regex
from ..values import dataclass
from .contents import PathDifference, differences, is_untouched, select
from .keys import Content, Facet, Key, Value, keys
from .snapshot import BUILDKIT, Dialect, Snapshot, canonical_image, is_unknown, tokens

__all__ = ["CachedStep", "Prediction", "Sameness"]

Sameness = Literal["equal", "different", "unknown"]
PredictedStatus = Literal["hit", "miss", "unknown"]


@dataclass(frozen=True, eq=False)
class CachedStep:
    """A step of the earlier build in the cache; ``below`` is the node that it stands on."""

    key: Key
    below: Node


@dataclass(frozen=True)
class Base:
    """The beginning of a root file system: an image, or nothing (``scratch``)."""

    token: str


Node = CachedStep | Base


@dataclass(frozen=True)
class State:
    """The state below a step of the later build: its status, and the records that it may be."""

    status: PredictedStatus
    nodes: tuple[Node, ...]
    root: PlannedStep | None = None


@dataclass(frozen=True)
class Prediction:
    """The prediction for one step of the edited build.

    ``runs`` is False for an instruction that the builder never hits or misses. ``root`` is the
    earlier step whose miss or unknown status the step inherits, None if the step is itself the
    first. ``rivals`` are the nearest records.
    """

    key: Key
    status: PredictedStatus
    runs: bool = True
    root: PlannedStep | None = None
    rivals: tuple[CachedStep, ...] = ()
    unsure: tuple[Content, ...] = ()

    @property
    def step(self) -> PlannedStep:
        """The planned step that this is about."""
        return self.key.step


@dataclass
class Comparison:
    """Two snapshots, their keys, and how the second is matched against the first."""

    before: Snapshot
    after: Snapshot
    dialect: Dialect = BUILDKIT
    before_keys: tuple[Key, ...] = ()
    after_keys: tuple[Key, ...] = ()
    records: list[CachedStep] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    _old_chains: dict[int, list[tuple[Key, State]]] = field(default_factory=dict)
    _new_chains: dict[int, list[tuple[Key, State]]] = field(default_factory=dict)
    _content: dict[tuple[int, int], Sameness] = field(default_factory=dict)
    _of_itself: dict[int, tuple[bool, ...]] = field(default_factory=dict)
    _doubtful: dict[tuple[str, int, int, bool], bool] = field(default_factory=dict)
    _vertices: dict[int, int] = field(default_factory=dict)
    _numbers: dict[object, int] = field(default_factory=dict)

    def run(self) -> Comparison:
        """Match every step. Raises ConfigError, and BuildFailed for a COPY without its source."""
        names = self.before.referenced(self.dialect) | self.after.referenced(self.dialect)
        self.before_keys = keys(self.before, self.before.steps(self.dialect, names), self.dialect)
        self.after_keys = keys(self.after, self.after.steps(self.dialect, names), self.dialect)
        require_sources(self.before, self.before_keys, self.dialect)
        require_sources(self.after, self.after_keys, self.dialect)
        self._remember()
        for key in self.after_keys:
            self._judge(key)
        return self

    # -- the build before

    def _remember(self) -> None:
        """Make the records; equal steps (of two stages, say) are one."""
        chains = self._old_chains
        for key in self.before_keys:
            below = self._below(key, chains)
            self._look_at_itself(key, chains)
            chain = chains[key.step.stage.index]
            if not key.runs:
                chain.append((key, below))
                continue
            same = [
                record
                for record in self.records
                if record.below in below.nodes
                and record.key.operation == key.operation
                and self._equal_here(record.key, key)
            ]
            if not same:
                same = [CachedStep(key, below.nodes[0])]
                self.records += same
            chain.append((key, State("hit", (same[0],))))

    def _equal_here(self, one: Key, other: Key) -> bool:
        """Whether two steps of the earlier build certainly read equal content."""
        if len(one.contents) != len(other.contents):
            return False
        if self.copies_itself(one) != self.copies_itself(other):
            return False
        for first, second in zip(one.contents, other.contents, strict=True):
            if first.origin != second.origin:
                return False
            if first.source == second.source and first.transfer.kind == second.transfer.kind:
                continue
            if first.origin != "context":
                return False
            tree = self.before.tree
            left = select(tree, first.source, first.transfer, self.dialect)
            right = select(tree, second.source, second.transfer, self.dialect)
            if left is None or right is None or differences(left, right, self.dialect):
                return False
        return True

    def _below(self, key: Key, chains: dict[int, list[tuple[Key, State]]]) -> State:
        """The state that a step stands on; begins the chain of a stage at its FROM."""
        stage = key.step.stage
        chain = chains.get(stage.index)
        if chain:
            return chain[-1][1]
        if stage.parent is not None and stage.parent in chains:
            chains[stage.index] = list(chains[stage.parent])
            return chains[stage.index][-1][1]
        chains[stage.index] = []
        token = key.base
        if chains is self._old_chains:
            return State("hit", (Base(token),))
        if key.fresh:
            # A directory that is a root file system has the key of the session that sends it, so
            # that no build finds what another made on it (run with BuildKit 0.13).
            return State("miss", (), key.step)
        known = {
            state.nodes[0]
            for other in self._old_chains.values()
            for _, state in other
            if isinstance(state.nodes[0], Base)
        }
        if Base(token) not in known:
            return State("miss", (), key.step)
        if has_triggers(stage.base) and stage.base not in self.after.bases:
            return State("unknown", (Base(token),), key.step)
        return State("hit", (Base(token),))

    def _look_at_itself(self, key: Key, chains: dict[int, list[tuple[Key, State]]]) -> None:
        """Note for each content whether it comes from the state that the step stands on.

        BuildKit then gives the operation one input instead of two, which
        makes it another one (observed with 0.13, COPY and bind mounts).
        """
        if self.dialect.name != "buildkit":
            return
        stages = [content.origin for content in key.contents]
        if any(isinstance(stage, int) for stage in stages):
            own = self._vertex(chains[key.step.stage.index], chains)
            self._of_itself[id(key)] = tuple(
                isinstance(stage, int) and self._vertex(chains.get(stage, []), chains) == own
                for stage in stages
            )

    def _vertex(
        self,
        chain: Sequence[tuple[Key, State]],
        chains: Mapping[int, Sequence[tuple[Key, State]]],
    ) -> object:
        """The identity of the end of a chain among all vertices of the same build.

        A number stands for the inputs of a step: stages that copy from one another several times
        would otherwise be described over and over.
        """
        # The name of the image counts, not its layers: two names are two inputs (run with BuildKit
        # 0.13).
        end: object = chain[0][0].image if chain else None
        for key, _ in chain:
            if not key.runs:
                continue
            if id(key) not in self._vertices:
                contents = tuple(
                    (
                        self._vertex(chains.get(content.origin, []), chains)
                        if isinstance(content.origin, int)
                        else content.origin,
                        content.source,
                        _shape(content.transfer),
                    )
                    for content in key.contents
                )
                made = (key.operation, contents, end)
                self._vertices[id(key)] = self._numbers.setdefault(made, len(self._numbers))
            end = self._vertices[id(key)]
        return end

    def copies_itself(self, key: Key) -> tuple[bool, ...]:
        """Of each content of a step, whether it comes from the state that the step stands on."""
        return self._of_itself.get(id(key), ())

    # -- the build after

    def _judge(self, key: Key) -> None:
        below = self._below(key, self._new_chains)
        self._look_at_itself(key, self._new_chains)
        chain = self._new_chains[key.step.stage.index]
        if not key.runs:
            chain.append((key, below))
            self.predictions.append(Prediction(key, below.status, runs=False, root=below.root))
            return
        prediction, state = self._matched(key, below)
        chain.append((key, state))
        self.predictions.append(prediction)

    def _matched(self, key: Key, below: State) -> tuple[Prediction, State]:
        if below.status != "hit" and reads_root_by_content(key, self.dialect):
            return self._matched_by_content(key, below)
        if below.status == "miss" and key.rooted:
            prediction = Prediction(key, "miss", root=below.root)
            return prediction, State("miss", (), below.root)
        candidates = [
            record for record in self.records if not key.rooted or record.below in below.nodes
        ]
        certain: list[CachedStep] = []
        possible: list[CachedStep] = []
        unsure: list[Content] = []
        for record in candidates:
            same = self._same_key(record.key, key)
            if same == "equal":
                certain.append(record)
            elif same == "unknown":
                possible.append(record)
                unsure += self._unsure(record.key, key)
        if certain and (below.status == "hit" or not key.rooted):
            state = State("hit", tuple(certain))
            if not key.rooted and below.status != "hit":
                # The cheap merge of a real link is not reused, its copy is.
                state = State(below.status, (), below.root)
            return Prediction(key, "hit"), state
        if certain or possible:
            root = below.root if below.status == "unknown" else key.step
            state = State("unknown", (*certain, *possible), root)
            return (
                Prediction(
                    key,
                    "unknown",
                    root=below.root if below.status == "unknown" else None,
                    rivals=tuple(possible),
                    unsure=tuple(unsure),
                ),
                state,
            )
        rivals = tuple(candidates)
        return Prediction(key, "miss", rivals=rivals), State("miss", (), key.step)

    def _matched_by_content(self, key: Key, below: State) -> tuple[Prediction, State]:
        """Match a step that is reused if the content below it is equal, made anew or not."""
        certain: list[CachedStep] = []
        possible: list[CachedStep] = []
        for record in self.records:
            same = self._same_key(record.key, key)
            root = "different" if same == "different" else self._same_root(record.key, key)
            if root == "different":
                continue
            (certain if same == root == "equal" else possible).append(record)
        if certain:
            return Prediction(key, "hit"), State("hit", tuple(certain))
        if possible:
            prediction = Prediction(key, "unknown", root=below.root, rivals=tuple(possible))
            return prediction, State("unknown", tuple(possible), below.root)
        return Prediction(key, "miss", root=below.root), State("miss", (), below.root)

    def _same_root(self, old: Key, new: Key) -> Sameness:
        """Whether two steps stand on file systems with equal content."""
        chain = self._new_chains[new.step.stage.index]
        same: Sameness = "different"
        for before in self._old_chains.values():
            place = next((at for at, (key, _) in enumerate(before) if key is old), None)
            if place is None:
                continue
            found = self._same_at(before[:place], list(chain), "/")
            if found == "equal":
                return found
            same = "unknown" if found == "unknown" else same
        return same

    def _same_key(self, old: Key, new: Key) -> Sameness:
        operation = same_operation(old.operation, new.operation)
        if operation == "different" or len(old.contents) != len(new.contents):
            return "different"
        if self.copies_itself(old) != self.copies_itself(new):
            return "different"
        found: Sameness = operation
        for first, second in zip(old.contents, new.contents, strict=True):
            same = self.same_content(first, second)
            if same == "different":
                return same
            if same == "unknown":
                found = same
        return found

    def _unsure(self, old: Key, new: Key) -> list[Content]:
        return [
            second
            for first, second in zip(old.contents, new.contents, strict=False)
            if self.same_content(first, second) == "unknown"
        ]

    # -- content

    def same_content(self, old: Content, new: Content) -> Sameness:
        """Whether a step of the later build reads content that an earlier step read."""
        place = (id(old), id(new))
        if place not in self._content:
            self._content[place] = self._compare(old, new)
        return self._content[place]

    def _compare(self, old: Content, new: Content) -> Sameness:
        if is_unknown(old.source) or is_unknown(new.source):
            unchanged = self.before.tree is self.after.tree or not self.after.tree.changed
            same_name = (old.origin, old.source) == (new.origin, new.source)
            return "equal" if same_name and unchanged else "unknown"
        if old.origin == "context" and new.origin == "context":
            found = self.content_differences(old, new)
            if not found:
                return "equal"
            return "different" if any(item.certain for item in found) else "unknown"
        if old.origin == "remote" and new.origin == "remote":
            if new.pinned and old.source == new.source:
                return "equal"
            return "unknown"
        if isinstance(old.origin, int) and isinstance(new.origin, int):
            return self._same_output(
                self._old_chains.get(old.origin, []),
                self._new_chains.get(new.origin, []),
                old,
                new,
            )
        if isinstance(old.origin, str) and isinstance(new.origin, str):
            # One image name means one image: a tag is assumed not to move between the builds.
            same = self._image(old.origin) == self._image(new.origin)
            return "equal" if same and old.source == new.source else "unknown"
        return "unknown"

    def _image(self, name: str) -> str:
        known = {**self.before.identities, **self.after.identities}
        return known.get(name, canonical_image(name))

    def content_differences(self, old: Content, new: Content) -> tuple[PathDifference, ...]:
        """In what two selections from the context differ."""
        before, after = self.before.tree, self.after.tree
        same_shape = _shape(old.transfer) == _shape(new.transfer)
        if same_shape and is_untouched(before, old.source, after, new.source, new.transfer):
            return ()
        wildcard = has_wildcard(old.source) and old.transfer.kind != "bind"
        related = after.parent is before and old.source == new.source
        if same_shape and related and not wildcard:
            # Files that no edit changed are equal, and need no comparison.
            left = select(before, old.source, old.transfer, self.dialect, after.changed)
            right = select(after, new.source, new.transfer, self.dialect, after.changed)
            if left is not None and right is not None and left.roots == right.roots:
                return differences(left, right, self.dialect)
        left = select(before, old.source, old.transfer, self.dialect)
        right = select(after, new.source, new.transfer, self.dialect)
        if left is None or right is None:
            return () if left is right else (PathDifference(new.source, "removed"),)
        return differences(left, right, self.dialect)

    def _same_output(
        self,
        old: Sequence[tuple[Key, State]],
        new: Sequence[tuple[Key, State]],
        before: Content,
        after: Content,
    ) -> Sameness:
        """Whether the files selected from a stage are the same in both builds.

        The search goes from the end of both stages to the last step that may have touched the
        files. A reused step has made equal files; a COPY of equal files over equal files makes
        equal files; any other step that ran again may have made anything.
        """
        if new and old and new[-1][1].status == "hit":
            node = old[-1][1].nodes[0]
            if node in new[-1][1].nodes and _path_of(before) == _path_of(after):
                return "equal"
        if _path_of(before) != _path_of(after):
            return "unknown"
        path = _path_of(after)
        if self._is_doubtful(path, new, self.after) or self._is_doubtful(path, old, self.before):
            return "unknown"
        same = self._same_at(list(old), list(new), path)
        transfer = after.transfer
        narrowed = transfer.exclude or transfer.parents or _is_pattern(after)
        # Of a directory that came out differently, a pattern may take the rest.
        return "unknown" if same == "different" and narrowed else same

    def _is_doubtful(
        self, path: str, chain: Sequence[tuple[Key, State]], snapshot: Snapshot
    ) -> bool:
        """Whether a path of a stage is doubtful; each stage is asked for by every later step."""
        place = (path, id(chain), len(chain), snapshot is self.after)
        if place not in self._doubtful:
            steps = [key for key, _ in chain]
            self._doubtful[place] = _is_doubtful(path, steps, snapshot, self.dialect)
        return self._doubtful[place]

    def _same_at(
        self, old: list[tuple[Key, State]], new: list[tuple[Key, State]], path: str
    ) -> Sameness:
        while new and not _touches(new[-1][0], path, self.after, self.dialect):
            new.pop()
        while old and not _touches(old[-1][0], path, self.before, self.dialect):
            old.pop()
        if not new or not old:
            return "unknown"
        (new_key, new_state), (old_key, old_state) = new[-1], old[-1]
        node = old_state.nodes[0]
        if new_state.status == "hit" and node in new_state.nodes:
            return "equal"
        if new_key.fresh and old_key.fresh:
            return self._same_in_directory(old_key, new_key, path)
        if not new_key.runs:  # The FROM itself, of another image.
            return "unknown"
        if new_key.step.instruction.keyword == "RUN":
            return "unknown"
        operation = same_operation(old_key.operation, new_key.operation)
        if operation != "equal" or len(old_key.contents) != len(new_key.contents):
            return "unknown"
        for first, second in zip(old_key.contents, new_key.contents, strict=True):
            same = self.same_content(first, second)
            if same == "different":
                same = self._seen_at(path, first, second, new_key)
            if same != "equal":
                return same
        if _covers(new_key, path, self.after):
            return "equal"
        below = self._same_at(old[:-1], new[:-1], _needed(path, new_key))
        if new_key.step.instruction.keyword == "WORKDIR":
            return below
        # This step may have overwritten the differing files of the steps below.
        return "unknown" if below == "different" else below

    def _same_in_directory(self, old: Key, new: Key, path: str) -> Sameness:
        """Whether a path of a root file system that is a named context's directory is the same."""
        first, second = (
            Content("context", source, replace(transfer, sources=(source,)))
            for transfer in (old.step.transfers[0], new.step.transfers[0])
            for source in (transfer.context + path,)
        )
        there = select_exists(self.before, first, self.dialect)
        if there != select_exists(self.after, second, self.dialect):
            return "different"
        if not there:
            return "equal"
        return self._compare(first, second)

    def _seen_at(self, path: str, old: Content, new: Content, key: Key) -> Sameness:
        """Whether a difference in the context files of a COPY shows at ``path``."""
        if old.origin != "context" or new.origin != "context":
            return "unknown"
        found: Sameness = "equal"
        for item in self.content_differences(old, new):
            places = [_landing(item.path, old if item.what == "removed" else new, key,
                               self.before if item.what == "removed" else self.after)]  # fmt: skip
            if item.other is not None:
                places.append(_landing(item.other, old, key, self.before))
            for place in places:
                if path == "/":
                    place = "/"  # Wherever it lands, that is below the root.
                if place is None:
                    return "unknown"
                if not _overlap(path, place):
                    continue
                if not item.certain:
                    found = "unknown"
                    continue
                # A copied file replaces the old one; whether a new one did is for the steps below
                # to know.
                replaced = item.what in ("content", "link", "type") or (
                    item.what == "mode" and self.after.tree.entries[item.path].kind == "file"
                )
                if replaced and (path == place or place.startswith(path.rstrip("/") + "/")):
                    return "different"
                found = "unknown"
        return found


def require_sources(snapshot: Snapshot, made: Sequence[Key], dialect: Dialect) -> None:
    """Raise BuildFailed, as a builder does, for a source that the context does not hold."""
    for key in made:
        for content in key.contents:
            if content.origin != "context" or is_unknown(content.source):
                continue
            if select_exists(snapshot, content, dialect):
                continue
            step = key.step
            raise _missing(snapshot, step, content, made)


def _missing(
    snapshot: Snapshot, step: PlannedStep, content: Content, made: Sequence[Key]
) -> BuildFailed:
    path = rooted(content.source)
    context = snapshot.tree.root
    tree = snapshot.tree
    named = {top: part.root for top, part in tree.parts.items() if top}
    for missing in missing_sources(step, tree.entries, tree.ignore, context, named):
        if missing.source == path:
            where = f"{snapshot.dockerfile.path.name}:{step.line}"
            steps = [key.step for key in made]
            better = better_context(steps, snapshot.dockerfile.path, context)
            text = missing.verdict(where)
            fix: Fix | None = Fix(missing.fix(context, better))
            break
    else:
        text = f"nothing in the build context matches {content.source} of line {step.line}"
        fix = None
    return BuildFailed(Finding(f"the image does not build: {text}", line=step.line, fix=fix))


def select_exists(snapshot: Snapshot, content: Content, dialect: Dialect) -> bool:
    """Whether a source names an existing path; on BuildKit, a wildcard may match nothing."""
    path = rooted(content.source)
    if snapshot.tree.resolve(path) is not None or content.transfer.parents:
        return True
    if content.transfer.kind == "bind" or not has_wildcard(content.source):
        return False
    if dialect.name == "buildkit":
        return True
    selection = select(snapshot.tree, content.source, content.transfer, dialect)
    return selection is not None and bool(selection.named)


def same_operation(old: Sequence[Facet], new: Sequence[Facet]) -> Sameness:
    """Whether two operations are equal; unknown where values that only a base knows decide."""
    if old == new:
        return "equal"
    if len(old) != len(new):
        return "different"
    found: Sameness = "equal"
    for first, second in zip(old, new, strict=True):
        if first.name != second.name:
            return "different"
        same = same_value(first.value, second.value)
        if same == "different":
            return same
        if same == "unknown":
            found = same
    return found


def same_value(old: Value | None, new: Value | None) -> Sameness:
    """Compare two values; a value that depends on the base is unknown unless the rest decides."""
    if old == new:
        return "equal"
    if isinstance(old, str) and isinstance(new, str):
        if not is_unknown(old) and not is_unknown(new):
            return "different"
        # Equal text at both ends does not decide, whatever the base's value is.
        rests = without_common_ends(tokens(old), tokens(new))
        if not any(map(is_unknown, rests)):
            return "different"
        # No base image sets a value that this run invented for one build.
        return "different" if _unique_in(old) != _unique_in(new) else "unknown"
    if isinstance(old, tuple) and isinstance(new, tuple) and len(old) != len(new):
        # Only an unknown SHELL stands for any number of words; the command is the last word.
        first_words = [word for words in (old, new) for word in words[:1]]
        shell = any(isinstance(word, str) and is_unknown(word) for word in first_words)
        possible = shell and same_value(old[-1:], new[-1:]) != "different"
        return "unknown" if possible else "different"
    if isinstance(old, tuple) and isinstance(new, tuple):
        found: Sameness = "equal"
        for first, second in zip(old, new, strict=True):
            same = same_value(first, second)
            if same == "different":
                return same
            if same == "unknown":
                found = same
        return found
    if _mentions_base(old) or _mentions_base(new):
        return "unknown"
    return "different"


def _unique_in(text: str) -> list[str]:
    return UNIQUE_WORD.findall(text)


def without_common_ends(one: list[str], other: list[str]) -> list[str]:
    """The rests of two lists without their common beginning and their common end."""
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    one, other = one[head:], other[head:]
    tail = 0
    while tail < min(len(one), len(other)) and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return one[: len(one) - tail] + other[: len(other) - tail]


def reads_root_by_content(key: Key, dialect: Dialect) -> bool:
    """Whether a step's key holds the content below it instead of the key of the step below.

    On BuildKit, the key of a RUN with a secret or ssh mount does, whether or not the secret exists
    (observed with BuildKit 0.13 in Docker Engine 26.1.5).
    """
    if dialect.name != "buildkit" or key.step.instruction.keyword != "RUN":
        return False
    kinds = {dict(mount.options).get("type", "").lower() for mount in mounts(key.step.instruction)}
    return not kinds.isdisjoint(("secret", "ssh"))


def _mentions_base(value: Value | None) -> bool:
    if isinstance(value, tuple):
        # Environments of different lengths differ, whatever the values are.
        return False
    return value is not None and is_unknown(value)


def has_triggers(image: str) -> bool:
    """Whether a base may hold ONBUILD triggers, going by its name (``python:3-onbuild``)."""
    return "onbuild" in image


def _shape(transfer: Transfer) -> tuple[object, ...]:
    return (transfer.kind == "bind", transfer.exclude, transfer.parents)


# -- the paths of its root file system that a step touches


_ALIASES = {
    "/bin": "/usr/bin",
    "/sbin": "/usr/sbin",
    "/lib": "/usr/lib",
    "/lib32": "/usr/lib32",
    "/lib64": "/usr/lib64",
    "/libx32": "/usr/libx32",
    "/var/run": "/run",
    "/var/lock": "/run/lock",
}
"""Directories that are links in many distributions; a COPY to one lands in its target."""

_LINKS = regex(r"(^|[^\w.-])(ln|link|cp|rsync|tar|unzip|mount)([^\w.-]|$)|symlink")
"""Commands that may leave a link behind, so that a path may lead elsewhere."""


def _path_of(content: Content) -> str:
    """The path that a source names in a stage; of a wildcard the directory before it."""
    return _named(content.source, content.transfer.kind != "bind")


@lru_cache(maxsize=4096)
def _named(source: str, wildcards: bool) -> str:
    parts = []
    for part in rooted(source).split("/"):
        if wildcards and has_wildcard(part):
            break
        parts.append(part)
    return _real("/" + "/".join(parts))


def _is_pattern(content: Content) -> bool:
    return content.transfer.kind != "bind" and has_wildcard(content.source)


@lru_cache(maxsize=4096)
def _real(path: str) -> str:
    path = re.sub(r"\A/+", "/", posixpath.normpath(path))
    for alias, real in _ALIASES.items():
        if path == alias or path.startswith(alias + "/"):
            return real + path[len(alias) :]
    return path


def _overlap(one: str, other: str) -> bool:
    """Whether one of two paths is the other, or lies above it."""
    if "/" in (one, other):
        return True
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def _is_doubtful(path: str, chain: Sequence[Key], snapshot: Snapshot, dialect: Dialect) -> bool:
    """Whether a link that a step may have left makes unclear which paths other steps touch."""
    hazards: list[str] = []
    for key in chain:
        instruction = key.step.instruction
        places: list[str] = []
        left: list[str] = []
        if instruction.keyword == "RUN":
            text = instruction.value + "".join(item.body for item in instruction.heredocs)
            if _LINKS.search(text):
                return True
        elif instruction.keyword in ("COPY", "ADD"):
            places = _targets(key, snapshot, dialect)
            left = _links_left(key, snapshot, dialect)
        elif instruction.keyword == "WORKDIR" and key.runs:
            places = [_real(str(key.facet("directory")))]
        if _pass_through(places, hazards):
            return True
        hazards += left
    return _pass_through([path], hazards)


def _pass_through(places: Sequence[str], hazards: Sequence[str]) -> bool:
    return any(place.startswith(hazard.rstrip("/") + "/") for hazard in hazards for place in places)


def _links_left(key: Key, snapshot: Snapshot, dialect: Dialect) -> list[str]:
    """Where a COPY may put symbolic links, as far up as that is known."""
    found: list[str] = []
    for content in key.contents:
        whole = _real(content.transfer.destination)
        if content.origin != "context" or is_unknown(content.source):
            found.append(whole)
            continue
        if not snapshot.tree.has_links and content.transfer.kind == "copy":
            continue
        selection = select(snapshot.tree, content.source, content.transfer, dialect)
        if selection is None or content.transfer.kind != "copy":
            found.append(whole)
            continue
        found += [
            _landing(path, content, key, snapshot) or whole
            for _, path in selection.named
            if snapshot.tree.entries[path].kind == "link"
        ]
    return found


def _touches(key: Key, path: str, snapshot: Snapshot, dialect: Dialect) -> bool:
    """Whether a step may change a file at ``path`` or below it; the FROM of an image always may."""
    keyword = key.step.instruction.keyword
    if keyword == "FROM":
        return key.step.stage.parent is None
    if not key.runs:
        return False
    if keyword == "WORKDIR":
        directory = _real(str(key.facet("directory")))
        # WORKDIR changes its directory and those above; the files in its directory stay.
        return path == directory or directory.startswith(path.rstrip("/") + "/")
    if keyword in ("COPY", "ADD"):
        return any(_overlap(path, target) for target in _targets(key, snapshot, dialect))
    return keyword == "RUN" or dialect.name == "buildkit"


def _targets(key: Key, snapshot: Snapshot, dialect: Dialect) -> list[str]:
    """The paths that a COPY writes, or a directory above a path that is not known."""
    destinations = {transfer.destination for transfer in key.step.transfers}
    if any(is_unknown(item) for item in destinations):
        return ["/"]
    found: list[str] = []
    for destination in destinations:
        whole = _real(destination)
        context_only = key.contents and all(item.origin == "context" for item in key.contents)
        if not context_only or key.step.instruction.heredocs:
            found.append(whole)
            continue
        if key.step.instruction.keyword == "ADD":
            found.append(whole)  # An archive unpacks to anything below it.
            continue
        for content in key.contents:
            found += _written(content, whole, destination.endswith("/"), snapshot, dialect)
    return found


def _written(
    content: Content, whole: str, directory: bool, snapshot: Snapshot, dialect: Dialect
) -> list[str]:
    tree = snapshot.tree
    selection = select(tree, content.source, content.transfer, dialect)
    if selection is None or content.transfer.parents or content.transfer.exclude:
        return [whole]
    found = []
    for root in selection.roots:
        if not root or tree.entries[root].kind == "dir":
            children = tree.children(root)
            found += [posixpath.join(whole, posixpath.basename(item)) for item in children]
            found.append(whole + "/.")  # The directory itself: its mode.
            continue
        name = posixpath.basename(rooted(content.source))
        if has_wildcard(name):
            name = posixpath.basename(root)
        found.append(posixpath.join(whole, name))
        if not directory:
            found.append(whole)
    return found


def _covers(key: Key, path: str, snapshot: Snapshot) -> bool:
    """Whether a COPY alone decides the file at ``path``, because it writes that very file."""
    if key.step.instruction.keyword != "COPY" or len(key.contents) != 1:
        return False
    content = key.contents[0]
    if content.origin != "context" or has_wildcard(content.source):
        return False
    root = snapshot.tree.resolve(rooted(content.source))
    if not root or snapshot.tree.entries[root].kind != "file":
        return False
    destination = key.step.transfers[0].destination
    if destination.endswith("/"):
        name = posixpath.basename(rooted(content.source))
        return _real(posixpath.join(destination, name)) == path
    return False


def _needed(path: str, key: Key) -> str:
    """The path that must have been equal before a COPY so that ``path`` is equal after the COPY.

    A file that is copied to ``/f`` lands below it if ``/f`` is a directory.
    """
    for transfer in key.step.transfers:
        whole = _real(transfer.destination)
        if not transfer.destination.endswith("/") and path.startswith(whole + "/"):
            return whole
    return path


def _landing(item: str, content: Content, key: Key, snapshot: Snapshot) -> str | None:
    """Where a COPY puts a context path; None if that is not certain."""
    transfer = content.transfer
    destination = transfer.destination
    if transfer.kind != "copy" or transfer.parents or transfer.exclude:
        return None
    if is_unknown(destination) or has_wildcard(content.source):
        return None
    root = snapshot.tree.resolve(rooted(content.source))
    if root is None:
        return None
    whole = _real(destination)
    if root and snapshot.tree.entries[root].kind != "dir":
        if not destination.endswith("/"):
            return None
        return posixpath.join(whole, posixpath.basename(rooted(content.source)))
    below = item[len(root) :].lstrip("/") if root else item
    return posixpath.join(whole, below) if below else f"{whole}/."
