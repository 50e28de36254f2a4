"""The machine-readable report: one JSON document, ``schema`` 2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..checks.layer_summary import LayerSummary
from ..model import Build, Edit, FileGroup, Reason, Step
from ..presentable import presentable
from .findings import CheckResult, ImageReport, SessionReport
from .pages import page_of

__all__ = ["SCHEMA", "document", "render"]

SCHEMA = 2
"""Raised when a key changes its meaning or goes; new keys may come within a schema."""


def document(session: SessionReport) -> dict[str, Any]:
    """The report as JSON values."""
    engine = session.engine
    return {
        "schema": SCHEMA,
        "engine": None
        if engine is None
        else {"name": engine.name, "version": engine.version, "server": engine.server},
        "images": [_image(image) for image in session.images],
    }


def render(session: SessionReport) -> str:
    """The report as text."""
    return json.dumps(_presentable(document(session)))


def _presentable(value: Any) -> Any:
    """The JSON values, with every text made presentable."""
    if isinstance(value, str):
        return presentable(value)
    if isinstance(value, dict):
        # A patch is read by a program, and would not apply if it were changed.
        return {key: item if key == "patch" else _presentable(item) for key, item in value.items()}
    return [_presentable(item) for item in value] if isinstance(value, list) else value


def _image(image: ImageReport) -> dict[str, Any]:
    return {
        "node": image.node,
        "dockerfile": image.dockerfile,
        "context": image.context,
        "target": image.target,
        "build_args": dict(image.build_args),
        "platform": image.platform,
        "image": image.image,
        "builds": [_build(build) for build in image.builds],
        "files": [_files(group) for group in image.files],
        "layers": [_layer(layer) for layer in image.layers],
        "checks": [_check(check) for check in image.checks],
    }


def _build(build: Build) -> dict[str, Any]:
    return {
        "edit": _edit(build.edits),
        "outcome": build.outcome,
        "seconds": round(build.seconds, 3),
        "steps": [_step(step) for step in build.steps],
    }


def _edit(edits: Sequence[Edit]) -> dict[str, Any] | None:
    """The first edit; the schema has room for one, so its detail names the others."""
    if not edits:
        return None
    first, *others = edits
    detail = "; and ".join([first.detail, *(str(edit) for edit in others)])
    return {"kind": first.kind, "path": first.path, "detail": detail}


def _step(step: Step) -> dict[str, Any]:
    return {
        "line": step.line,
        "stage": step.stage,
        "instruction": step.instruction,
        "text": step.text,
        "role": step.role,
        "status": step.status,
        "seconds": None if step.seconds is None else round(step.seconds, 3),
        "reason": _reason(step.reason),
    }


def _reason(reason: Reason | None) -> dict[str, Any] | None:
    if reason is None:
        return None
    return {
        "kind": reason.kind,
        "line": reason.line,
        "paths": list(reason.paths),
        "argument": reason.argument,
        "message": reason.message,
    }


def _files(group: FileGroup) -> dict[str, Any]:
    return {
        "steps": list(group.steps),
        "role": group.role,
        "count": group.count,
        "examples": list(group.examples),
        "reinstalls": group.reinstalls,
    }


def _layer(layer: LayerSummary) -> dict[str, Any]:
    return {
        "line": layer.line,
        "created_by": layer.created_by,
        "size": layer.size,
        "base": layer.base,
        "package_cache_bytes": layer.package_cache_bytes,
        "bytecode_bytes": layer.bytecode_bytes,
        "hidden_bytes": layer.hidden_bytes,
        "hidden_by": list(layer.hidden_by),
        "places": [
            {"path": place.path, "bytes": place.bytes, "kind": place.kind} for place in layer.places
        ],
    }


def _check(check: CheckResult) -> dict[str, Any]:
    ending = check.ending
    fix = ending.fix
    return {
        "id": check.id,
        "nodeid": check.nodeid,
        "page": page_of(check.id),
        "outcome": ending.outcome,
        "skip": ending.skip,
        "line": None if ending.outcome == "passed" else ending.line,
        "message": ending.message,
        "why": ending.why,
        "fix": None
        if fix is None
        else {"text": fix.text, "patch": fix.patch, "proven": fix.proven},
    }
