"""tools/docker-engine: what it writes for apt, what it says elsewhere, what it dares to stop."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/docker-engine"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with its state in a directory of the test's own."""
    loader = importlib.machinery.SourceFileLoader("docker_engine_tool", str(TOOL))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Nothing of the tests goes into tools/, and dataclasses look their module up by name.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, loader.name, module)
    loader.exec_module(module)
    monkeypatch.setattr(module, "STATE", tmp_path / "state/docker-engine.json")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return module


@pytest.fixture
def no_engine(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "find_engine", lambda: None)


STANZAS = """\
# A comment of the machine's owner
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.example/debian http://other.example/debian
Suites: bookworm bookworm-updates
Components: main contrib non-free-firmware
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEXkk
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_a_stanza_is_copied_with_its_mirrors_and_its_key(tool: ModuleType) -> None:
    assert tool.copy_stanza(STANZAS, "bookworm", "trixie") == (
        "Types: deb\n"
        "URIs: http://mirror.example/debian http://other.example/debian\n"
        "Suites: trixie\n"
        "Components: main\n"
        "Signed-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        " .\n"
        " mDMEXkk\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )


@pytest.mark.parametrize(
    "stanza",
    [
        "Types: deb-src\nURIs: u\nSuites: bookworm\nComponents: main\n",
        "Types: deb\nURIs: u\nSuites: bookworm\nComponents: contrib\n",
        "Types: deb\nURIs: u\nSuites: bookworm-backports\nComponents: main\n",
        "Enabled: no\nTypes: deb\nURIs: u\nSuites: bookworm\nComponents: main\n",
        "",
    ],
    ids=["sources only", "not main", "another suite", "disabled", "empty"],
)
def test_a_stanza_that_does_not_serve_the_suite_is_no_source(tool: ModuleType, stanza: str) -> None:
    assert tool.copy_stanza(stanza, "bookworm", "trixie") is None


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("deb http://m/debian bookworm main contrib", "deb http://m/debian trixie main\n"),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m/debian bookworm main # ours",
            "deb [arch=amd64 signed-by=/k.gpg] http://m/debian trixie main\n",
        ),
        ("deb-src http://m/debian bookworm main", None),
        ("deb-src [arch=amd64] http://m/debian bookworm main", None),
        ("# deb http://m/debian bookworm main", None),
        ("# deb [arch=amd64] http://m/debian bookworm main", None),
        ("deb http://m/debian bookworm-updates main", None),
        ("deb http://m/debian bookworm non-free", None),
    ],
)
def test_a_line_is_copied_with_its_options(tool: ModuleType, line: str, copied: str | None) -> None:
    assert tool.copy_line(f"\n{line}\n", "bookworm", "trixie") == copied


def test_the_source_and_the_pin_are_written_once(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://m/debian bookworm main\n")
    tool.add_trixie(tmp_path)
    assert capsys.readouterr().out.count("wrote") == 2
    source = tmp_path / "sources.list.d/pytest-dockercache-trixie.list"
    assert source.read_text() == "deb http://m/debian trixie main\n"
    pins = (tmp_path / "preferences.d/pytest-dockercache").read_text()
    assert "Package: *\nPin: release n=trixie\nPin-Priority: -1" in pins

    tool.add_trixie(tmp_path)
    assert capsys.readouterr().out == ""


def test_a_machine_without_a_source_of_its_own_is_told_so(tool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(tool.SetupError, match="no source of Debian bookworm"):
        tool.add_trixie(tmp_path)


@pytest.mark.usefixtures("no_engine")
def test_on_a_mac_it_says_what_to_install(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.platform, "system", lambda: "Darwin")
    assert tool.main(["up"]) == 1
    assert "install and start Docker Desktop" in capsys.readouterr().err


@pytest.mark.usefixtures("no_engine")
def test_a_user_who_is_not_root_is_told_to_use_sudo(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.platform, "system", lambda: "Linux")
    monkeypatch.setattr(tool.os, "geteuid", lambda: 1000)
    release = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
    monkeypatch.setattr(tool, "read_os_release", lambda text: release)
    assert tool.main(["up"]) == 1
    assert "run sudo tools/docker-engine up" in capsys.readouterr().err


@pytest.mark.usefixtures("no_engine")
def test_a_remote_daemon_that_is_silent_is_not_replaced_by_a_local_one(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example:2376")
    assert tool.main(["up"]) == 1
    assert "DOCKER_HOST=tcp://build.example:2376" in capsys.readouterr().err


@pytest.mark.usefixtures("no_engine")
def test_status_without_a_daemon_has_an_exit_status_of_its_own(tool: ModuleType) -> None:
    assert tool.main(["status"]) == 3


def test_an_engine_that_answers_is_used_and_named(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = tool.Engine("unix:///var/run/docker.sock", "28.5.2", "0.29.1")
    monkeypatch.setattr(tool, "find_engine", lambda: engine)
    assert tool.main(["up"]) == 0
    said = capsys.readouterr().out
    assert said == "uses Docker Engine 28.5.2 at unix:///var/run/docker.sock, buildx 0.29.1\n"
    assert not tool.STATE.exists()


def test_down_stops_nothing_that_up_did_not_start(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["down"]) == 0
    assert "docker-engine up has started nothing" in capsys.readouterr().out


def test_down_leaves_a_process_alone_that_only_has_the_same_id(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.os, "kill", lambda pid, number: pytest.fail(f"signalled {pid}"))
    tool.remember(tool.Started(pid=os.getpid(), start_time="1"))
    assert tool.main(["down"]) == 0
    assert "has ended already" in capsys.readouterr().out
    assert not tool.STATE.exists()


def test_without_a_docker_command_the_socket_itself_is_asked(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    monkeypatch.setattr(tool.shutil, "which", lambda name: None)
    assert tool.find_engine() is None

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nServer: Docker/26.1.5 (linux)\r\n\r\nOK")

        server = threading.Thread(target=answer)
        server.start()
        engine = tool.find_engine()
        server.join()
    assert engine == tool.Engine(f"unix://{path}", "26.1.5", None)


def test_a_package_is_kept_from_starting_its_service_only_while_it_is_installed(
    tool: ModuleType, tmp_path: Path
) -> None:
    policy = tmp_path / "policy-rc.d"
    with tool.services_held_back(policy):
        assert policy.read_text().endswith("exit 101\n")
    assert not policy.exists()


def test_a_policy_of_the_machines_owner_stays(tool: ModuleType, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    with tool.services_held_back(policy):
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"
