"""``cache-from``: a builder that has nothing gets the environment from the imported cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..cache import is_rebuilt
from ..cache_home import cache_home
from ..cache_specs import CacheSpec, is_loopback, parse_cache_spec
from ..cold import ColdBuilds, cold_builds
from ..errors import (
    BuildFailed,
    CacheAssertionError,
    DoesNotApply,
    EngineUnavailable,
    Unverifiable,
)
from ..model import Build, Edit, Row, Step, on_one_line
from ..regexes import regex
from ..runs import builder_lock, digest, in_turn, read_json
from ..stopping import Stop
from ..subject import Subject
from ..values import dataclass
from .cache_failures import (
    lacks_a_stage,
    lacks_what_was_exported,
    lies_nowhere,
    not_exported,
    not_of_this_project,
    nothing_imported,
    words_of_the_builder,
)
from .environment_layers import judge as keeps_the_environment
from .harmless import trials_of, tried_together
from .settings import CheckSettings
from .verdict import Verdict, environment_steps, require_known, require_reached

__all__ = ["judge"]

_DECIDED = Stop("decided")
"""A build ends as soon as each environment step has hit or missed."""


def judge(subject: Subject, settings: CheckSettings) -> Verdict:
    """Export the cache if that is asked for, import it into an empty builder, edit, and build.

    The edits are those that leave the environment alone in the subject's own builder: an edit
    that reinstalls there reinstalls everywhere, and no cache helps.
    """
    imports = tuple(map(parse_cache_spec, settings.cache_from))
    try:
        environment_steps(subject.first().steps)
    except (BuildFailed, EngineUnavailable) as problem:
        said = words_of_the_builder(problem)
        empty = [spec for spec in imports if lies_nowhere(spec)]
        if not empty or said is None:
            raise
        raise nothing_imported(subject, (), empty, (), said) from None
    edits = _harmless(subject)
    exports = tuple(map(parse_cache_spec, settings.cache_to))
    network = any(_hosts_on_loopback(subject, (*imports, *exports)))
    with contextlib.ExitStack() as held:
        for place in sorted({spec.place for spec in exports if spec.type != "inline"}):
            # Another image of this run may have the same place, whose export would replace ours.
            held.enter_context(in_turn(builder_lock(f"cache {place}")))
        image = settings.buildkit_image
        builds = held.enter_context(cold_builds(subject, image, host_network=network))
        return _ColdTrial(subject, builds, imports, exports, edits).verdict()


def _harmless(subject: Subject) -> tuple[Edit, ...]:
    """The edits after which a builder that has everything reuses the environment.

    Raises the failure of ``env-layer-cached`` where a source edit reinstalls there too.
    """
    try:
        keeps_the_environment(subject)
    except CacheAssertionError as problem:
        row = Row("  cache  no cache helps: a builder that has everything installs again too")
        finding = problem.finding
        raise CacheAssertionError(replace(finding, rows=(*finding.rows, row))) from None
    except (DoesNotApply, Unverifiable):
        pass  # What is not known there can still be seen here.
    tried = tried_together(subject, trials_of(subject.project))
    return tuple(edit for one in tried if not (one.rebuilt or one.failed) for edit in one.edits)


def _hosts_on_loopback(subject: Subject, specs: Iterable[CacheSpec]) -> Iterator[bool]:
    for spec in specs:
        yield is_loopback(spec.get("ref")) or "//localhost" in str(spec) or "//127." in str(spec)
    for step in subject.project.steps:
        yield step.stage.parent is None and is_loopback(step.stage.base)


@dataclass(frozen=True)
class _ColdTrial:
    """The builds that show what a cache is worth to a builder that has nothing."""

    subject: Subject
    builds: ColdBuilds
    named: tuple[CacheSpec, ...]
    exports: tuple[CacheSpec, ...]
    edits: tuple[Edit, ...]

    @property
    def rest(self) -> tuple[CacheSpec, ...]:
        """The exports that keep no more than the finished image."""
        return tuple(spec for spec in self.exports if spec.mode != "max")

    def verdict(self) -> Verdict:
        """The verdict that the cache saves the installation; raises what else it is."""
        afresh = bool(self.exports) and not self.builds.warm.exports_caches()
        sources = self._exported(afresh)
        cold = self._build(self.edits, sources, _DECIDED)
        if self.rest and not afresh and self._holds_more_than_its_mode(cold):
            # The builder had packed that stage before, and a fresh runner would not have.
            self.builds.builder.clear()
            sources = self._exported(True)
            cold = self._build(self.edits, sources, _DECIDED)
        environment = environment_steps(cold.steps)
        missed = [step for step in environment if is_rebuilt(step)]
        if all(found.error for found in cold.imports):
            raise nothing_imported(self.subject, cold.imports, sources, missed)
        require_known(environment)
        if missed:
            raise self._failure(cold, missed, sources)
        for edit in self.edits[:1]:
            require_reached(cold, edit)
        if self.exports:
            self._require_all_hit(sources)
        return self._kept(cold, sources)

    def _exported(self, afresh: bool) -> tuple[CacheSpec, ...]:
        """Export the project's cache as it is; what an empty builder then imports."""
        found = list(self.named)
        for spec in self.exports:
            source = self._export(spec, afresh)
            if spec.type == "inline":
                # What lies in the image of this state, which nobody has pushed.
                found = [other for other in found if other.type != "registry"]
            if not self.named or spec.type == "inline":
                found.append(source)
        if afresh:
            self.builds.builder.clear()
        return tuple(dict.fromkeys(found))

    def _export(self, spec: CacheSpec, afresh: bool) -> CacheSpec:
        try:
            source = spec.as_source()
            if source is not None:
                self.builds.export(str(spec), afresh=afresh)
                return source
            # As an OCI directory: the user's registry is not to get an image of ours.
            place = cache_home() / "staging" / digest(self.builds.builder.info.builder, "image")
            self.subject.run.note("staging", str(place))
            output = f"type=oci,tar=false,dest={place}"
            self.builds.export(str(spec), afresh=afresh, output=output)
            return CacheSpec("local", (("src", str(place)), ("digest", _only_manifest(place))))
        except (BuildFailed, EngineUnavailable) as problem:
            said = words_of_the_builder(problem)
            if said is None:
                raise
            raise not_exported(self.subject, spec, said) from None

    def _build(
        self, edits: tuple[Edit, ...], sources: Sequence[CacheSpec], stop: Stop | None
    ) -> Build:
        try:
            return self.builds.after(edits, list(map(str, sources)), stop)
        except (BuildFailed, EngineUnavailable) as problem:
            why = words_of_the_builder(problem)
            if why is None:
                raise
            raise Unverifiable(
                f"the project does not build in an empty builder: {why}",
                fix="an empty builder pulls base images from their registries: name them so "
                "that it can",
            ) from None

    def _holds_more_than_its_mode(self, cold: Build) -> bool:
        """Whether a stage was there to copy from that an export of this mode leaves out.

        BuildKit exports also with ``mode=min`` what it has packed for another
        export before (solver/llbsolver/result.go, ``ResolveRemotes`` of what is
        not lazy). After an edit above a COPY --from, the layers of the other
        stage are needed: only such an export has them.
        """
        project = self.subject.project
        missed = {step.line for step in cold.steps if is_rebuilt(step)}
        hits = {step.stage for step in environment_steps(cold.steps) if step.status == "hit"}
        labels = {step.stage.index: step.stage.label for step in project.steps}
        return any(
            isinstance(transfer.origin, int)
            and not project.ancestors[labels[transfer.origin]].isdisjoint(hits)
            for step in project.steps
            if step.line in missed
            for transfer in step.transfers
        )

    def _failure(
        self, cold: Build, missed: Sequence[Step], sources: Sequence[CacheSpec]
    ) -> Exception:
        """Why environment steps ran again in an empty builder."""
        plain = cold
        if self.edits:
            self.builds.builder.clear()
            plain = self._build((), sources, _DECIDED)
        lines = {step.line for step in missed}
        also = [step for step in plain.steps if step.line in lines and is_rebuilt(step)]
        if not also:
            tried = self._with_mode_max()
            return lacks_a_stage(self.subject, self.edits, missed, sources, self.rest, tried)
        if not plain.with_status("hit"):
            return not_of_this_project(self.subject, also, sources, self._are_images(sources))
        if self.exports:
            return lacks_what_was_exported(self.subject, plain, also, sources)
        root = next(
            step for step in plain.steps if is_rebuilt(step) and step.stage == also[0].stage
        )
        platform = self.subject.spec.platform
        others = f"for another platform than {platform}, " if platform else ""
        return Unverifiable(
            f"the cache of {_places(sources)} was made {others}from another state of the "
            f"environment, or without mode=max: line {root.line} "
            f"({on_one_line(root.text, 40)}) is not in it",
            fix="let the check export it first with --dockercache-cache-to=SPEC, or run again "
            "when CI has exported this state",
        )

    def _with_mode_max(self) -> bool | None:
        """Whether an export of all stages brings the environment.

        None where it is not known: to find it out, a builder that exports no such cache would have
        to install everything once more.
        """
        if not self.builds.warm.exports_caches():
            return None
        place = cache_home() / "staging" / digest(self.builds.builder.info.builder, "mode=max")
        self.subject.run.note("staging", str(place))
        export = CacheSpec("local", (("dest", str(place)), ("mode", "max")))
        try:
            self.builds.export(str(export), afresh=False)
            self.builds.builder.clear()
            cold = self._build(self.edits, [CacheSpec("local", (("src", str(place)),))], _DECIDED)
            steps = environment_steps(cold.steps)
            require_known(steps)
        except (BuildFailed, Unverifiable):
            return None
        return not any(map(is_rebuilt, steps))

    def _are_images(self, sources: Sequence[CacheSpec]) -> bool:
        """Whether each is an image of a registry, which holds a cache only where it is inline."""
        return all(
            spec.type == "registry" and is_image(self.builds.read_manifest(spec.get("ref")))
            for spec in sources
        )

    def _require_all_hit(self, sources: Sequence[CacheSpec]) -> None:
        """Raise if a step runs again although nothing has changed since the export."""
        self.builds.builder.clear()
        plain = self._build((), sources, Stop("any-miss"))
        missed = [step for step in plain.steps if is_rebuilt(step)]
        if missed and not _FETCHES.match(missed[0].text):
            raise lacks_what_was_exported(self.subject, plain, missed, sources)

    def _kept(self, cold: Build, sources: Sequence[CacheSpec]) -> Verdict:
        hits = [step for step in cold.steps if step.role == "environment"]
        lines = ", ".join(str(step.line) for step in hits)
        word = "line" if len(hits) == 1 else "lines"
        seconds = {step.line: self.subject.seconds(step) for step in cold.steps}
        total = sum(value or 0.0 for value in seconds.values())
        saved = sum(seconds[step.line] or 0.0 for step in cold.with_status("hit"))
        after = f" after {', '.join(map(str, self.edits))}" if self.edits else ""
        # Without the seconds of an installation, the share would be one of something else.
        known = all(seconds[step.line] is not None for step in hits)
        saving = f"; it saves {saved / total:.0%} of {total:.1f} s" if known and saved else ""
        return Verdict(
            f"an empty builder that imports {_places(sources, self.exports)} reuses {word} "
            f"{lines}{after}{saving}{_unread(cold)}",
            hits[0].line,
        )


_FETCHES = regex(r"(?i)(ONBUILD\s+)?ADD\s.*(https?://|git@|\.git\b)")
"""A step that asks a server at every build, and may get something else each time."""


def _unread(cold: Build) -> str:
    """The caches that were not read although others were enough."""
    unread = [found.source for found in cold.imports if found.error]
    return f"; not read: {', '.join(unread)}" if unread else ""


def _places(sources: Sequence[CacheSpec], exports: Sequence[CacheSpec] = ()) -> str:
    if any(spec.type == "inline" for spec in exports):
        return "the image's own (inline) cache"
    return " and ".join(dict.fromkeys(spec.place for spec in sources))


def _only_manifest(place: Path) -> str:
    """The digest of the image in an OCI directory that we had written."""
    index = read_json(place / "index.json") or {}
    return str(index["manifests"][-1]["digest"]) if index.get("manifests") else ""


_CONFIG = "application/vnd.buildkit.cacheconfig.v0"


def is_image(manifest: object) -> bool:
    """Whether the manifest is that of an image, or of several, and not of a cache.

    BuildKit lists a cache's layers and its configuration as the manifests of an
    index, or (``image-manifest=true``) as an image's (cache/remotecache/export.go).
    """
    if not isinstance(manifest, dict):
        return False
    listed, config = manifest.get("manifests"), manifest.get("config")
    if isinstance(listed, list):
        return _CONFIG not in [one.get("mediaType") for one in listed if isinstance(one, dict)]
    return isinstance(config, dict) and config.get("mediaType") != _CONFIG
