"""How the image's Python is found, run and compared."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from layer_maker import Member, add, config_of, index, tar_of
from scripted import Terminal, subject
from syrupy.assertion import SnapshotAssertion

from pytest_dockercache.checks import CheckSettings, Judged, python_version
from pytest_dockercache.checks.contents import Contents
from pytest_dockercache.checks.python_version import (
    pins,
)
from pytest_dockercache.checks.running_python import ask, wrapper
from pytest_dockercache.engines import Execution
from pytest_dockercache.environments import PythonPin
from pytest_dockercache.errors import CacheAssertionError, DoesNotApply, Unverifiable
from pytest_dockercache.image import ImageConfig, ImageLayers
from pytest_dockercache.inspection import Inspection
from pytest_dockercache.project import Settings

DOCKERFILE = "FROM x\nCOPY environment.yml .\nRUN conda env update -f environment.yml\n"


def reported_python(judged: Judged, image: str) -> str:
    return ask(judged, image, lambda: None).version


def says(version: str) -> Execution:
    return Execution(0, f"Python {version}\n", "")


@pytest.mark.parametrize(
    ("entrypoint", "kept"),
    [
        ([], ()),
        (["python", "app.py"], ()),
        (["/usr/bin/tini", "--"], ("/usr/bin/tini", "--")),
        (["tini", "-g", "--", "jupyter", "lab"], ("tini", "-g", "--")),
        (["catatonit", "--", "jupyter"], ("catatonit", "--")),
        (
            ["micromamba", "run", "-r", "/m", "-n", "a", "b"],
            ("micromamba", "run", "-r", "/m", "-n", "a"),
        ),
        (["sudo", "-u", "app", "conda", "run", "-n", "a"], ()),
        (["/usr/local/bin/_entrypoint.sh"], ("/usr/local/bin/_entrypoint.sh",)),
        (["conda", "run", "-n", "app"], ("conda", "run", "-n", "app")),
        (
            ["/opt/conda/bin/conda", "run", "--no-capture-output", "-n", "app", "python", "a.py"],
            ("/opt/conda/bin/conda", "run", "--no-capture-output", "-n", "app"),
        ),
        (["tini", "--", "conda", "run", "-p", "/e"], ("tini", "--", "conda", "run", "-p", "/e")),
        (["conda", "info"], ()),
        (["./docker-entrypoint.sh"], ()),
    ],
)
def test_only_what_prepares_an_environment_is_kept_of_an_entry_point(
    entrypoint: list[str], kept: tuple[str, ...]
) -> None:
    assert wrapper(entrypoint) == kept


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (["nice", "-n", "5", "/e/bin/python", "main.py"], "/e/bin/python --version"),
        (["/usr/bin/timeout", "-k", "5", "99", "/e/bin/python3.10", "-m", "a"],
         "/e/bin/python3.10 --version"),
        (["setpriv", "--reuid=1000", "--clear-groups", "/e/bin/python"], "/e/bin/python --version"),
        (["tini", "--", "gosu", "app", "/e/bin/python", "a.py"], "tini -- /e/bin/python --version"),
        (["gosu", "app", "conda", "run", "-n", "app", "python"],
         "conda run -n app python --version"),
        (["tini", "--", "su-exec", "app", "conda", "run", "-n", "app", "python"],
         "tini -- conda run -n app python --version"),
        (["nohup", "stdbuf", "-oL", "/e/bin/python", "a.py"], "/e/bin/python --version"),
        (["/bin/sh", "-c", "exec nice /e/bin/python a.py"], "/e/bin/python --version"),
    ],
)  # fmt: skip
def test_what_only_limits_a_program_hides_no_python(
    tmp_path: Path, command: list[str], asked: str
) -> None:
    engine = Terminal({"python --version": says("3.12.1"), asked: says("3.10.4")}, {"Cmd": command})
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_an_application_as_entry_point_is_overridden(tmp_path: Path) -> None:
    engine = Terminal({"python --version": says("3.10.4")}, {"Entrypoint": ["gunicorn"]})
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"
    assert engine.commands == ["python --version"]


@pytest.mark.parametrize("architecture", ["arm64", "amd64"])
def test_an_image_of_another_platform_that_cannot_be_run_is_not_verified(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    refused = Execution(255, "", "exec /bin/python: exec format error\n")
    engine = Terminal({"python --version": refused}, {}, architecture)
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    if architecture == "arm64":
        with pytest.raises(Unverifiable) as unknown:
            reported_python(judged, "image")
        assert str(unknown.value).startswith(
            "no program of the image can be run here: it is made for linux/arm64\n"
        )
    else:  # A script without its first line fails in the same words.
        with pytest.raises(CacheAssertionError, match="python does not run in the image"):
            reported_python(judged, "image")


def test_a_shell_that_activates_an_environment_is_asked(tmp_path: Path) -> None:
    text = ". /opt/conda/etc/profile.d/conda.sh && conda activate app && exec python main.py"
    asked = text.replace(" && ", "\n").replace("exec python main.py", "python --version")
    engine = Terminal(
        {f"bash -c {asked}": says("3.10.4"), "python --version": says("3.11.2")},
        {"Cmd": ["bash", "-c", text]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_the_environment_of_a_project_is_asked_through_its_run(tmp_path: Path) -> None:
    engine = Terminal(
        {"uv run --no-sync python --version": says("3.10.4"), "python --version": says("3.11.2")},
        {"Cmd": ["uv", "run", "--no-sync", "main.py"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_a_script_that_a_shell_is_given_is_followed(tmp_path: Path) -> None:
    engine = Terminal(
        {
            "cat start.sh": Execution(0, ". /v/bin/activate\nexec python main.py\n", ""),
            "bash -c . /v/bin/activate\npython --version": says("3.10.4"),
            "python --version": says("3.11.2"),
        },
        {"Cmd": ["bash", "start.sh"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_an_entry_point_that_gives_its_words_to_a_program_of_python_is_not_run(
    tmp_path: Path,
) -> None:
    script = '#!/bin/sh\nset -e\nexec /e/bin/python /app/main.py "$@"\n'
    engine = Terminal(
        {
            "cat /entry.sh": Execution(0, script, ""),
            "/e/bin/python --version": says("3.10.4"),
            "python --version": says("3.11.2"),
        },
        {"Entrypoint": ["/entry.sh"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_the_first_line_of_a_program_that_a_shell_starts_names_its_python(tmp_path: Path) -> None:
    engine = Terminal(
        {
            "cat /v/bin/tool": Execution(0, "#!/v/bin/python\nimport tool\n", ""),
            "/v/bin/python --version": says("3.11.2"),
            "python --version": says("3.10.4"),
        },
        {"Cmd": ["/bin/sh", "-c", "/v/bin/tool serve --port $PORT"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.11.2"


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        (
            {"Cmd": ["env", "PATH=/e/bin:/bin", "python", "main.py"]},
            "env PATH=/e/bin:/bin python --version",
        ),
        (
            {"Cmd": ["bash", "-c", "python main.py"], "Env": ["BASH_ENV=/etc/env.sh"]},
            "bash -c python --version",
        ),
    ],
)
def test_what_changes_path_before_the_program_is_asked_through(
    tmp_path: Path, config: dict[str, object], asked: str
) -> None:
    engine = Terminal({asked: says("3.10.4"), "python --version": says("3.11.2")}, config)
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_a_wrapper_as_entry_point_is_used(tmp_path: Path) -> None:
    engine = Terminal(
        {"conda run -n app python --version": says("3.10.4")},
        {"Entrypoint": ["conda", "run", "-n", "app"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"


def test_without_python_on_path_the_shell_of_the_image_is_asked(tmp_path: Path) -> None:
    engine = Terminal(
        {"conda run -n app /bin/bash -c python --version": says("3.10.4")},
        {"Shell": ["conda", "run", "-n", "app", "/bin/bash", "-c"]},
    )
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(judged, "image") == "3.10.4"
    assert engine.commands[0] == "python --version"


def test_an_image_without_python_fails_with_what_was_tried(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    judged = subject(tmp_path, {"Dockerfile": DOCKERFILE})
    with pytest.raises(CacheAssertionError) as caught:
        reported_python(judged, "image")
    assert str(caught.value) == snapshot


def test_an_option_beats_the_pin_of_the_environment_file(tmp_path: Path) -> None:
    files = {"Dockerfile": DOCKERFILE, "environment.yml": "dependencies: [python=3.10]\n"}
    assert pins(subject(tmp_path, files)) == (PythonPin("3.10", "environment.yml", 1),)
    named = CheckSettings(python="3.11")
    assert pins(subject(tmp_path, files), named) == (PythonPin("3.11", "--dockercache-python"),)


def test_without_a_pin_the_check_does_not_apply(tmp_path: Path) -> None:
    files = {"Dockerfile": DOCKERFILE, "environment.yml": "dependencies: [numpy]\n"}
    with pytest.raises(DoesNotApply, match=r"--dockercache-python=3\.10"):
        pins(subject(tmp_path, files))


# --- an environment beside base ---------------------------------------------------------------

APP = "opt/conda/envs/app"
BASE = "opt/conda"
RUN_IN_APP = ("conda", "run", "--no-capture-output", "-n", "app", "python", "main.py")


def environment_of(prefix: str, version: str) -> list[Member]:
    """A conda environment that holds Python alone."""
    record = json.dumps({"name": "python", "version": version, "build": "0"}).encode()
    return [
        add(f"{prefix}/conda-meta/python-{version}-0.json", record),
        add(f"{prefix}/bin/python", b"ELF", mode=0o755),
    ]


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the checks find an image with base's Python 3.12.1 and the app's 3.10.4."""

    def holds(*more: Member, **config: Any) -> None:
        members = [*environment_of(BASE, "3.12.1"), *environment_of(APP, "3.10.4"), *more]
        content = tar_of(members)
        document = json.loads(config_of([content], **config))
        layers = ImageLayers("it", "sha256:0", "test", ImageConfig(document), (), (index(content),))
        contents = Contents(layers, None, {})
        monkeypatch.setattr(python_version, "contents_of", lambda *_: contents)

    return holds


def judged(root: Path, files: Mapping[str, str], answers: Mapping[str, str], **config: object):  # type: ignore[no-untyped-def]
    engine = Terminal({words: says(version) for words, version in answers.items()}, config)
    return python_version.judge(subject(root, files, engine=engine))


BASE_PATH = "PATH=/opt/conda/bin:/bin"
APP_PATH = "PATH=/opt/conda/envs/app/bin:/opt/conda/bin:/bin"
PINNED = {"Dockerfile": DOCKERFILE, "environment.yml": "name: app\ndependencies: [python=3.10]\n"}


def test_behind_conda_run_the_environment_that_it_names_is_judged(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=[BASE_PATH])
    answers = {
        "conda run --no-capture-output -n app python --version": "3.10.4",
        "python --version": "3.12.1",
    }
    verdict = judged(tmp_path, PINNED, answers, Entrypoint=list(RUN_IN_APP))
    assert verdict.message == "python 3.10.4 satisfies 3.10 (environment.yml)"


def test_behind_conda_run_a_wrong_version_names_its_environment(
    tmp_path: Path, image: Callable[..., None], snapshot: SnapshotAssertion
) -> None:
    image(Env=[BASE_PATH])
    files = {**PINNED, "environment.yml": "name: app\ndependencies: [python=3.12]\n"}
    with pytest.raises(CacheAssertionError) as caught:
        judged(
            tmp_path,
            files,
            {"conda run -n app python --version": "3.10.4"},
            Entrypoint=["conda", "run", "-n", "app"],
        )
    assert str(caught.value) == snapshot


def test_another_python_under_the_name_is_still_seen(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=[APP_PATH])
    with pytest.raises(Unverifiable, match=r"/opt/conda/envs/app records python 3\.10\.4, but"):
        judged(tmp_path, PINNED, {"python --version": "3.10.9"})


def test_what_a_shell_runs_is_not_held_against_path(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=[BASE_PATH])
    verdict = judged(
        tmp_path, PINNED, {"bash -lc python --version": "3.10.9"}, Shell=["bash", "-lc"]
    )
    assert verdict.message == "python 3.10.9 satisfies 3.10 (environment.yml)"


@pytest.mark.parametrize(
    ("entrypoint", "env", "prefix"),
    [
        (RUN_IN_APP, [], "/opt/conda/envs/app"),
        (("tini", "--", "mamba", "run", "--name=app"), [], "/opt/conda/envs/app"),
        (
            ("_entrypoint.sh", "micromamba", "run", "-n", "app"),
            ["ENV_NAME=base"],
            "/opt/conda/envs/app",
        ),
        (("conda", "run", "-p", "/opt/conda/envs/app/"), [], "/opt/conda/envs/app"),
        (("_entrypoint.sh",), ["ENV_NAME=app"], "/opt/conda/envs/app"),
        (("tini", "--"), [], "/opt/conda"),
        (("conda", "run", "-n", "base"), [], "/opt/conda"),
        (("gunicorn",), [], "/opt/conda"),
    ],
)
def test_of_a_file_the_record_of_the_environment_that_runs_is_judged(
    tmp_path: Path,
    image: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    entrypoint: tuple[str, ...],
    env: list[str],
    prefix: str,
) -> None:
    image(Env=[BASE_PATH, *env], Entrypoint=list(entrypoint))
    app = inspection(tmp_path, monkeypatch, PINNED)
    version = "3.10.4" if prefix.endswith("app") else "3.12.1"
    with pytest.raises(CacheAssertionError) as caught:
        python_version.judge_image(app, "app.tar", "3.9", "the test")
    assert f"{prefix} " in str(caught.value)
    assert f"records {version} (conda-meta, not run)" in str(caught.value)


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [
        (("conda", "run"), "no conda record names the python that its ENTRYPOINT or CMD starts"),
        (("conda", "run", "-n", "other"), "the image has no environment other; it has: "),
    ],
)
def test_of_a_file_whose_wrapper_names_no_known_environment_nothing_is_known(
    tmp_path: Path,
    image: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    entrypoint: tuple[str, ...],
    reason: str,
) -> None:
    image(Env=[BASE_PATH], Entrypoint=list(entrypoint))
    with pytest.raises(Unverifiable, match=reason):
        python_version.judge(inspection(tmp_path, monkeypatch, PINNED))


def inspection(root: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str]) -> Inspection:
    """A subject that is the archive ``app.tar`` beside these files."""
    made = subject(root, files)
    monkeypatch.chdir(root)
    (root / "app.tar").write_bytes(b"")
    return Inspection(made.spec, made.settings, made.run, reference="app.tar")


TOOLS = "name: tools\ndependencies: [python=3.12]\n"
OURS = "name: app\ndependencies: [python=3.10]\n"
BOTH = "RUN conda env create -f tools.yml\nRUN conda env create -f environment.yml\n"


@pytest.mark.parametrize(
    ("dockerfile", "tools", "ours"),
    [
        (f"FROM c\nCOPY *.yml ./\n{BOTH}", TOOLS, OURS),
        (
            "FROM c\nCOPY *.yml ./\nRUN conda env create -n tools -f tools.yml && "
            "conda env create -p /opt/conda/envs/app --file=environment.yml\n",
            TOOLS.replace("name: tools\n", ""),
            OURS.replace("name: app", "name: else"),
        ),
        (
            "FROM c\nARG ENV=app\nCOPY tools.yml ./\nCOPY environment.yml e.yml\n"
            "RUN conda create -n other click && conda env create -f tools.yml\n"
            "RUN conda env create -n $ENV -f e.yml && conda clean -afy\n",
            TOOLS,
            OURS.replace("name: app", "name: else"),
        ),
        (
            "FROM c AS ci\nCOPY tools.yml ./\nRUN conda env update -f tools.yml\n"
            "FROM c\nCOPY --from=ci /report /report\nCOPY environment.yml ./\n"
            "RUN conda env update -f environment.yml\n",
            TOOLS.replace("name: tools\n", ""),
            OURS.replace("name: app\n", ""),
        ),
    ],
    ids=["own names", "options", "argument", "another stage"],
)
def test_the_pin_is_that_of_the_file_which_describes_the_environment_that_runs(
    tmp_path: Path, image: Callable[..., None], dockerfile: str, tools: str, ours: str
) -> None:
    image(Env=[APP_PATH])
    files = {"Dockerfile": dockerfile, "tools.yml": tools, "environment.yml": ours}
    verdict = judged(tmp_path, files, {"python --version": "3.10.4"})
    assert verdict.message == "python 3.10.4 satisfies 3.10 (environment.yml)"


@pytest.mark.parametrize("made", ["-n app", "-p /opt/env"])
def test_the_pin_of_an_environment_follows_it_to_where_it_is_copied(
    tmp_path: Path, image: Callable[..., None], made: str
) -> None:
    image(*environment_of("srv/env", "3.10.4"), Env=["PATH=/srv/env/bin:/opt/conda/bin:/bin"])
    there = "/opt/env" if "-p" in made else "/opt/conda/envs/app"
    files = {
        "Dockerfile": "FROM c AS builder\nCOPY environment.yml .\n"
        f"RUN conda env create {made} -f environment.yml\n"
        "FROM c\nCOPY base.yml .\nRUN conda env update -n base -f base.yml\n"
        f"COPY --from=builder {there} /srv/env\n",
        "base.yml": "dependencies: [python=3.12]\n",
        "environment.yml": OURS,
    }
    verdict = judged(tmp_path, files, {"python --version": "3.10.4"})
    assert verdict.message == "python 3.10.4 satisfies 3.10 (environment.yml)"


def test_pins_of_which_none_is_known_to_be_the_one_are_both_named(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=[APP_PATH])
    files = {
        "Dockerfile": f"FROM c\nCOPY *.yml ./\n{BOTH.replace('create', 'update')}",
        "tools.yml": TOOLS.replace("name: tools\n", ""),
        "environment.yml": OURS.replace("name: app\n", ""),
    }
    with pytest.raises(
        Unverifiable,
        match=r"3\.12 in tools\.yml, 3\.10 in environment\.yml\n +fix +name the version",
    ):
        judged(tmp_path, files, {"python --version": "3.10.4"})
    # Neither of them is followed, whichever is meant.
    with pytest.raises(CacheAssertionError, match=r"^python is 3\.11\.2, not 3\.12"):
        judged(tmp_path, files, {"python --version": "3.11.2"})


def test_a_file_that_is_named_by_option_leaves_out_the_pins_of_others(tmp_path: Path) -> None:
    files = {
        "Dockerfile": f"FROM c\nCOPY *.yml ./\n{BOTH}",
        "tools.yml": TOOLS,
        "environment.yml": OURS,
    }
    named = subject(tmp_path, files, settings=Settings(environment=("./environment.yml",)))
    assert pins(named) == (PythonPin("3.10", "environment.yml", 2),)


def test_an_alternative_of_poetry_is_a_pin_like_any_other(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM c\nCOPY pyproject.toml poetry.lock ./\nRUN poetry install --no-root\n",
        "pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.10 || ~3.11"\n',
        "poetry.lock": "",
    }
    (pin,) = pins(subject(tmp_path, files))
    versions = ("3.9.1", "3.10.4", "3.11.2", "3.12.0")
    assert [pin.fits(version) for version in versions] == [False, True, True, False]


UV = "FROM c\nWORKDIR /app\nCOPY pyproject.toml uv.lock .python-version ./\nRUN uv sync\n"
UV_PROJECT = {
    "Dockerfile": UV,
    "pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.10"\n',
    "uv.lock": "",
    ".python-version": "3.10\n",
}


def test_all_pins_of_a_project_count_among_them_the_one_that_uv_finds(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=["PATH=/bin"])
    with pytest.raises(CacheAssertionError, match=r"^python is 3\.11\.2, not 3\.10\n") as caught:
        judged(tmp_path, UV_PROJECT, {"python --version": "3.11.2"})
    assert "pinned >=3.10 in pyproject.toml\n" in str(caught.value)
    assert "pinned 3.10 in .python-version:1\n" in str(caught.value)
    verdict = judged(tmp_path, UV_PROJECT, {"python --version": "3.10.4"})
    assert (
        verdict.message == "python 3.10.4 satisfies >=3.10 (pyproject.toml), 3.10 (.python-version)"
    )


def test_a_version_file_that_uv_does_not_find_pins_nothing(tmp_path: Path) -> None:
    not_copied = {**UV_PROJECT, "Dockerfile": UV.replace(" .python-version", "")}
    assert [pin.origin for pin in pins(subject(tmp_path, not_copied))] == ["pyproject.toml"]
    above = UV.replace(" .python-version", "").replace("COPY", "COPY .python-version /\nCOPY", 1)
    found = pins(subject(tmp_path, {**UV_PROJECT, "Dockerfile": above}))
    assert [pin.spec for pin in found] == [">=3.10", "3.10"]


def test_both_lines_that_pin_python_count(tmp_path: Path, image: Callable[..., None]) -> None:
    image(Env=["PATH=/bin"])
    files = {**PINNED, "environment.yml": "dependencies:\n- python>=3.9\n- python <3.11\n"}
    with pytest.raises(CacheAssertionError, match=r"^python is 3\.11\.2, not <3\.11\n"):
        judged(tmp_path, files, {"python --version": "3.11.2"})
    verdict = judged(tmp_path, files, {"python --version": "3.10.4"})
    assert verdict.message == "python 3.10.4 satisfies >=3.9 and <3.11 (environment.yml)"


def test_a_list_of_match_specs_pins_python(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM c\nCOPY specs.txt .\nRUN conda create -n app --file specs.txt\n",
        "specs.txt": "numpy\npython = 3.10\n",
    }
    assert pins(subject(tmp_path, files)) == (PythonPin("3.10", "specs.txt", 2),)


# --- how the image starts -----------------------------------------------------------------------

HANDS_OVER = '#!/bin/sh\nset -e\nexport PATH=/opt/conda/envs/app/bin:$PATH\nexec "$@"\n'


def cat(text: str) -> Execution:
    return Execution(0, text, "")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Cmd": ["conda", "run", "-n", "app", "python", "m.py"]},
         "conda run -n app python --version"),
        ({"Cmd": ["/bin/sh", "-c", "exec conda run -n app python m.py"]},
         "conda run -n app python --version"),
        ({"Entrypoint": ["tini", "--"], "Cmd": ["conda", "run", "-n", "app", "gunicorn"]},
         "tini -- conda run -n app python --version"),
        ({"Cmd": ["/opt/conda/envs/app/bin/python", "m.py"]},
         "/opt/conda/envs/app/bin/python --version"),
        ({"Entrypoint": ["/opt/conda/envs/app/bin/python3.10"], "Cmd": ["m.py"]},
         "/opt/conda/envs/app/bin/python3.10 --version"),
        ({"Cmd": ["/bin/sh", "-c", "/opt/conda/envs/app/bin/python m.py"]},
         "/opt/conda/envs/app/bin/python --version"),
        ({"Cmd": ["python3", "m.py"]}, "python3 --version"),
        ({"Cmd": ["/bin/sh", "-c", "python a.py && /opt/python b.py"]}, "python --version"),
    ],
)  # fmt: skip
def test_the_python_that_the_command_names_is_asked(
    tmp_path: Path, config: dict[str, list[str]], words: str
) -> None:
    engine = Terminal({words: says("3.10.4")}, config)
    asked = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(asked, "image") == "3.10.4"
    assert engine.commands == [words]


def test_the_environment_of_an_absolute_python_is_the_one_that_is_judged(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=[BASE_PATH])
    path = "/opt/conda/envs/app/bin/python"
    verdict = judged(tmp_path, PINNED, {f"{path} --version": "3.10.4"}, Cmd=[path, "m.py"])
    assert verdict.message == "python 3.10.4 satisfies 3.10 (environment.yml)"
    files = {**PINNED, "environment.yml": "name: app\ndependencies: [python=3.9]\n"}
    with pytest.raises(
        CacheAssertionError, match=r"image  /opt/conda/envs/app .* records 3\.10\.4"
    ):
        judged(tmp_path, files, {f"{path} --version": "3.10.4"}, Cmd=[path, "m.py"])


def test_a_program_says_in_its_first_line_which_python_runs_it(tmp_path: Path) -> None:
    script = "#!/venv/bin/python3\nimport gunicorn\n"
    engine = Terminal(
        {"cat /venv/bin/gunicorn": cat(script), "/venv/bin/python3 --version": says("3.10.4")},
        {"Cmd": ["/venv/bin/gunicorn", "app"]},
    )
    asked = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(asked, "image") == "3.10.4"


def entry(tmp_path: Path, plain: Execution, through: Execution, text: str = HANDS_OVER) -> str:
    """The report about an image whose ENTRYPOINT is a script."""
    answers = {
        "cat /entry.sh": cat(text),
        "python --version": plain,
        "/entry.sh python --version": through,
    }
    engine = Terminal(answers, {"Entrypoint": ["/entry.sh"], "Cmd": ["python", "m.py"]})
    return reported_python(subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine), "image")


def test_a_script_that_hands_over_is_asked_through_as_well(tmp_path: Path) -> None:
    nothing = Execution(127, "", "not found")
    assert entry(tmp_path, says("3.10.4"), says("3.10.4")) == "3.10.4"
    with pytest.raises(Unverifiable, match=r"reports 3\.11\.2, and through .* entry\.sh 3\.10\.4"):
        entry(tmp_path, says("3.11.2"), says("3.10.4"))
    assert entry(tmp_path, nothing, says("3.10.4")) == "3.10.4"
    # A script that does not hand over is an application like any other.
    other = "#!/bin/sh\nexec python /app/main.py\n"
    assert entry(tmp_path, says("3.11.2"), says("3.10.4"), other) == "3.11.2"


def test_what_a_script_did_not_answer_makes_a_failure_doubtful(
    tmp_path: Path, image: Callable[..., None]
) -> None:
    image(Env=["PATH=/bin"])
    answers = {"cat /entry.sh": cat(HANDS_OVER), "python --version": says("3.11.2")}
    engine = Terminal(answers, {"Entrypoint": ["/entry.sh"]})
    with pytest.raises(Unverifiable, match=r"3\.11\.2, but entry\.sh did not run python: "):
        python_version.judge(subject(tmp_path, PINNED, engine=engine))
    fine = {**PINNED, "environment.yml": "dependencies: [python=3.11]\n"}
    assert "satisfies" in python_version.judge(subject(tmp_path, fine, engine=engine)).message


class Forgetful(Terminal):
    """Loses the output of its first ``lost`` commands."""

    lost = 1

    def run(self, image: str, command: Sequence[str], **more: Any) -> Execution:
        answer = super().run(image, command, **more)
        return Execution(0, "", "") if len(self.commands) <= self.lost else answer


def test_success_without_a_word_is_asked_for_again(tmp_path: Path) -> None:
    engine = Forgetful({"python --version": says("3.10.4")}, {})
    asked = subject(tmp_path, {"Dockerfile": DOCKERFILE}, engine=engine)
    assert reported_python(asked, "image") == "3.10.4"
    assert engine.commands == ["python --version"] * 2
    engine.lost = 9
    with pytest.raises(Unverifiable, match="succeeded twice without a word: its output was lost"):
        reported_python(asked, "image")


@pytest.mark.parametrize(
    ("python", "why"),
    [
        (add("venv/bin/python", kind=tarfile.SYMTYPE, link="/usr/local/bin/python3.10"),
         "/venv/bin/python is there and leads to nothing"),
        (add("venv/bin/python", b"ELF"), "/venv/bin/python is there but cannot be run"),
        (add("bin/python3", b"ELF"), "nor through the image's SHELL; there is a python3"),
        (add("x"), "no python was found on PATH, nor through the image's SHELL"),
    ],
)  # fmt: skip
def test_a_python_that_cannot_run_is_told_from_none(
    tmp_path: Path, image: Callable[..., None], python: Member, why: str
) -> None:
    image(python, Env=["PATH=/venv/bin:/bin"])
    with pytest.raises(CacheAssertionError, match=r"^python does not run in the image") as caught:
        judged(tmp_path, PINNED, {})
    assert why in str(caught.value)
    assert ("no python was found" in str(caught.value)) is not why.startswith("/venv")


PIXI = {
    "Dockerfile": "FROM p\nWORKDIR /app\nCOPY pixi.toml ./\nRUN pixi install -e new\n",
    "pixi.toml": """\
[feature.old.dependencies]
python = "3.10.*"
[feature.new.dependencies]
python = "3.12.*"
[environments]
default = ["old"]
new = ["new"]
""",
}


@pytest.mark.parametrize(
    ("installs", "runs", "version", "outcome"),
    [
        ("-e new", "new", "3.12.1", "passes"),
        ("-e new", "new", "3.10.4", CacheAssertionError),
        ("-e new", "", "3.12.1", "passes"),  # the environment was copied to another place
        ("", "default", "3.10.4", "passes"),
        ("", "default", "3.12.1", CacheAssertionError),
        ("--all", "new", "3.12.1", "passes"),
        ("--all", "new", "3.10.4", CacheAssertionError),
        ("--all", "", "3.12.1", Unverifiable),
    ],
)
def test_the_pins_of_the_environment_of_pixi_that_runs_count(
    tmp_path: Path,
    image: Callable[..., None],
    installs: str,
    runs: str,
    version: str,
    outcome: str | type[Exception],
) -> None:
    prefix = f"app/.pixi/envs/{runs}" if runs else "srv/env"
    image(*environment_of(prefix, version), Env=[f"PATH=/{prefix}/bin:/bin"])
    files = {**PIXI, "Dockerfile": PIXI["Dockerfile"].replace("-e new", installs)}
    if isinstance(outcome, str):
        judged(tmp_path, files, {"python --version": version})
    else:
        with pytest.raises(outcome):
            judged(tmp_path, files, {"python --version": version})
