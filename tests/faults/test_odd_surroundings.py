"""A run among things that go wrong around it: proxies, prunes, odd machines, other plugins."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from between import Between, Rule, answer

from own_daemon import Trial, is_clean, require_no_traceback
from plugin_process import COMMAND, start_pytest

pytestmark = [pytest.mark.engine, pytest.mark.newest_python]

LOGIN = answer("200 OK", "<html>Please log in</html>", "text/html")
DENIED = answer("403 Forbidden", '{"message": "authorization denied by plugin: no"}')

Put = Callable[..., Trial]


@pytest.fixture
def behind(trial: Trial, tmp_path: Path) -> Iterator[Put]:
    """Puts rules between the trial's run and its daemon."""
    made: list[Between] = []

    def put(*rules: Rule) -> Trial:
        between = Between(tmp_path / "b.sock", trial.daemon.host, rules)
        made.append(between)
        return replace(trial, env={**trial.env, "DOCKER_HOST": between.host}).renew(seconds=0)

    yield put
    for between in made:
        between.close()
    # What a run could not remove behind a rule is removed by the next one.
    if made:
        require_green(*trial.renew(seconds=0).run())
        assert is_clean(trial)


def with_variables(trial: Trial, **more: str) -> Trial:
    """The trial with other variables."""
    return replace(trial, env={**trial.env, **more})


def limited(trial: Trial, limit: str, *options: str) -> tuple[int, str]:
    """A run below a shell that has set a limit, or closed a file."""
    command = ["bash", "-c", f'{limit}; exec "$@"', "bash", *trial_command(), *options]
    done = subprocess.run(
        command, cwd=trial.project, env=trial.env, capture_output=True, text=True, timeout=240
    )
    return done.returncode, done.stdout + done.stderr


def trial_command() -> list[str]:
    """The command of a trial's run."""

    return [
        *COMMAND,
        "-k",
        "(builds and not rebuilds) or env-layer",
        "--dockercache-env-step=install",
    ]


def require_green(code: int, said: str) -> None:
    """Both checks hold."""
    assert (code, "2 passed" in said) == (0, True), said


# --- what answers is no daemon, or another may not --------------------------------------------


@pytest.mark.parametrize("engine", ["buildkit", "classic"])
@pytest.mark.parametrize(
    ("place", "instead"),
    [
        ("/info ", LOGIN),
        ("/info ", answer("200 OK", "[]")),
        ("/version ", answer("200 OK", "null")),
        ("/images/.*/json ", answer("200 OK", '{"Id": 5}')),
        (r"POST .*/build\?", answer("200 OK", "no JSON at all\n")),
    ],
    ids=["login page", "list", "null", "number", "text"],
)
def test_what_answers_in_a_daemons_place_is_said(
    behind: Put, engine: str, place: str, instead: bytes
) -> None:
    trial = behind(Rule(place, instead))
    code, said = trial.run(f"--dockercache-engine={engine}")
    assert code == 1, said
    assert "does not answer as a Docker daemon does" in said
    assert " passed" not in said.splitlines()[-1]
    require_no_traceback(said)


@pytest.mark.parametrize("engine", ["buildkit", "classic"])
def test_a_build_that_is_forbidden_is_no_image_that_does_not_build(
    behind: Put, engine: str
) -> None:
    code, said = behind(Rule(r"POST .*/build\?", DENIED)).run(f"--dockercache-engine={engine}")
    assert code == 1, said
    assert "the Docker daemon refused the build: authorization denied by plugin: no" in said
    assert "does not build" not in said
    require_no_traceback(said)


@pytest.mark.parametrize("place", ["DELETE .*/images", "GET .*/images/json"])
def test_what_may_not_be_removed_is_named_and_removed_once_it_may(behind: Put, place: str) -> None:
    trial = behind(Rule(place, DENIED, times=1))
    code, said = trial.run("--dockercache-engine=buildkit")
    require_green(code, said)
    assert "left behind" in said
    code, said = trial.renew(seconds=0).run("--dockercache-engine=buildkit")
    require_green(code, said)
    assert is_clean(trial)


@pytest.mark.parametrize(
    ("engine", "place"),
    [("buildkit", "/info "), ("classic", "/version "), ("buildx", "/images/.*/json ")],
)
def test_an_answer_without_an_end_is_waited_for_as_long_as_the_user_says(
    behind: Put, engine: str, place: str
) -> None:
    trial = behind(Rule(place, "drip"))
    code, said = trial.run(f"--dockercache-engine={engine}", "--dockercache-timeout=10")
    assert code == 1, said
    assert "did not answer within 10 s" in said
    assert " passed" not in said.splitlines()[-1]
    require_no_traceback(said)


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_a_connection_that_breaks_is_no_verdict(behind: Put, engine: str) -> None:
    code, said = behind(Rule("/images/.*/json ", "close")).run(f"--dockercache-engine={engine}")
    assert code == 1, said
    assert "stopped answering" in said
    assert " failed" not in said.splitlines()[-1]
    require_no_traceback(said)


def test_output_that_comes_late_is_no_lost_output(behind: Put) -> None:
    """The daemon now and then has nothing in a log whose container has just ended."""
    empty = answer("200 OK", "", "application/vnd.docker.raw-stream")
    trial = behind(Rule(r"/logs\?", empty, times=2))
    trial.project.joinpath("test_it.py").write_text(
        "def test_it(dockercache):\n"
        "    said = dockercache.image.run(['echo', 'there'])\n"
        "    assert 'there' in str(said)\n"
    )
    with start(trial, "test_it.py") as run:
        said, _ = run.communicate(timeout=240)
    assert run.returncode == 0, said


def start(trial: Trial, *options: str) -> subprocess.Popen[str]:
    """A run of whatever the options name."""
    return start_pytest(trial.project, *options, env=trial.env)


# --- others use the daemon, or the project, at the same time ------------------------------------


@contextlib.contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Do something again and again for as long as the block lasts."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            with contextlib.suppress(Exception):
                act()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def require_no_blame(said: str) -> None:
    """No check fails: what others did is no fault of the Dockerfile."""
    assert " failed" not in said.splitlines()[-1], said
    require_no_traceback(said)


@pytest.mark.parametrize("engine", ["buildx", "buildkit"])
def test_a_build_cache_that_somebody_prunes_blames_no_dockerfile(trial: Trial, engine: str) -> None:
    trial.renew(seconds=0)
    prune = ["docker", "-H", trial.daemon.host, "builder", "prune", "--all", "--force"]
    with meanwhile(lambda: subprocess.run(prune, capture_output=True)):
        _, said = trial.run(f"--dockercache-engine={engine}")
    require_no_blame(said)
    assert is_clean(trial)


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_images_that_somebody_removes_blame_no_dockerfile(trial: Trial, engine: str) -> None:
    trial.renew(seconds=0)

    def remove() -> None:
        with trial.daemon.client() as client:
            for image in client.images.list(filters={"label": "org.pytest-dockercache.run"}):
                client.images.remove(image.id, force=True)

    with meanwhile(remove):
        _, said = trial.run(f"--dockercache-engine={engine}")
    last = said.splitlines()[-1]
    assert " failed" not in last or "unknown parent image" in said, said
    require_no_traceback(said)


@pytest.mark.parametrize("engine", ["buildx", "classic"])
def test_a_base_image_that_somebody_tags_anew_blames_no_dockerfile(
    trial: Trial, engine: str
) -> None:
    trial.renew(seconds=0)
    dockerfile = trial.project / "Dockerfile"
    tiny = dockerfile.read_text().split()[1]
    dockerfile.write_text(dockerfile.read_text().replace(tiny, "moving:1"))

    def tag() -> None:
        build = ["docker", "-H", trial.daemon.host, "build", "--tag=moving:1", "-"]
        text = f"FROM {tiny}\nRUN echo {os.urandom(8).hex()}\n"
        subprocess.run(build, input=text, text=True, capture_output=True)

    tag()
    with meanwhile(tag):
        _, said = trial.run(f"--dockercache-engine={engine}")
    require_no_blame(said)


def test_a_dockerfile_that_is_replaced_is_not_judged(trial: Trial) -> None:
    trial.renew(seconds=3)
    with trial.start() as run:
        trial.until(trial.is_building, run)
        (trial.project / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        said, _ = run.communicate(timeout=240)
    assert "Dockerfile was changed while the tests ran" in said
    assert " failed" not in said.splitlines()[-1]
    assert is_clean(trial)


def test_a_context_that_grows_and_changes_is_judged_all_the_same(trial: Trial) -> None:
    trial.renew(seconds=0)
    log, names = trial.project / "src" / "app.log", iter(range(10**9))

    def write() -> None:
        log.write_text("x" * (next(names) % 10_000))
        passing = trial.project / "src" / "passing"
        passing.write_text("x")
        passing.unlink()

    with meanwhile(write):
        code, said = trial.run("--dockercache-engine=buildx")
    require_green(code, said)


def test_a_git_that_is_locked_or_damaged_costs_no_verdict(trial: Trial) -> None:
    trial.renew(seconds=0)
    subprocess.run(["git", "init", "-q"], cwd=trial.project, check=True)
    subprocess.run(["git", "add", "-A"], cwd=trial.project, check=True)
    (trial.project / ".git" / "index.lock").touch()
    require_green(*trial.run())
    (trial.project / ".git" / "index").write_bytes(b"no index")
    require_green(*trial.run())


# --- the machine -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"TMPDIR": "/nowhere/at/all"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        {"DOCKER_BUILDKIT": "0", "BUILDKIT_PROGRESS": "plain", "BUILDX_EXPERIMENTAL": "1"},
        {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/dev/full"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_odd_variables_change_no_verdict(trial: Trial, variables: dict[str, str]) -> None:
    require_green(*with_variables(trial.renew(seconds=0), **variables).run())
    assert is_clean(trial)


@pytest.mark.parametrize(
    "limit", ["ulimit -n 64", "ulimit -v 600000", "umask 0777", "exec <&-", "trap '' PIPE"]
)
def test_a_narrow_machine_changes_no_verdict(trial: Trial, limit: str) -> None:
    require_green(*limited(trial.renew(seconds=0), limit))
    assert is_clean(trial)


def test_a_file_that_may_not_be_so_large_is_said(trial: Trial) -> None:
    trial.renew(seconds=0)
    (trial.project / "src" / "large").write_bytes(b"0" * 3_000_000)
    code, said = limited(trial, "ulimit -f 1000")
    assert code == 1, said
    assert "the build context cannot be copied" in said
    assert "File too large" in said
    assert is_clean(trial)


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_odd_times_and_owners_of_files_change_no_verdict(trial: Trial, engine: str) -> None:
    trial.renew(seconds=0)
    for number, moment in enumerate((-1, -(2**33), 2**33, 2**40)):
        path = trial.project / "src" / f"f{number}"
        path.write_text("x")
        with contextlib.suppress(OSError):  # a file system may have no such time
            os.utime(path, (moment, moment))
    os.chown(trial.project / "src" / "f0", 2**31, 2**31)
    require_green(*trial.run(f"--dockercache-engine={engine}"))


@pytest.mark.parametrize("engine", ["buildx", "buildkit", "classic"])
def test_a_step_that_says_very_much_takes_no_memory(trial: Trial, engine: str) -> None:
    trial.renew(seconds=0)
    dockerfile = trial.project / "Dockerfile"
    much = "yes install | head -c 100000000; head -c 20000000 /dev/zero | tr '\\\\0' a"
    dockerfile.write_text(dockerfile.read_text().replace("echo done", f"({much})"))
    code, said = limited(trial, "ulimit -v 1500000", f"--dockercache-engine={engine}")
    require_green(code, said)


# --- the docker command and its configuration ---------------------------------------------------


def test_a_builder_that_is_gone_is_named_with_its_variable(trial: Trial) -> None:
    code, said = with_variables(trial.renew(seconds=0), BUILDX_BUILDER="gone").run()
    assert code == 1, said
    assert "BUILDX_BUILDER=gone: no builder" in said
    assert "--dockercache-builder" not in said


def test_a_buildx_that_cannot_write_its_files_is_no_image_that_does_not_build(trial: Trial) -> None:
    code, said = with_variables(trial.renew(seconds=0), BUILDX_CONFIG="/proc/none").run()
    assert code == 1, said
    assert "buildx ended before the build began: mkdir /proc/none" in said
    assert "does not build" not in said


def docker_in_front(trial: Trial, body: str) -> Trial:
    """The trial with a script in the place of the docker command."""
    place = trial.root / "bin"
    place.mkdir()
    (place / "docker").write_text(f"#!/bin/sh\n{body}\n")
    (place / "docker").chmod(0o755)
    return with_variables(trial.renew(seconds=0), PATH=f"{place}:{os.environ['PATH']}")


def test_a_docker_command_that_is_a_talking_script_is_understood(trial: Trial) -> None:
    real = shutil.which("docker")
    code, said = docker_in_front(trial, f'echo "NOTE: a wrapper"; exec {real} "$@"').run()
    require_green(code, said)


def test_a_docker_command_that_never_answers_is_not_called_missing_and_does_not_stay(
    trial: Trial,
) -> None:
    pid = trial.root / "pid"
    code, said = docker_in_front(trial, f"echo $$ >>{pid}; exec sleep 3600").run(
        "--dockercache-timeout=20"
    )
    require_green(code, said)
    assert "the docker command has not answered in time" in said
    for number in pid.read_text().split():
        with contextlib.suppress(OSError):
            assert "sleep" not in Path(f"/proc/{number}/cmdline").read_text()


def test_a_context_without_a_configuration_file_is_not_said_to_be_missing(trial: Trial) -> None:
    home = trial.root / "docker"
    env = {name: value for name, value in trial.env.items() if name != "DOCKER_HOST"}
    there = replace(trial.renew(seconds=0), env={**env, "DOCKER_CONFIG": str(home)})
    host = f"host={trial.daemon.host}"
    subprocess.run(
        ["docker", "context", "create", "mine", "--docker", host], env=there.env, check=True
    )
    code, said = with_variables(there, DOCKER_CONTEXT="mine").run()
    assert code == 1, said
    assert "the Docker SDK does not see the Docker context 'mine'" in said
    (home / "config.json").write_text("{}")
    require_green(*with_variables(there, DOCKER_CONTEXT="mine").run())


# --- pytest ------------------------------------------------------------------------------------


def test_a_run_without_a_terminal_plugin_says_it_by_its_exit_code(trial: Trial) -> None:
    code, said = trial.renew(seconds=0).run("-p", "no:terminal")
    assert (code, said.strip()) == (0, "")
    assert is_clean(trial)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGXCPU])
def test_a_signal_that_nobody_waits_for_leaves_nothing_after_the_next_run(
    trial: Trial, number: signal.Signals
) -> None:
    trial.renew(seconds=30)
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)  # as it is below nohup
    with trial.start() as run:
        trial.until(trial.is_building, run)
        run.send_signal(number)
        run.communicate(timeout=120)
    assert run.returncode == -number
    assert trial.clients_end()
    require_green(*trial.renew(seconds=0).run())
    assert is_clean(trial)


def test_an_impatient_user_leaves_nothing_after_the_next_run(trial: Trial) -> None:
    trial.renew(seconds=60)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with trial.start() as run:
        trial.until(trial.is_building, run)
        for _ in range(5):
            run.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(timeout=0.3)
        run.communicate(timeout=120)
    assert run.returncode != 0
    assert trial.clients_end()
    require_green(*trial.renew(seconds=0).run())
    assert is_clean(trial)


def test_a_run_that_was_frozen_itself_goes_on(trial: Trial) -> None:
    trial.renew(seconds=2)
    with trial.start() as run:
        trial.until(trial.is_building, run)
        run.send_signal(signal.SIGSTOP)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(timeout=4)
        run.send_signal(signal.SIGCONT)
        said, _ = run.communicate(timeout=240)
    require_green(run.returncode, said)
    assert is_clean(trial)


def test_a_worker_that_dies_is_an_error_and_leaves_nothing(trial: Trial) -> None:
    trial.renew(seconds=15)
    with trial.start("-n", "2", "--dist=loadfile") as run:
        trial.until(trial.is_building, run)
        for worker in _children(run.pid):
            os.kill(worker, signal.SIGKILL)
            break
        said, _ = run.communicate(timeout=240)
    assert run.returncode in (0, 1), said
    require_green(*trial.renew(seconds=0).run())
    assert is_clean(trial)


def _children(parent: int) -> list[int]:
    """The workers of a run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            command = (status.parent / "cmdline").read_bytes()
            if f"\nPPid:\t{parent}\n" in status.read_text() and b"exec(eval" in command:
                found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize(
    ("plugin", "options"),
    [
        ("pytest_timeout", ("--timeout=200",)),
        ("pytest_randomly", ()),
        ("pytest_rerunfailures", ("--reruns=2",)),
        ("xdist", ("-n2", "--dist=each")),
    ],
)
def test_other_plugins_change_no_verdict(
    trial: Trial, plugin: str, options: tuple[str, ...]
) -> None:
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    code, said = trial.renew(seconds=0).run(*options)
    assert code == 0, said
    assert " failed" not in said.splitlines()[-1]
    assert is_clean(trial)
