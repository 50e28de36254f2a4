"""What the processes of one session tell each other: the run, its specs, its engine.

Workers write small files into the run's directory; the controller reads them
when it makes the summary and the reports. Nothing is sent while tests run.
"""

from __future__ import annotations

from pathlib import Path

from ..model import BuildSpec, EngineInfo, to_jsonable
from ..runs import Run, digest, read_json, write_json

__all__ = ["known_engine", "known_specs", "tell_engine", "tell_spec"]


def tell_spec(run: Run, spec: BuildSpec, engine: str) -> None:
    """Let the controller know that a process judged this spec with this engine."""
    record = {"spec": to_jsonable(spec), "engine": engine}
    path = run.directory / "specs" / f"{digest(repr(record))}.json"
    if not path.exists():
        write_json(path, record)


def known_specs(run: Run) -> tuple[tuple[BuildSpec, str], ...]:
    """Every spec that some process judged, with its engine's name, sorted by Dockerfile."""
    found = []
    for path in sorted((run.directory / "specs").glob("*.json")):
        record = read_json(path)
        if record:
            found.append((_spec(record["spec"]), str(record["engine"])))
    return tuple(sorted(found, key=lambda item: (str(item[0].dockerfile), repr(item))))


def tell_engine(run: Run, engine: EngineInfo) -> None:
    """Let the controller know which engine answered."""
    path = run.directory / "engine.json"
    if not path.exists():
        write_json(path, to_jsonable(engine))


def known_engine(run: Run) -> EngineInfo | None:
    """The engine that answered first, None if none did."""
    record = read_json(run.directory / "engine.json")
    return EngineInfo(**record) if record else None


def _spec(record: dict[str, object]) -> BuildSpec:
    pairs = record["build_args"]
    assert isinstance(pairs, list)
    return BuildSpec(
        dockerfile=Path(str(record["dockerfile"])),
        context=Path(str(record["context"])),
        target=None if record["target"] is None else str(record["target"]),
        build_args=tuple((str(name), str(value)) for name, value in pairs),
        platform=None if record["platform"] is None else str(record["platform"]),
        secrets=_texts(record["secrets"]),
        ssh=_texts(record["ssh"]),
    )


def _texts(value: object) -> tuple[str, ...]:
    assert isinstance(value, list)
    return tuple(str(item) for item in value)
