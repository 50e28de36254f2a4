"""Everything that decides the cache keys of a build, frozen at one moment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from ..context import ContextTree, IgnoreRules, Patch, patch
from ..dockerfile import (
    BaseImage,
    Dockerfile,
    PlannedStep,
    plan,
    read_dockerfile,
    reparsed,
    resolved_stages,
)
from ..dockerfile.expansion import variables_in
from ..dockerfile.references import canonical_image
from ..model import BuildSpec, Edit
from ..regexes import regex
from ..values import dataclass

__all__ = [
    "BUILDKIT",
    "BUILDKIT_OVER_API",
    "CLASSIC",
    "Dialect",
    "Snapshot",
    "canonical_image",
    "is_unknown",
    "readable",
    "tokens",
]


@dataclass(frozen=True)
class Dialect:
    """The builder whose rules apply.

    ``engine`` is the major version of Docker Engine (26 carries BuildKit 0.13, 28 carries 0.25);
    ``links`` says that ``COPY --link`` makes a layer of its own, as it does with the containerd
    image store and in docker-container builders; on graph drivers it is a plain COPY.
    ``incremental`` says that the context is sent as the CLI sends a directory: only entries that
    seem to differ from the last transfer are sent, and the mode of a directory is not compared (run
    with BuildKit 0.13 and 0.25).
    """

    name: Literal["buildkit", "classic"] = "buildkit"
    engine: int = 26
    links: bool = False
    incremental: bool = True


BUILDKIT = Dialect()
BUILDKIT_OVER_API = replace(BUILDKIT, incremental=False)
CLASSIC = Dialect("classic", incremental=False)

_OPEN, _CLOSE = "\ue000", "\ue001"
_UNKNOWN = regex(f"{_OPEN}[^{_CLOSE}]*{_CLOSE}")
_TOKEN = regex(f"{_UNKNOWN.pattern}|.", re.DOTALL)


def is_unknown(text: str) -> bool:
    """Whether a value contains a placeholder for text that only the base image knows."""
    return _OPEN in text


def _placeholder(base: str, name: str) -> str:
    """The placeholder for a value of a base image; equal only for one and the same image."""
    return f"{_OPEN}{canonical_image(base)}|{name}{_CLOSE}"


def tokens(text: str) -> list[str]:
    """The characters of a text, with each value that only a base knows as one."""
    return _TOKEN.findall(text)


def readable(text: str) -> str:
    """A text with ``$NAME`` in place of a value that only a base image knows."""
    return _UNKNOWN.sub(lambda found: "$" + found[0][1:-1].rpartition("|")[2], text)


def _unknown_base(base: str, referenced: frozenset[str]) -> BaseImage:
    return BaseImage(
        environment=tuple((name, _placeholder(base, name)) for name in sorted(referenced)),
        workdir=f"/{_placeholder(base, 'WORKDIR').replace('/', ':')}",
        shell=(_placeholder(base, "SHELL"),),
        user=_placeholder(base, "USER"),
    )


@dataclass(frozen=True)
class Snapshot:
    """The state of a project that is built: Dockerfile, context, arguments, bases.

    ``bases`` maps a base image, as the FROM names it after expansion, to its known configuration;
    ``identities`` maps it to a text that is equal for two names of one image (its chain of diff
    IDs). Both may be empty: an unknown base brings in unknown values, and two names are then taken
    for two images.
    """

    dockerfile: Dockerfile
    tree: ContextTree
    target: str | None = None
    build_args: tuple[tuple[str, str], ...] = ()
    platform: str | None = None
    bases: Mapping[str, BaseImage] = field(default_factory=dict)
    identities: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        spec: BuildSpec,
        *,
        dockerfile: Dockerfile | None = None,
        bases: Mapping[str, BaseImage] = {},
        identities: Mapping[str, str] = {},
    ) -> Snapshot:
        """The project as it is on disk. Raises ConfigError for a file that cannot be read."""
        tree = ContextTree.of(spec, IgnoreRules.of(spec))
        known = cls.of(spec, dockerfile or read_dockerfile(spec.dockerfile), tree)
        return replace(known, bases=bases, identities=identities)

    @classmethod
    def of(cls, spec: BuildSpec, dockerfile: Dockerfile, tree: ContextTree) -> Snapshot:
        """The project of a Dockerfile and a context that are read already."""
        if dockerfile.contexts != spec.context_tops:
            dockerfile = replace(dockerfile, contexts=spec.context_tops)
        return cls(dockerfile, tree, spec.target, spec.build_args, spec.platform)

    def after(
        self, spec: BuildSpec, edits: Sequence[Edit], *, nonce: str = "predicted"
    ) -> Snapshot:
        """The project after some edits; ``spec`` has the build arguments after these edits.

        Raises ConfigError for an edit that cannot be applied.
        """
        return self.patched(spec, patch(spec, self.tree, edits, nonce=nonce))

    def patched(self, spec: BuildSpec, edited: Patch) -> Snapshot:
        """The project after the edits that make this patch; see :meth:`after`."""
        dockerfile = self.dockerfile
        if edited.dockerfile_text is not None:
            dockerfile = reparsed(self.dockerfile, edited.dockerfile_text)
        tree = self.tree.edited(edited)
        return replace(self, dockerfile=dockerfile, tree=tree, build_args=spec.build_args)

    def steps(self, dialect: Dialect, referenced: frozenset[str]) -> tuple[PlannedStep, ...]:
        """The steps of this build, with placeholders for values that only an unknown base has.

        ``referenced`` are the names for which a base might hold a value; they
        must be the same for all snapshots that are compared. Raises
        ConfigError for a Dockerfile that builders refuse.
        """
        arguments = dict(self.build_args)
        classic = dialect.name == "classic"
        stages = resolved_stages(self.dockerfile, arguments, self.platform, classic=classic)
        bases = {
            stage.base: self.bases.get(stage.base) or _unknown_base(stage.base, referenced)
            for stage in stages
            if stage.parent is None and stage.base != "scratch"
        }
        return plan(
            self.dockerfile,
            self.target,
            arguments,
            all_stages=classic,
            classic=classic,
            platform=self.platform,
            bases=bases,
        )

    def referenced(self, dialect: Dialect) -> frozenset[str]:
        """Names of variables that the Dockerfile reads, and which a base might set."""
        names = {"PATH"}
        declared: set[str] = set()
        for instruction in self.dockerfile.instructions:
            if instruction.keyword == "ARG":
                words = instruction.value.split()
                declared.update(word.partition("=")[0] for word in words)
            if "$" in instruction.text:
                names |= variables_in(instruction.text)
            for heredoc in instruction.heredocs:
                if "$" in heredoc.body:
                    names |= variables_in(heredoc.body.replace("'", "").replace('"', ""))
        if dialect.name == "classic":
            # There an ENV of the base would beat the argument. Better a miss
            # that does not happen than a hit that does not.
            names -= declared
        return frozenset(name for name in names if name.isidentifier())
