"""The build context of a Dockerfile for which nobody named one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DockerCacheError

if TYPE_CHECKING:
    from ..dockerfile import PlannedStep

__all__ = ["candidates", "choose_context"]


def candidates(dockerfile: Path, root: Path, directory: Path | None = None) -> tuple[Path, ...]:
    """The directories that may be the context, the likeliest first.

    The candidates are the Dockerfile's own directory and those above up to the root, then the
    invocation directory, then the root.
    """
    from ..context.places import directories_above

    places = [*directories_above(dockerfile, root), *([directory] if directory else []), root]
    return tuple(dict.fromkeys(places))


def choose_context(
    dockerfile: Path, places: Sequence[Path], build_args: Sequence[tuple[str, str]] = ()
) -> Path:
    """The context that compose, bake or a development container gives to a Dockerfile.

    Without such a declaration, the context is the first of ``places`` with the most files that the
    Dockerfile takes from its context by name, or reads as manifests where it copies the whole
    context.
    """
    from ..context.declared import declared_contexts

    declared = declared_contexts(dockerfile, places)
    possible = declared or tuple(places)
    if len(possible) == 1:
        return possible[0]
    from ..context.places import best_context, taken_sources
    from ..dockerfile import plan, read_dockerfile

    try:
        steps = plan(read_dockerfile(dockerfile), None, dict(build_args), all_stages=True)
        sources = taken_sources(steps) | _manifests(steps)
    except DockerCacheError:
        return possible[0]  # The checks report errors of the Dockerfile.
    return best_context(possible, sources)


def _manifests(steps: Sequence[PlannedStep]) -> frozenset[str]:
    """Context paths of the manifests that RUNs read where a whole context was copied or mounted."""
    from ..context.selection import rooted
    from ..dockerfile.stages import path_below
    from ..environments.steps import every_installation

    found: set[str] = set()
    places: set[str] = set()
    for step in steps:
        places |= {
            transfer.destination
            for transfer in step.transfers
            if transfer.origin == "context" and not all(map(rooted, transfer.sources))
        }
        # Without the context's files, any installation may bring dependencies.
        for installation in every_installation(step):
            for manifest in installation.manifests:
                found |= {path_below(manifest, place) or "" for place in places}
    return frozenset(path.strip("/") for path in found if path)
