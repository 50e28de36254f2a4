"""The environment that a file describes, and the messages about unverified requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from layer_maker import Member, add, conda, dist, layer
from scripted import subject

from pytest_dockercache.checks import environment_packages
from pytest_dockercache.checks.contents import Contents
from pytest_dockercache.checks.environment_packages import readers_of
from pytest_dockercache.environments.places import places
from pytest_dockercache.errors import CacheAssertionError, DoesNotApply, Unverifiable
from pytest_dockercache.image import replay
from pytest_dockercache.image.history import LayerLines
from pytest_dockercache.image.layers import ImageConfig

CONDA_PATH = {"PATH": "/opt/conda/bin:/usr/bin:/bin"}
SITE = "usr/local/lib/python3.10/site-packages"
PLAIN = (dist("pip", "24.0", SITE), dist("flask", "3.0.0", SITE))
"""A Python without conda, into which flask was installed."""

BASE = (
    conda("conda", "24.1.0", prefix="opt/conda"),
    conda("python", "3.12.1", prefix="opt/conda"),
    add("opt/conda/condabin/conda", b"#!"),
)
APP = (conda("python", "3.10.4"), conda("numpy", "1.26.4"))
YML = "name: app\ndependencies:\n  - python=3.10\n  - numpy=1.26\n"

Judge = Callable[..., str]


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Judges a Dockerfile and its files on an image of these members; the message of the pass.

    ``above`` are members of further layers, by the line that makes the layer.
    """

    def judged(
        dockerfile: str,
        files: dict[str, str],
        *members: Member,
        env: dict[str, str] = CONDA_PATH,
        architecture: str = "amd64",
        above: dict[int, tuple[Member, ...]] | None = None,
    ) -> str:
        document: dict[str, Any] = {
            "os": "linux",
            "architecture": architecture,
            "config": {"Env": [f"{name}={value}" for name, value in env.items()]},
        }
        tars = [layer(*members), *(layer(*found) for found in (above or {}).values())]
        layers = SimpleNamespace(view=replay(tars), config=ImageConfig(document))
        own = dict(enumerate(above or {}, start=1))
        lines = LayerLines(frozenset(own), own) if above else None
        contents = Contents(layers, lines, {})  # type: ignore[arg-type]
        monkeypatch.setattr(environment_packages, "contents_of", lambda *_: contents)
        made = subject(tmp_path, {"Dockerfile": dockerfile, **files})
        return environment_packages.judge(made).message

    return judged


# --- unverified requests are named ------------------------------------------------------------

PIP = "FROM python:3.10\nCOPY *.txt ./\nRUN pip install -r requirements.txt\n"


def test_a_file_of_which_nothing_can_be_verified_is_not_passed(judge: Judge) -> None:
    text = "git+https://example.org/y.git@v1\nhttps://example.org/y-1.0.zip\n"
    with pytest.raises(Unverifiable) as caught:
        judge(PIP, {"requirements.txt": text}, *PLAIN)
    assert str(caught.value) == (
        "nothing that requirements.txt asks for can be verified: "
        "git+https://example.org/y.git@v1, https://example.org/y-1.0.zip"
    )


def test_what_is_not_verified_stands_in_the_pass(judge: Judge) -> None:
    files = {"requirements.txt": "flask\n-e ./lib\n--mystery base.txt\n--index-url https://i\n"}
    assert judge(PIP, files, *PLAIN) == (
        "the image holds what requirements.txt asks for; not verified: -e ./lib, --mystery base.txt"
    )


@pytest.mark.parametrize("line", ["-rbase.txt", "-r base.txt", "--requirement=base.txt"])
def test_a_nested_file_is_read_however_it_is_named(judge: Judge, line: str) -> None:
    with pytest.raises(CacheAssertionError, match="django  missing"):
        judge(PIP, {"requirements.txt": f"{line}\n", "base.txt": "django\n"}, *PLAIN)


def test_a_nested_file_that_lies_elsewhere_in_the_context_is_not_an_error(judge: Judge) -> None:
    text = "FROM x\nCOPY conda/environment.yml requirements.txt ./\n"
    text += "RUN conda env create -f environment.yml\n"
    yml = "name: app\ndependencies: [python=3.10, pip: [-r requirements.txt]]\n"
    files = {"conda/environment.yml": yml, "requirements.txt": "flask\n"}
    with pytest.raises(
        Unverifiable, match=r"environment\.yml includes requirements\.txt, which is"
    ):
        judge(text, files, *BASE, *APP)


# --- which environment ------------------------------------------------------------------------

CONDA = "FROM continuumio/miniconda3\nCOPY *.yml ./\n"


@pytest.mark.parametrize(
    "run",
    [
        "RUN conda install -n base -c conda-forge mamba && mamba env create -f environment.yml",
        "RUN conda install -y -n base mamba\nRUN mamba env create -f environment.yml",
        "RUN mkdir -p /data && conda env create -f environment.yml",
        "ARG ENV=app\nRUN conda env create -n $ENV -f environment.yml",
        "RUN conda env create -p /opt/conda/envs/app -f environment.yml",
        "RUN conda env create -f environment.yml && conda install -n base numpy=2",
    ],
)
def test_the_command_that_reads_the_file_names_its_environment(judge: Judge, run: str) -> None:
    files = {"environment.yml": YML}
    message = "the image holds what environment.yml asks for"
    assert judge(f"{CONDA}{run}\n", files, *BASE, *APP) == message
    with pytest.raises(CacheAssertionError, match=r"1 package differs in /opt/conda/envs/app\n"):
        judge(f"{CONDA}{run}\n", files, *BASE, APP[0], conda("numpy", "1.26.4", prefix="opt/conda"))


def test_two_files_are_held_against_an_environment_each(judge: Judge) -> None:
    text = (
        f"{CONDA}RUN conda env create -n tools -f tools.yml\n"
        "RUN conda env create -n app -f environment.yml\n"
    )
    files = {"tools.yml": "dependencies: [black]\n", "environment.yml": "dependencies: [numpy]\n"}
    black = conda("black", "24.0", prefix="opt/conda/envs/tools")
    message = "the image holds what tools.yml, environment.yml asks for"
    assert judge(text, files, *BASE, *APP, black) == message
    with pytest.raises(CacheAssertionError, match=r"tools\.yml: .* in /opt/conda/envs/tools") as e:
        judge(text, files, *BASE, *APP, conda("isort", "5", prefix="opt/conda/envs/tools"))
    assert e.value.line == 3


def test_one_file_may_describe_several_environments(judge: Judge) -> None:
    text = f"{CONDA}RUN conda env create -f environment.yml -n app\n"
    text += "RUN conda env create -f environment.yml -n test\n"
    test = conda("numpy", "1.25.0", prefix="opt/conda/envs/test")
    with pytest.raises(CacheAssertionError, match="differs in /opt/conda/envs/test") as caught:
        judge(text, {"environment.yml": "dependencies: [numpy=1.26]\n"}, *BASE, *APP, test)
    assert caught.value.line == 4


def test_an_environment_that_only_the_container_knows_is_not_guessed(judge: Judge) -> None:
    text = f"{CONDA}RUN conda env create -n $(cat name) -f environment.yml\n"
    reason = r"line 3 installs into an environment that only the running container knows; the image"
    with pytest.raises(Unverifiable, match=rf"{reason} has: /opt/conda, /opt/conda/envs/app$"):
        judge(text, {"environment.yml": YML}, *BASE, *APP)


def test_a_package_in_conda_s_cache_is_no_environment(judge: Judge) -> None:
    text = f"{CONDA}RUN conda env create -n $(cat name) -f environment.yml\n"
    cached = "opt/conda/pkgs/pip-24.0-0/lib/python3.10/site-packages"
    files = {"environment.yml": YML}
    assert "environment.yml" in judge(text, files, *APP, dist("pip", "24.0", cached))


def test_a_variable_of_the_base_image_is_known_from_the_image(judge: Judge) -> None:
    text = f"{CONDA}RUN conda env create -p ${{CONDA_DIR}}/envs/app -f environment.yml\n"
    env = {**CONDA_PATH, "CONDA_DIR": "/opt/conda"}
    assert "environment.yml" in judge(text, {"environment.yml": YML}, *BASE, *APP, env=env)


def test_base_is_the_root_that_conda_runs_from(judge: Judge) -> None:
    text = f"{CONDA}RUN conda env update -n base -f base.yml\n"
    text += "RUN conda env create -p /app/env -f environment.yml\n"
    files = {"base.yml": "dependencies: [conda]\n", "environment.yml": "dependencies: [numpy]\n"}
    numpy = conda("numpy", "1.26.4", prefix="app/env")
    message = "the image holds what base.yml, environment.yml asks for"
    assert judge(text, files, *BASE, numpy) == message


IN_BASE = dist("flask", "3.0.0", "opt/conda/lib/python3.12/site-packages")
IN_APP = dist("flask", "3.0.0")
INTO = "FROM continuumio/miniconda3\nCOPY requirements.txt .\n{}\n"


@pytest.mark.parametrize(
    ("run", "where"),
    [
        ("RUN conda create -n app click\nRUN pip install -r requirements.txt", "base"),
        ("RUN conda run -n app pip install -r requirements.txt", "app"),
        ("RUN conda run -n app bash -c 'pip install -r requirements.txt'", "app"),
        ("RUN /opt/conda/envs/app/bin/pip install -r requirements.txt", "app"),
        ("RUN /opt/conda/envs/app/bin/python -m pip install -r requirements.txt", "app"),
        ("RUN . activate app && pip install -r requirements.txt", "app"),
        ("RUN conda activate app && pip install -r requirements.txt", "app"),
        ("RUN conda activate app && conda deactivate && pip install -r requirements.txt", "base"),
        ("RUN /opt/conda/bin/pip install -r requirements.txt", "base"),
        ("RUN uv pip install -p /opt/conda/envs/app/bin/python -r requirements.txt", "app"),
        ("RUN /usr/local/bin/pip install -r requirements.txt", "/usr/local"),
        ('SHELL ["conda", "run", "-n", "app", "sh", "-c"]\nRUN pip install -r requirements.txt',
         "app"),
    ],
)  # fmt: skip
def test_pip_installs_into_the_environment_that_is_active(
    judge: Judge, run: str, where: str
) -> None:
    text, files = INTO.format(run), {"requirements.txt": "flask\n"}
    places = {"base": IN_BASE, "app": IN_APP, "/usr/local": PLAIN[1]}
    there = places.pop(where)
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *BASE, *APP, PLAIN[0], there) == message
    prefix = {"base": "/opt/conda", "app": "/opt/conda/envs/app"}.get(where, where)
    with pytest.raises(CacheAssertionError, match=rf"1 package differs in {prefix}\n"):
        judge(text, files, *BASE, *APP, PLAIN[0], *places.values())


def test_the_pip_of_a_distribution_may_install_into_either_of_its_directories(
    judge: Judge,
) -> None:
    text = INTO.format("RUN /usr/bin/pip install -r requirements.txt")
    files = {"requirements.txt": "flask\n"}
    debian = dist("wheel", "0.38", "usr/lib/python3/dist-packages")
    with pytest.raises(Unverifiable, match="an environment that only the running container knows"):
        judge(text, files, *BASE, *PLAIN, debian)
    assert "requirements.txt" in judge(
        text, files, debian, dist("flask", "3", "usr/lib/python3/dist-packages")
    )


APP_PATH = {"PATH": "/opt/conda/envs/app/bin:/opt/conda/bin:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("run", "where"),
    [
        ("{}\nENV PATH=/opt/conda/envs/app/bin:$PATH", "/opt/conda"),
        ("{}\nENV PATH=/opt/conda/envs/app/bin:$PATH CONDA_DEFAULT_ENV=app", "/opt/conda"),
        ("{}\nENV PATH=/opt/conda/envs/app/bin:$PATH\nCMD python", "/opt/conda"),
        ("ENV PATH=/opt/conda/envs/app/bin:$PATH\n{}", "/opt/conda/envs/app"),
        ("ENV PATH=/opt/conda/envs/app/bin:$PATH\n{}\nENV PATH=$PATH:/srv", "/opt/conda/envs/app"),
    ],
)
def test_pip_installs_into_the_environment_that_was_first_on_path_in_its_step(
    judge: Judge, run: str, where: str
) -> None:
    text = INTO.format(run.format("RUN pip install -r requirements.txt"))
    files = {"requirements.txt": "flask\n"}
    env = APP_PATH | ({"CONDA_DEFAULT_ENV": "app"} if "DEFAULT" in run else {})
    env["PATH"] += ":/srv" if run.endswith("/srv") else ""
    there, other = (IN_BASE, IN_APP) if where == "/opt/conda" else (IN_APP, IN_BASE)
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *BASE, *APP, there, env=env) == message
    with pytest.raises(CacheAssertionError, match=rf"1 package differs in {where}\n"):
        judge(text, files, *BASE, *APP, other, env=env)


def test_uv_installs_into_the_venv_of_the_directory(judge: Judge) -> None:
    run = "RUN uv venv && uv pip install -r requirements.txt\nENV PATH=/srv/.venv/bin:$PATH"
    text = f"FROM python:3.10\nWORKDIR /srv\nCOPY requirements.txt .\n{run}\n"
    files = {"requirements.txt": "flask\n"}
    site = "srv/.venv/lib/python3.10/site-packages"
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, PLAIN[0], dist("flask", "3.0.0", site)) == message
    with pytest.raises(CacheAssertionError, match=r"1 package differs in /srv/\.venv\n"):
        judge(text, files, *PLAIN, dist("wheel", "0.45", site))
    other = text.replace("install", "install --python 3.12")
    with pytest.raises(Unverifiable, match="whether line 4 installs into it is not known"):
        judge(other, files, dist("wheel", "0.45", site))


LATE = "ENV PATH=/opt/conda/envs/app/bin:$PATH"


@pytest.mark.parametrize(
    "run",
    [
        f"RUN pip install -r requirements.txt\nENV PATH={APP_PATH['PATH']}",
        f"RUN PATH=/opt/conda/envs/app/bin:$PATH pip install -r requirements.txt\n{LATE}",
        "RUN export PATH=/opt/conda/envs/app/bin:$PATH && pip install -r requirements.txt\n" + LATE,
        f"RUN true; . ~/.bashrc && pip install -r requirements.txt\n{LATE}",
        f"RUN <<END\nsource ~/.bashrc\npip install -r requirements.txt\nEND\n{LATE}",
    ],
)
def test_where_path_is_written_anew_the_place_is_not_certain(judge: Judge, run: str) -> None:
    files = {"requirements.txt": "flask\n"}
    message = "the image holds what requirements.txt asks for"
    assert judge(INTO.format(run), files, *BASE, *APP, IN_APP, env=APP_PATH) == message
    with pytest.raises(Unverifiable, match=r"does not hold what requirements\.txt asks for, but"):
        judge(INTO.format(run), files, *BASE, *APP, IN_BASE, env=APP_PATH)


VENV_SITE = "opt/venv/lib/python3.10/site-packages"
VENV_AND_SYSTEM = (
    add("opt/venv/pyvenv.cfg", b"home = /usr/local/bin\nversion = 3.10.4\n"),
    add("opt/venv/bin/python", b"ELF", mode=0o755),
    add("opt/venv/bin/pip", b"#!", mode=0o755),
    dist("pip", "24.0", VENV_SITE),
    add("usr/local/bin/python3.10", b"ELF", mode=0o755),
    add("usr/local/bin/python", kind=b"2", link="python3.10"),
    add("usr/local/bin/pip", b"#!", mode=0o755),
    add("usr/bin/python3.11", b"ELF", mode=0o755),
    add("usr/bin/pip3", b"#!", mode=0o755),
)
"""A venv, a Python in /usr/local, and Debian's, which has a pip3 and no pip."""
SYSTEM_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
DEBIANS = "usr/lib/python3/dist-packages"


@pytest.mark.parametrize(
    ("run", "site"),
    [
        ("PATH=/opt/venv/bin:$PATH pip install -r r.txt", VENV_SITE),
        ("env PATH=/opt/venv/bin:$PATH pip install -r r.txt", VENV_SITE),
        ('export PATH="/opt/venv/bin:${PATH}" && pip install -r r.txt', VENV_SITE),
        ("export PATH=/x/bin:/opt/venv/bin:$PATH; python -m pip install -r r.txt", VENV_SITE),
        ("pip install -r r.txt", SITE),
        ("python3.11 -m pip install --break-system-packages -r r.txt", DEBIANS),
        ("PATH=/opt/venv/bin:$PATH make && pip3.10 install -r r.txt", None),
    ],
)
def test_a_command_says_with_its_path_or_its_name_which_python_it_installs_into(
    judge: Judge, run: str, site: str | None
) -> None:
    text, files = f"FROM d\nCOPY r.txt ./\nRUN {run}\n", {"r.txt": "flask==3\n"}
    for place in (VENV_SITE, SITE, DEBIANS):
        others = [
            dist("flask", "2" if place == other else "3", other)
            for other in (VENV_SITE, SITE, DEBIANS)
        ]
        if place == site:
            with pytest.raises(CacheAssertionError, match=r"wanted ==3, found 2"):
                judge(text, files, *VENV_AND_SYSTEM, *others, env=SYSTEM_PATH)
        elif site is not None:
            judge(text, files, *VENV_AND_SYSTEM, *others, env=SYSTEM_PATH)


@pytest.mark.parametrize(
    ("shell", "venv"),
    [('SHELL ["/bin/bash", "-c"]', True), ('SHELL ["/bin/sh", "-c"]', False), ("", False)],
)
def test_a_start_file_of_bash_activates_a_venv(judge: Judge, shell: str, venv: bool) -> None:
    above = f"ENV BASH_ENV=/opt/venv/bin/activate\n{shell}"
    text = f"FROM d\n{above}\nCOPY r.txt ./\nRUN pip install -r r.txt\n"
    there, elsewhere = (VENV_SITE, SITE) if venv else (SITE, VENV_SITE)
    members = (*VENV_AND_SYSTEM, dist("flask", "2", there), dist("flask", "3", elsewhere))
    with pytest.raises(CacheAssertionError, match=r"wanted ==3, found 2"):
        judge(text, {"r.txt": "flask==3\n"}, *members, env=SYSTEM_PATH)


IN_DIRECTORY = (*VENV_AND_SYSTEM, dist("six", "1.16", SITE), dist("flask", "3", "opt/deps"))


@pytest.mark.parametrize(
    ("above", "settings"),
    [
        ("COPY pip.conf /etc/pip.conf", "[install]\ntarget = /opt/deps\n"),
        ("COPY pip.conf /root/.config/pip/", "[global]\ntimeout=9\ntarget=/opt/deps\n"),
        ("COPY pip.conf /my.ini\nENV PIP_CONFIG_FILE=/my.ini", "[install]\ntarget=/opt/deps\n"),
        ("COPY <<END /etc/pip.conf\n[global]\ntarget = /opt/deps\nEND", ""),
        (r'RUN printf "[global]\ntarget=/opt/deps\n" > /etc/pip.conf', ""),
        ("RUN pip config --global set global.target /opt/deps", ""),
        ("RUN python -m pip config set install.target /opt/deps", ""),
    ],
)
def test_settings_of_pip_say_where_it_installs(judge: Judge, above: str, settings: str) -> None:
    text = f"FROM d\n{above}\nCOPY r.txt ./\nRUN pip install -r r.txt\n"
    files = {"r.txt": "flask==3\n", "pip.conf": settings}
    assert judge(text, files, *IN_DIRECTORY, env=SYSTEM_PATH) == (
        "the image holds what r.txt asks for"
    )
    with pytest.raises(CacheAssertionError, match=r"1 package differs in /opt/deps"):
        judge(text, {**files, "r.txt": "flask==2\n"}, *IN_DIRECTORY, env=SYSTEM_PATH)


@pytest.mark.parametrize(
    ("above", "settings"),
    [
        ("COPY pip.conf /etc/pip.conf", "[install]\nindex-url = https://target.example/\n"),
        ("COPY pip.conf /srv/pip.conf", "[install]\ntarget = /opt/deps\n"),
        ("RUN target=/opt/deps && touch /etc/pip.conf", ""),
        ("COPY pip.conf /etc/pip.conf\nRUN pip config set global.user false", "[global]\n"),
    ],
)
def test_settings_of_pip_without_a_place_change_nothing(
    judge: Judge, above: str, settings: str
) -> None:
    text = f"FROM d\n{above}\nCOPY r.txt ./\nRUN pip install -r r.txt\n"
    with pytest.raises(CacheAssertionError, match=r"1 package differs in /usr/local"):
        judge(text, {"r.txt": "flask\n", "pip.conf": settings}, *IN_DIRECTORY, env=SYSTEM_PATH)


@pytest.mark.parametrize("value", ["yes", "true", "1"])
def test_a_setting_of_pip_for_the_users_own_directory_leaves_the_place_unknown(
    judge: Judge, value: str
) -> None:
    text = "FROM d\nCOPY pip.conf /etc/pip.conf\nCOPY r.txt ./\nRUN pip install -r r.txt\n"
    files = {"r.txt": "flask\n", "pip.conf": f"[install]\nuser = {value}\n"}
    with pytest.raises(Unverifiable, match=r"line 4 installs into ~/\.local"):
        judge(text, files, *IN_DIRECTORY, env=SYSTEM_PATH)


@pytest.mark.parametrize(
    ("before", "then", "where"),
    [
        ("", {}, "/opt/conda"),
        ("ENV CONDA_DEFAULT_ENV=app\n", {"CONDA_DEFAULT_ENV": "app"}, "/opt/conda/envs/app"),
    ],
)
def test_conda_without_a_name_installs_into_base_whatever_is_first_on_path(
    judge: Judge, before: str, then: dict[str, str], where: str
) -> None:
    text = INTO.format(
        f"ENV PATH=/opt/conda/envs/app/bin:$PATH\n{before}RUN conda install --file requirements.txt"
    )
    files = {"requirements.txt": "flask\n"}
    base, app = conda("flask", "3.0.0", prefix="opt/conda"), conda("flask", "3.0.0")
    there, other = (base, app) if where == "/opt/conda" else (app, base)
    env = APP_PATH | then
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *BASE, *APP, there, env=env) == message
    with pytest.raises(CacheAssertionError, match=rf"1 package differs in {where}\n"):
        judge(text, files, *BASE, *APP, other, env=env)


@pytest.mark.parametrize(
    "run",
    [
        'SHELL ["/bin/bash", "--login", "-c"]\nRUN pip install -r requirements.txt',
        "RUN bash -lc 'pip install -r requirements.txt'",
    ],
)
def test_a_login_shell_may_have_any_environment(judge: Judge, run: str) -> None:
    files = {"requirements.txt": "flask\n"}
    with pytest.raises(Unverifiable, match="an environment that only the running container knows"):
        judge(INTO.format(run), files, *BASE, *APP, IN_APP)
    message = "the image holds what requirements.txt asks for"
    assert judge(INTO.format(run), files, *BASE, IN_BASE) == message


def test_a_venv_that_a_script_activates_is_meant(judge: Judge) -> None:
    run = "RUN python -m venv venv && . venv/bin/activate && pip install -r requirements.txt"
    venv = dist("flask", "3.0.0", "srv/venv/lib/python3.10/site-packages")
    text = f"FROM python:3.10\nWORKDIR /srv\nCOPY requirements.txt .\n{run}\n"
    files = {"requirements.txt": "flask\n"}
    assert "requirements.txt" in judge(text, files, PLAIN[0], venv)
    assert "requirements.txt" in judge(text.replace(". venv/bin/activate && ", "venv/bin/"), files,
                                       PLAIN[0], venv)  # fmt: skip


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("-t /var/task", "line 3 installs into /var/task, outside of any environment"),
        ("--prefix=/install", "line 3 installs into /install, outside of any environment"),
        ("--user", "line 3 installs into ~/.local, outside of any environment"),
    ],
)
def test_packages_beside_the_environments_are_not_looked_for_in_them(
    judge: Judge, option: str, reason: str
) -> None:
    text = INTO.format(f"RUN pip install {option} -r requirements.txt")
    with pytest.raises(Unverifiable, match=reason):
        judge(text, {"requirements.txt": "flask\n"}, *PLAIN)


@pytest.mark.parametrize("pip", ["pip", "/usr/local/bin/pip"])
def test_a_user_site_makes_the_place_of_an_installation_unknown(judge: Judge, pip: str) -> None:
    user = dist("flask", "3.0.0", "home/app/.local/lib/python3.12/site-packages")
    text = INTO.format(f"USER app\nRUN {pip} install -r requirements.txt")
    with pytest.raises(Unverifiable, match=r"line 4 may install into /home/app/\.local"):
        judge(text, {"requirements.txt": "flask\n"}, *BASE, user)


def test_packages_named_in_the_dockerfile_name_the_environment_too(judge: Judge) -> None:
    text = "FROM continuumio/miniconda3\nRUN conda create -n app python=3.10 numpy\nCOPY . .\n"
    files = {"environment.yml": "dependencies: [numpy=1.26]\n"}
    message = "the image holds what environment.yml asks for"
    assert judge(text, files, *BASE, *APP) == message


# --- files that do not describe the image -----------------------------------------------------


@pytest.mark.parametrize(
    "run",
    [
        "RUN pip install -r requirements.txt -c constraints.txt",
        "ENV PIP_CONSTRAINT=/constraints.txt\nRUN pip install -r requirements.txt",
        "RUN uv pip install --system -r requirements.txt --constraint constraints.txt",
    ],
)
def test_constraints_are_not_asked_for(judge: Judge, run: str) -> None:
    files = {"requirements.txt": "flask\n", "constraints.txt": "flask==3.0.0\ndjango==4.2\n"}
    assert judge(f"FROM python:3.10\nCOPY *.txt ./\n{run}\n", files, *PLAIN) == (
        "the image holds what requirements.txt asks for; "
        "not compared: constraints.txt (it only limits versions)"
    )


DOCS = """\
FROM python:3.10 AS docs
COPY docs/requirements.txt .
RUN pip install -r requirements.txt && make html
FROM python:3.10
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY --from=docs /site /site
"""


def test_a_stage_whose_environment_is_not_copied_is_left_out(judge: Judge) -> None:
    files = {"requirements.txt": "flask\n", "docs/requirements.txt": "sphinx\n"}
    left_out = "docs/requirements.txt (its environment is not in the image)"
    assert judge(DOCS, files, *PLAIN) == (
        f"the image holds what requirements.txt asks for; not compared: {left_out}"
    )
    alone = DOCS.replace("COPY requirements.txt .\nRUN pip install -r requirements.txt\n", "")
    with pytest.raises(DoesNotApply) as caught:
        judge(alone, files, *PLAIN)
    assert str(caught.value) == f"no environment file can be held against the image: {left_out}"


BUILDER = "FROM x AS builder\nCOPY environment.yml requirements.txt /\n{}\nFROM x\n{}\n"


@pytest.mark.parametrize(
    ("run", "copy", "prefix"),
    [
        ("conda env create -f environment.yml", "/opt/conda/envs /opt/conda/envs",
         "opt/conda/envs/app"),
        ("conda env create -f environment.yml", "/opt/conda/envs/app /venv", "venv"),
        ("conda env create -p /env -f environment.yml", "/env /opt/env", "opt/env"),
        ("conda env create -n app -f environment.yml", "/opt /opt", "opt/conda/envs/app"),
        ("conda env create -n app -f environment.yml", "/ /", "opt/conda/envs/app"),
    ],
)  # fmt: skip
def test_a_copied_environment_is_compared_where_it_lies(
    judge: Judge, run: str, copy: str, prefix: str
) -> None:
    text = BUILDER.format(f"RUN {run}", f"COPY --from=builder {copy}")
    files = {"environment.yml": YML, "requirements.txt": ""}
    python = conda("python", "3.10.4", prefix=prefix)
    message = "the image holds what environment.yml asks for"
    assert judge(text, files, *BASE, python, conda("numpy", "1.26.4", prefix=prefix)) == message
    with pytest.raises(CacheAssertionError, match=f"1 package differs in /{prefix}\n"):
        judge(text, files, *BASE, python)


@pytest.mark.parametrize(
    ("run", "copy"),
    [
        ("RUN pip install -r requirements.txt", "COPY --from=builder /usr/local /usr/local"),
        ("RUN pip install -r requirements.txt", f"COPY --from=builder /{SITE} /{SITE}"),
        ("ENV PATH=/venv/bin:$PATH\nRUN pip install -r requirements.txt",
         "COPY --from=builder /venv /usr/local"),
        ("RUN /venv/bin/pip install -r requirements.txt\nFROM x AS mid\n"
         "COPY --from=builder /venv /v", "COPY --from=mid /v /usr/local"),
    ],
)  # fmt: skip
def test_pips_packages_are_followed_through_copies(judge: Judge, run: str, copy: str) -> None:
    text = BUILDER.format(run, copy)
    files = {"requirements.txt": "flask\n", "environment.yml": ""}
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *PLAIN) == message
    with pytest.raises(CacheAssertionError, match="1 package differs in /usr/local\n"):
        judge(text, files, PLAIN[0])


def test_of_a_stage_too_conda_without_a_name_is_not_held_against_the_first_on_path(
    judge: Judge,
) -> None:
    run = "ENV PATH=/opt/conda/envs/app/bin:$PATH\nRUN conda install --file requirements.txt"
    text = BUILDER.format(run, "COPY --from=builder /opt/conda /opt/conda")
    files = {"requirements.txt": "flask\n", "environment.yml": ""}
    base = conda("flask", "3.0.0", prefix="opt/conda")
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *BASE, *APP, base) == message
    with pytest.raises(Unverifiable, match="/opt/conda does not hold what requirements"):
        judge(text, files, *BASE, *APP)


@pytest.mark.parametrize(
    ("run", "copy"),
    [
        # Packages that the base has already are not installed beside it a second time.
        ("RUN pip install --prefix=/install -r requirements.txt",
         "COPY --from=builder /install /usr/local"),
        ("RUN pip wheel -r requirements.txt -w /wheels",
         "COPY --from=builder /wheels /wheels\nRUN pip install /wheels/*"),
        ("RUN pip install -r requirements.txt",
         "RUN --mount=type=bind,from=builder,source=/,target=/b cp -r /b/x /usr/local"),
    ],
)  # fmt: skip
def test_where_the_way_into_the_image_is_not_certain_nothing_is_said_to_be_missing(
    judge: Judge, run: str, copy: str
) -> None:
    text = BUILDER.format(run, copy)
    files = {"requirements.txt": "flask\n", "environment.yml": ""}
    message = "the image holds what requirements.txt asks for"
    assert judge(text, files, *PLAIN) == message
    reason = "/usr/local does not hold what requirements.txt asks for, but whether line 3 installs"
    with pytest.raises(Unverifiable, match=reason):
        judge(text, files, PLAIN[0])


def test_a_copied_directory_of_packages_is_not_passed_over(judge: Judge) -> None:
    text = BUILDER.format(
        "RUN pip install -t /deps -r requirements.txt", "COPY --from=builder /deps /app"
    )
    files = {"requirements.txt": "flask\n", "environment.yml": ""}
    found = dist("flask", "3.0.0", "app")
    assert judge(text, files, *PLAIN, found) == "the image holds what requirements.txt asks for"
    with pytest.raises(CacheAssertionError, match="1 package differs in /app\n"):
        judge(text, files, *PLAIN, dist("wheel", "0.45", "app"))
    with pytest.raises(Unverifiable, match="line 3 installs into /deps, which the image has a cop"):
        judge(text, files, *PLAIN, add("app/flask/__init__.py"))


def test_a_failure_goes_before_what_cannot_be_verified(judge: Judge) -> None:
    text = f"{PIP}COPY more.txt .\nRUN pip install -t /x -r more.txt\n"
    with pytest.raises(CacheAssertionError, match=r"does not match requirements\.txt"):
        judge(text, {"requirements.txt": "django\n", "more.txt": "flask\n"}, *PLAIN)


# --- how a file is read -----------------------------------------------------------------------


@pytest.mark.parametrize("lines", ["numpy>=1.20\npython>=3.10\n", "numpy=1.26 # x\npython 3.10.*"])
def test_a_list_given_to_conda_holds_match_specs(judge: Judge, lines: str) -> None:
    text = "FROM x\nCOPY requirements.txt .\nRUN conda install -n app --file requirements.txt\n"
    message = "the image holds what requirements.txt asks for"
    assert judge(text, {"requirements.txt": lines}, *BASE, *APP) == message
    with pytest.raises(CacheAssertionError, match=r"numpy  missing    wanted [^(]*$"):
        judge(text, {"requirements.txt": lines}, *BASE, APP[0])


def test_a_list_given_to_conda_and_pip_is_not_said_to_be_missing(judge: Judge) -> None:
    run = "RUN conda install --file requirements.txt || pip install -r requirements.txt"
    with pytest.raises(Unverifiable, match=r"does not hold what requirements\.txt asks for, but"):
        judge(INTO.format(run), {"requirements.txt": "flask\n"}, *BASE, IN_BASE)


def test_an_explicit_list_is_known_by_its_content(judge: Judge) -> None:
    text = "FROM x\nCOPY *.lock ./\nRUN conda create -n app --file conda-linux-64.lock\n"
    url = "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-0.conda"
    lock = {"conda-linux-64.lock": f"@EXPLICIT\n{url}\n"}
    message = "the image holds what conda-linux-64.lock asks for"
    assert judge(text, lock, *BASE, APP[1]) == message
    with pytest.raises(CacheAssertionError, match=r"wanted 1\.26\.4 0, found 1\.25 x"):
        judge(text, lock, *BASE, conda("numpy", "1.25", "x"))


def test_another_lock_is_not_compared(judge: Judge) -> None:
    text = "FROM x\nCOPY *.lock ./\nRUN conda create -n app --file some.lock\n"
    with pytest.raises(DoesNotApply, match=r"some\.lock \(not a format whose packages can be comp"):
        judge(text, {"some.lock": "numpy\n"}, *BASE, *APP)


# --- markers ----------------------------------------------------------------------------------


def test_markers_are_those_of_the_images_python_and_machine(judge: Judge) -> None:
    newer = 'flask\naudioop-lts ; python_version >= "3.11"\nx ; platform_machine == "aarch64"\n'
    assert judge(PIP, {"requirements.txt": newer}, *PLAIN) == (
        "the image holds what requirements.txt asks for"
    )
    with pytest.raises(CacheAssertionError, match=r" x  missing    wanted any version"):
        judge(PIP, {"requirements.txt": newer}, *PLAIN, architecture="arm64")
    with pytest.raises(CacheAssertionError, match="tomli  missing    wanted any version"):
        judge(PIP, {"requirements.txt": 'tomli ; python_version < "3.11"\n'}, *PLAIN)


def test_a_marker_that_asks_for_what_is_not_known_is_not_verified(judge: Judge) -> None:
    files = {"requirements.txt": 'flask\ntomli ; python_full_version < "3.10.5"\n'}
    assert judge(PIP, files, *PLAIN) == (
        "the image holds what requirements.txt asks for; "
        'not verified: tomli ; python_full_version < "3.10.5"'
    )


# --- packages that were there before
# --------------------------------------------------------------------

LIST = "@EXPLICIT\nhttps://conda.anaconda.org/c/noarch/click-8.1.8-0.conda\n"
INTO_BASE = "FROM x\nCOPY e.txt .\nRUN conda install -n base --file e.txt\nRUN conda install six\n"
HAD = (*BASE, conda("zlib", "1.3", prefix="opt/conda"))
CLICK_IN_BASE = conda("click", "8.1.8", prefix="opt/conda")
SIX_IN_BASE = conda("six", "1.16", prefix="opt/conda")


def test_what_an_environment_had_before_a_list_came_is_none_too_many(judge: Judge) -> None:
    files = {"e.txt": LIST}
    message = "the image holds what e.txt asks for"
    assert judge(INTO_BASE, files, *HAD, above={3: (CLICK_IN_BASE,)}) == message
    with pytest.raises(CacheAssertionError, match=r"1 package differs in /opt/conda\n  six +extra"):
        judge(INTO_BASE, files, *HAD, above={3: (CLICK_IN_BASE,), 4: (SIX_IN_BASE,)})


def test_whether_an_environment_had_packages_before_may_not_be_known(judge: Judge) -> None:
    files = {"e.txt": LIST}
    with pytest.raises(
        Unverifiable, match=r"and whether that was there before line 3 is not known"
    ):
        judge(INTO_BASE, files, *HAD, CLICK_IN_BASE)
    # A missing package is missing, whatever was there before.
    with pytest.raises(CacheAssertionError, match="click"):
        judge(INTO_BASE, files, *HAD)


def test_an_environment_that_the_command_makes_had_nothing_before(judge: Judge) -> None:
    made = INTO_BASE.replace("install -n base", "create -n app")
    app = (conda("click", "8.1.8"), conda("six", "1.16"))
    with pytest.raises(
        CacheAssertionError, match=r"1 package differs in /opt/conda/envs/app\n  six"
    ):
        judge(made, {"e.txt": LIST}, *BASE, *app)


# --- environments that a tool makes by itself ----------------------------------------------------


@pytest.mark.parametrize(
    ("before", "run", "site"),
    [
        ("", "uv sync", "srv/.venv"),
        ("ENV UV_PROJECT_ENVIRONMENT=/venv", "uv sync", "venv"),
        ("ENV VIRTUAL_ENV=/venv", "uv sync", "srv/.venv"),
        ("", "cd sub && uv sync --project .", "srv/.venv"),
        ("", "poetry install", "root/.cache/pypoetry/virtualenvs/a-x1-py3.10"),
        ("ENV VIRTUAL_ENV=/venv", "poetry install", "venv"),
        ("ENV POETRY_VIRTUALENVS_CREATE=false", "poetry install", "usr/local"),
        ("RUN poetry config virtualenvs.create false", "poetry install", "usr/local"),
        ("", "pdm sync", "srv/.venv"),
        ("", "pipenv sync", "root/.local/share/virtualenvs/a-x1"),
        ("", "pipenv install --system --deploy", "usr/local"),
    ],
)
def test_the_environment_that_a_tool_makes_for_a_project_is_found(
    tmp_path: Path, before: str, run: str, site: str
) -> None:
    text = f"FROM x\nWORKDIR /srv\nCOPY pyproject.toml Pipfile ./\n{before}\nRUN {run}\n"
    made = subject(tmp_path, {"Dockerfile": text, "pyproject.toml": "", "Pipfile": ""})
    settings = [
        add(f"{root}/pyvenv.cfg", b"home = /usr/local/bin\n")
        for root in ("venv", "srv/.venv" if site == "srv/.venv" else site)
        if root != "usr/local"
    ]
    python = add("usr/local/bin/python3", b"ELF")
    view = replay([layer(python, dist("flask", "3", SITE), *settings)])
    readers = readers_of(made.project)
    reader = next(iter(readers.manifests.values()))[0]
    found = places(readers, view, {"PATH": "/usr/local/bin:/bin"}, reader, "")
    assert found == ([f"/{site}"], True)
