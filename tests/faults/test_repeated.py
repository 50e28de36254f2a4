"""Runs after runs, and runs at once: the same verdicts, and nothing grows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from own_daemon import Trial, is_clean

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]


def counts(trial: Trial) -> dict[str, int]:
    """The contents of a daemon and of the cache directory: numbers and bytes."""
    files = [path for path in trial.cache.rglob("*") if path.is_file()]
    with trial.daemon.client() as client:
        used = client.api.df()
        return {
            "images": len(client.images.list(all=True)),
            "containers": len(client.containers.list(all=True)),
            "volumes": len(client.volumes.list()),
            "records": len(used["BuildCache"] or ()),
            "bytes of records": sum(item["Size"] for item in used["BuildCache"] or ()),
            "files": len(files),
            "bytes of files": sum(path.stat().st_size for path in files),
        }


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_thirty_runs_in_a_row_leave_what_the_second_left(
    trial: Trial, engine: str, pytestconfig: pytest.Config
) -> None:
    trial.renew(seconds=0)
    after: list[dict[str, int]] = []
    for number in range(pytestconfig.getoption("--runs", 30)):
        code, said = trial.run(f"--dockercache-engine={engine}")
        assert (code, "2 passed" in said) == (0, True), f"run {number}:\n{said}"
        assert "left behind" not in said, f"run {number}:\n{said}"
        assert trial.left() == [], f"run {number}:\n{said}"
        after.append(counts(trial))
    print(engine, after[0], after[1], after[-1], sep="\n")
    # Numbers of steps' seconds in kept files have a digit more or less.
    assert abs(after[-1].pop("bytes of files") - after[1].pop("bytes of files")) < 200
    # BuildKit now and then keeps one more record of an uploaded context, some kilobytes.
    assert after[-1].pop("records") - after[1].pop("records") <= 5
    assert after[-1].pop("bytes of records") - after[1].pop("bytes of records") < 100_000
    assert after[-1] == after[1]
    assert is_clean(trial)


def test_two_runs_at_once_are_both_right(trial: Trial) -> None:
    trial.renew(seconds=1)
    other = replace(trial, root=trial.root / "other").renew(seconds=1)
    options = ("-p", "no:cacheprovider")
    with trial.start(*options) as one, trial.start(*options) as same, other.start(*options) as two:
        ended = [run.communicate(timeout=240)[0] for run in (one, same, two)]
        codes = [one.returncode, same.returncode, two.returncode]
    assert codes == [0, 0, 0], "\n".join(ended)
    assert ["2 passed" in said for said in ended] == [True] * 3
    assert is_clean(trial)


def test_nothing_of_the_users_changes(trial: Trial) -> None:
    """The daemon's other images, containers and volumes, and the project's files."""
    trial.renew(seconds=0)
    with trial.daemon.client() as client:
        image = client.images.list("dockercache-test-tiny:1")[0]
        image.tag("own:tagged")
        container = client.containers.create("own:tagged", ["true"])
        volume = client.volumes.create("own")
        before = sorted(str(item.id) for item in client.images.list(all=True))
        files = _files(trial.project)
        try:
            for engine in ("buildx", "buildkit"):
                code, said = trial.run(f"--dockercache-engine={engine}", "-p", "no:cacheprovider")
                assert code == 0, said
            assert sorted(str(item.id) for item in client.images.list(all=True)) == before
            assert "own:tagged" in client.images.get("own:tagged").tags
            assert [item.id for item in client.containers.list(all=True)] == [container.id]
            assert [item.name for item in client.volumes.list()] == ["own"]
            assert _files(trial.project) == files
        finally:
            container.remove()
            volume.remove()
            client.images.remove("own:tagged", noprune=True)


def _files(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for place, _, names in os.walk(directory):
        for name in names:
            path = Path(place, name)
            status = path.stat()
            found[str(path)] = (
                status.st_mode,
                status.st_mtime_ns,
                status.st_ino,
                path.read_bytes(),
            )
    return found
