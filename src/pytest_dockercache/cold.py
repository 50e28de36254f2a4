"""Builds of a subject elsewhere than in its own builder: in one that has nothing, or to export.

What a subject knows of its own builder (records of builds, seconds of steps)
is not touched: a build in an empty builder says something about a cache, and
nothing about the Dockerfile's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .cache import explain
from .cache_home import cache_home
from .context import stage
from .engines import BuildRequest, EmptyBuilder, MakesEmptyBuilders
from .errors import Unverifiable
from .model import Build, Edit, Step
from .runs import RUN_LABEL, builder_lock, digest, in_turn, staging_lock
from .stopping import Stop, decided
from .subject import WAITING, Subject, copying, locked
from .values import dataclass

__all__ = ["ColdBuilds", "cold_builds"]

_NOTHING = Edit.touch(".")

NOWHERE = "type=cacheonly"
"""The output of a build whose image nobody needs."""


@dataclass(frozen=True)
class ColdBuilds:
    """The builds of a subject in an empty builder, and in its own to export a cache."""

    subject: Subject
    builder: EmptyBuilder
    warm: MakesEmptyBuilders
    """The subject's own engine."""

    def after(
        self, edits: Sequence[Edit], cache_from: Sequence[str], stop: Stop | None = None
    ) -> Build:
        """Build in the empty builder, which imports these caches.

        Raises BuildFailed, BuildTimeout, EngineUnavailable.
        """
        title = "empty builder" if edits else "empty builder, nothing edited"
        return self._build(self.builder, edits, stop, title, cache_from=tuple(cache_from))

    def export(self, cache_to: str, *, afresh: bool, output: str = NOWHERE) -> Build:
        """Build the project as it is, and export its cache; ``afresh`` in the empty builder.

        Raises BuildFailed, also for a cache that could not be exported.
        """
        builder = self.builder if afresh else self.warm
        title = f"export of {cache_to}"
        return self._build(builder, (), None, title, cache_to=(cache_to,), output=output)

    def read_manifest(self, reference: str) -> object:
        """The manifest of an image's reference in its registry, None if it cannot be read."""
        return self.warm.read_manifest(reference)

    def _build(
        self,
        builder: EmptyBuilder | MakesEmptyBuilders,
        edits: Sequence[Edit],
        stop: Stop | None,
        title: str,
        *,
        cache_from: tuple[str, ...] = (),
        cache_to: tuple[str, ...] = (),
        output: str = NOWHERE,
    ) -> Build:
        subject = self.subject
        project = subject.project
        identity = builder.info.builder
        nonce = digest(subject.run.nonce, identity, repr(edits), title)
        names = (str(subject.spec.context), str(subject.spec.dockerfile), identity)
        where = cache_home() / "staging" / digest(*names)

        def tell(said: str, steps: Sequence[Step]) -> None:
            if subject.observe is not None:
                subject.observe(said, steps)

        def watch(steps: Sequence[Step]) -> bool:
            tell(title, steps)
            return decided(steps, stop, project.ancestors)

        spec = replace(project.spec_after(edits, nonce), cache_from=cache_from)
        with (
            in_turn(builder_lock(identity), lambda: tell(WAITING, ())),
            locked(staging_lock(where)),
        ):
            subject.run.note("staging", str(where))
            with copying(where):
                staged = stage(spec, where, edits, nonce=nonce)
            request = BuildRequest(
                spec=spec,
                dockerfile=project.dockerfile,
                staged=staged,
                edits=tuple(edits),
                labels=((RUN_LABEL, subject.run.id),),
                timeout=subject.settings.timeout,
                roles=project.roles,
                cache_to=cache_to,
                output=output,
            )
            build = builder.build(request, watch)
        # Which steps stand below one that ran: an unedited build is not explained otherwise.
        told = explain(replace(build, edits=build.edits or (_NOTHING,)), project.all_steps)
        return replace(told, edits=build.edits)


@contextlib.contextmanager
def cold_builds(subject: Subject, image: str | None, *, host_network: bool) -> Iterator[ColdBuilds]:
    """An empty builder beside the subject's own, for this block.

    ``image`` is that of its BuildKit, None for buildx's own. ``host_network``
    lets it reach the machine's loopback address. Raises Unverifiable where the
    engine has no such builder, or none can be started.
    """
    engine = subject.engine
    if not isinstance(engine, MakesEmptyBuilders):
        name = engine.info.name
        raise Unverifiable(
            f"the engine {name} has no empty builder to import a cache into",
            fix="use --dockercache-engine=buildx",
        )
    name, directory = subject.run.empty_builder(engine.info.builder, repr(subject.spec))
    with engine.empty_builder(name, directory, image, host_network=host_network) as builder:
        yield ColdBuilds(subject, builder, engine)
