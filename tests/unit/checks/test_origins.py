"""Whose files a layer holds: the RUN's own, another stage's, the build context's."""

from __future__ import annotations

from pytest_dockercache.checks.origins import Origin, origin_of
from pytest_dockercache.dockerfile import PlannedStep, parse_dockerfile, plan

STAGES = """\
FROM base AS build
RUN apt-get update
RUN pip install -t /venv flask
FROM build AS middle
COPY --from=build /venv /opt/venv
FROM base
COPY --from=middle /opt /opt
COPY app/ /srv/
COPY --from=other/image:1 /tool /tool
RUN touch /x
"""


def steps() -> tuple[PlannedStep, ...]:
    return plan(parse_dockerfile(STAGES))


def installs(step: PlannedStep) -> bool:
    return "pip" in step.instruction.text


def origin(line: int | None, path: str) -> Origin:
    return origin_of(steps(), line, path, installs)


def test_a_runs_files_are_its_own() -> None:
    assert origin(10, "/x") == Origin("run", 10, path="/x", makers=(10,))


def test_what_a_copy_takes_from_a_stage_was_made_by_the_run_there_that_can_have_made_it() -> None:
    assert origin(7, "/opt/venv") == Origin("stage", 7, "middle", "/opt/venv", (3,))


def test_what_a_copy_takes_from_the_context_is_named_by_its_path_there() -> None:
    assert origin(8, "/srv/lib") == Origin("context", 8, path="/app/lib")


def test_an_image_that_a_copy_takes_from_is_named() -> None:
    assert origin(9, "/tool/a").stage == "other/image:1"


def test_where_no_run_is_known_to_make_it_every_run_of_the_stage_can_have_made_it() -> None:
    found = origin_of(steps(), 7, "/opt/venv", lambda step: False)
    assert found.makers == (2, 3)


def test_a_layer_without_a_line_is_of_unknown_origin() -> None:
    assert origin(None, "/x") == Origin()
    assert origin(99, "/x").kind == "unknown"
