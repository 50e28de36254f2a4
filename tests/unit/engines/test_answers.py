"""An answer is checked before anybody uses it: what listens there may be no Docker daemon."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from pytest_dockercache.engines import patience
from pytest_dockercache.engines.answers import OddAnswerError, build_record, checked_json
from pytest_dockercache.engines.patience import within
from pytest_dockercache.engines.shapes import IMAGE, misfit


def answer(path: str, body: object) -> requests.Response:
    """An answer as requests gives it; a text is its body as it stands."""
    response = requests.Response()
    response.status_code = 200
    response.url = f"http+docker://localhost{path}"
    response.request = requests.Request("GET", response.url).prepare()
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    return response


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1.45/info", {"ID": "1", "DriverStatus": [["a", "b"]], "More": 5}),
        ("/info", {"ID": None, "DriverStatus": None}),
        ("/v1.45/images/json?all=0", [{"Id": "sha256:1"}]),
        ("/v1.45/images/a:1/json", {"Id": "sha256:1", "Config": {"Env": None}}),
        ("/v1.45/images/json/json", {"Id": "sha256:1"}),
        ("/v1.45/containers/1/wait", {"StatusCode": 0}),
        ("/v1.45/unheard/of", [5]),
    ],
)
def test_a_daemon_s_answer_is_taken_as_it_is(path: str, body: object) -> None:
    assert checked_json(answer(path, body)) == body


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        (
            "/v1.45/info",
            "<html>log in</html>",
            "the answer to GET /info is no JSON: '<html>log in</html>'",
        ),
        ("/info", "", "the answer to GET /info is no JSON: ''"),
        ("/info", "[" * 100_000, "the answer to GET /info is no JSON: '" + "[" * 60 + "'"),
        ("/info", [], "GET /info is not that of a Docker daemon: it is a list, not an object"),
        ("/version", None, "not that of a Docker daemon: it is null, not an object"),
        ("/info", {"DriverStatus": [5]}, "an item of DriverStatus is a number, not a list"),
        ("/images/json", [{}], "an item of it has no Id"),
        ("/images/a/b:1/json", {"Id": "1", "Config": {"Env": "A=b"}}, "Env is a text, not a list"),
        ("/images/a/json", {"Id": "1", "Size": True}, "Size is true or false, not a number"),
        ("/containers/1/wait", {"StatusCode": None}, "it has no StatusCode"),
        ("/system/df", {"BuildCache": [{"ID": 1.5}]}, "ID is a fraction, not a text"),
    ],
)
def test_another_answer_is_refused_with_the_place_that_is_wrong(
    path: str, body: object, why: str
) -> None:
    with pytest.raises(OddAnswerError) as told:
        checked_json(answer(path, body))
    assert why in str(told.value)


def test_a_line_of_a_build_is_checked_as_well() -> None:
    trace = b'{"id": "moby.buildkit.trace", "aux": "CgA="}'
    assert build_record(trace) == json.loads(trace)
    assert build_record(b'{"aux": {"ID": "sha256:1"}}') == {"aux": {"ID": "sha256:1"}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"502 Bad Gateway", "is no JSON: '502 Bad Gateway'"),
        (b"[1]", "it is a list, not an object"),
        (b'{"stream": 5}', "stream is a number, not a text"),
        (b'{"errorDetail": "x"}', "errorDetail is a text, not an object"),
        (b'{"id": "moby.buildkit.trace", "aux": {}}', "it is an object, not a text"),
        (b'{"id": "moby.image.id", "aux": "x"}', "it is a text, not an object"),
    ],
)
def test_a_line_that_no_builder_writes_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(OddAnswerError) as told:
        build_record(line)
    assert why in str(told.value)


def mutated(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value."""
    if isinstance(value, dict):
        return [path] + [found for key in value for found in mutated(value[key], (*path, key))]
    if isinstance(value, list):
        return [path] + [
            found for key, item in enumerate(value) for found in mutated(item, (*path, key))
        ]
    return [path]


def test_a_record_with_any_place_of_another_type_is_refused() -> None:
    record = {
        "Id": "sha256:1",
        "Config": {
            "Cmd": ["a"], "Entrypoint": ["a"], "Env": ["A=b"], "Image": "i", "Labels": {},
            "OnBuild": ["RUN a"], "Shell": ["sh"], "User": "u", "WorkingDir": "/",
        },
        "GraphDriver": {"Data": {}, "Name": "overlay2"},
        "Parent": "", "RepoTags": ["a:1"], "RootFS": {"Layers": ["sha256:2"]}, "Size": 1,
    }  # fmt: skip
    assert misfit(record, IMAGE) is None
    for path in mutated(record):
        others: tuple[Any, ...] = (5, "x", [], {}, 1.5)
        for wrong in others:
            changed: Any = json.loads(json.dumps(record))
            place = changed
            for key in path[:-1]:
                place = place[key]
            if not path or type(place[path[-1]]) is type(wrong):
                continue
            place[path[-1]] = wrong
            assert misfit(changed, IMAGE) is not None, (path, wrong)


def test_a_call_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_SLACK_SECONDS", 0.0)
    never = threading.Event()
    with pytest.raises(TimeoutError, match="not complete"):
        within(0.01, never.wait)
    never.set()


def test_a_call_that_ends_gives_its_result_or_its_error() -> None:
    assert within(60, lambda: 5) == 5
    with pytest.raises(IndexError):
        within(60, lambda: [][5])
