"""A shell that chooses the Python is asked, after its own preparation and nothing else of it."""

from __future__ import annotations

import pytest

from pytest_dockercache.checks.started_by_shell import started_by_script, started_by_shell

CONDA = "source /opt/conda/etc/profile.d/conda.sh"


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (
            ["bash", "-c", f"{CONDA} && conda activate app && exec python /app/main.py"],
            f"{CONDA}\nconda activate app\npython --version",
        ),
        (
            ["/bin/sh", "-c", "PATH=/e/bin:$PATH python a.py"],
            "PATH=/e/bin:$PATH python --version",
        ),
        (["/bin/bash", "-ic", "python a.py"], "python --version"),
        (["/bin/bash", "--login", "-c", "python a.py"], "python --version"),
        (
            ["bash", "-c", '. /v/bin/activate >/dev/null 2>&1; exec "$0" "$@"', "python3", "-V"],
            ". /v/bin/activate >/dev/null 2>&1\npython3 --version",
        ),
        (
            ["bash", "-c", '. /v/bin/activate && exec "$@"', "--", "python3", "-V"],
            ". /v/bin/activate\npython3 --version",
        ),
        (
            ["/bin/sh", "-c", "cd /app && conda run -n app python x.py"],
            "cd /app\nconda run -n app python --version",
        ),
        (
            [
                "/bin/sh",
                "-c",
                'eval "$(micromamba shell hook -s bash)" && micromamba activate a\nw',
            ],
            'eval "$(micromamba shell hook -s bash)"\nmicromamba activate a\npython --version',
        ),
    ],
)
def test_the_shell_is_asked_after_what_it_prepares_and_runs_no_program(
    words: list[str], question: str
) -> None:
    found = started_by_shell(words)
    assert found is not None
    assert (found.question[-1], found.is_plain, found.doubt) == (question, False, "")


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("python3 manage.py migrate && python3 manage.py runserver", "python3"),
        ("echo hi; sleep 1 && gunicorn app", "python"),
        ("/v/bin/python a.py --port $PORT", "/v/bin/python"),
        ("set -e; migrate; python3 a.py | tee log", "python3"),
    ],
)
def test_a_shell_that_prepares_nothing_only_names_the_python(text: str, python: str) -> None:
    found = started_by_shell(["/bin/sh", "-c", text])
    assert found is not None
    assert (found.python, found.is_plain, found.doubt) == (python, True, "")


@pytest.mark.parametrize(
    "text",
    [
        "if [ $X ]; then . /v/bin/activate; fi; python a.py",
        "migrate\n. /v/bin/activate\npython a.py",
    ],
)
def test_a_preparation_that_was_not_followed_is_a_doubt(text: str) -> None:
    found = started_by_shell(["/bin/sh", "-c", text])
    assert found is not None
    assert found.doubt


@pytest.mark.parametrize(
    "words", [[], ["bash"], ["bash", "-c"], ["bash", "a.sh"], ["python", "-c"]]
)
def test_other_programs_are_no_shells_with_a_command(words: list[str]) -> None:
    assert started_by_shell(words) is None


def test_a_script_that_activates_and_runs_one_program_is_followed() -> None:
    text = f'#!/bin/bash\nset -e\n# once\n{CONDA}\nconda activate app\nexec python3 a.py "$@"\n'
    found = started_by_script(text)
    assert found is not None
    assert found.question == (
        "/bin/bash",
        "-c",
        f"set -e\n{CONDA}\nconda activate app\npython3 --version",
    )
    assert started_by_script("#!/usr/bin/env python3\nprint(1)\n") is None
