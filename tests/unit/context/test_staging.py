"""Staging: the user's tree stays as it is, and the copy is never stale."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockercache.context import StagedContext, stage
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec, Edit

Attributes = tuple[int, int, object]


def snapshot(root: Path) -> dict[bytes, Attributes]:
    """Bytes (or link text), mode and mtime of everything below ``root``."""
    found: dict[bytes, Attributes] = {}
    for directory, dirs, files in os.walk(os.fsencode(root)):
        for name in [*dirs, *files, b"."]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content: object = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            key = os.path.relpath(path, os.fsencode(root))
            found[key] = (status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src" / "pkg").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    (root / ".dockerignore").write_text("*.log\n.git\n**/__pycache__\n")
    (root / "environment.yml").write_text("dependencies:\n  - python=3.10")
    (root / "src" / "main.py").write_text("print(1)\n")
    (root / "src" / "pkg" / "__init__.py").write_bytes(b"")
    (root / "src" / "run.sh").write_text("#!/bin/sh\n")
    (root / "src" / "run.sh").chmod(0o755)
    (root / "src" / "locked").write_text("x")
    (root / "src" / "locked").chmod(0o444)
    (root / "link").symlink_to("src/main.py")
    (root / "directory-link").symlink_to("src")
    (root / "away").symlink_to("/etc/hostname")
    (root / "app.log").write_text("ignored")
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("ref")
    os.link(root / "src" / "main.py", root / "src" / "twin.py")
    with open(os.path.join(os.fsencode(root), b"caf\xe9"), "wb") as file:
        file.write(b"latin-1")
    old = 1_500_000_000_123_456_789
    for directory, dirs, files in os.walk(root):
        for name in [*dirs, *files]:
            os.utime(os.path.join(directory, name), ns=(old, old), follow_symlinks=False)
    return root


@pytest.fixture
def spec(project: Path) -> BuildSpec:
    return BuildSpec(project / "Dockerfile", project)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / "staged"


def content(staged: StagedContext, path: str) -> bytes:
    return (staged.root / path).read_bytes()


EVERY_EDIT = (
    Edit.append("src/main.py"),
    Edit.append("environment.yml", "# touched"),
    Edit.replace("src/run.sh", "sh", "bash"),
    Edit.create("new/dir/file.py"),
    Edit.delete("src/twin.py"),
    Edit.rename("src/pkg", "src/renamed"),
    Edit.chmod("src/locked", 0o600),
    Edit.touch("link"),
    Edit.dockerfile("FROM scratch\n"),
    Edit.create(".git/probe"),
)


def test_the_users_tree_is_never_written(project: Path, spec: BuildSpec, home: Path) -> None:
    """Bytes, modes and mtimes of the whole tree are the same before and after everything."""
    before = snapshot(project)
    stage(spec, home, nonce="a")
    stage(spec, home, EVERY_EDIT, nonce="b")
    with pytest.raises(ConfigError):
        stage(spec, home, [Edit.append("away")], nonce="c")
    stage(spec, home, nonce="d")
    assert snapshot(project) == before


def test_the_staged_copy_is_the_tree_without_what_is_ignored(
    project: Path, spec: BuildSpec, home: Path
) -> None:
    previous = os.umask(0o077)
    try:
        staged = stage(spec, home, nonce="n")
    finally:
        os.umask(previous)
    expected = snapshot(project)
    for path in (b"app.log", b".git", b".git/HEAD"):
        del expected[path]
    assert snapshot(staged.root) == expected
    assert staged.patch is None
    assert staged.dockerfile == staged.root / "Dockerfile"
    assert staged.dockerfile_name == "Dockerfile"


def test_the_staged_copy_bears_the_name_of_the_context(
    project: Path, spec: BuildSpec, home: Path
) -> None:
    """BuildKit tells contexts apart by the names of their directories."""
    assert stage(spec, home, nonce="n").root.name == project.name


def test_a_call_without_edits_returns_to_the_unedited_state(spec: BuildSpec, home: Path) -> None:
    unedited = snapshot(stage(spec, home, nonce="a").root)
    edited = snapshot(stage(spec, home, EVERY_EDIT, nonce="b").root)
    assert edited != unedited
    assert snapshot(stage(spec, home, nonce="c").root) == unedited


def test_untouched_files_are_not_copied_again(spec: BuildSpec, home: Path) -> None:
    first = stage(spec, home, nonce="a")
    files = [path for path in first.root.rglob("*") if path.is_file() and not path.is_symlink()]
    changed = {path: path.stat().st_ctime_ns for path in files}
    stage(spec, home, [Edit.append("src/main.py")], nonce="b")
    second = stage(spec, home, nonce="c")
    moved = [path for path in files if path.stat().st_ctime_ns != changed[path]]
    assert [path.relative_to(second.root).as_posix() for path in moved] == ["src/main.py"]


def test_every_edit_is_made_and_the_patch_names_what_it_changed(
    spec: BuildSpec, home: Path
) -> None:
    staged = stage(spec, home, EVERY_EDIT, nonce="b")
    assert staged.patch is not None
    gone = {path for path, entry in staged.patch.changes.items() if entry is None}
    assert gone == {"src/twin.py", "src/pkg", "src/pkg/__init__.py"}
    assert staged.patch.changes.keys() - gone == {
        "src/main.py",  # also the target of the touched link
        "environment.yml",
        "src/run.sh",
        "new",
        "new/dir",
        "new/dir/file.py",
        "src/renamed",
        "src/renamed/__init__.py",
        "src/locked",
        "Dockerfile",
        ".git/probe",
    }
    assert content(staged, "environment.yml") == (
        b"dependencies:\n  - python=3.10\n# touched\n# dockercache edit b.1\n"
    )
    assert content(staged, "src/run.sh") == b"#!/bin/bash\n# dockercache edit b.2\n"
    assert stat.S_IMODE((staged.root / "src/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((staged.root / "new/dir").stat().st_mode) == 0o755
    assert content(staged, "Dockerfile") == b"FROM scratch\n"
    assert not (staged.root / "src/pkg").exists()


def test_an_edited_file_never_has_an_mtime_that_it_had_before(
    project: Path, spec: BuildSpec, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when the machine's clock stands still, or goes back."""
    ticks = iter([10**18, 10**18, 10**18 - 5 * 10**9] + [10**17] * 50)
    monkeypatch.setattr("time.time_ns", lambda: next(ticks))
    seen = {(project / "src/main.py").stat().st_mtime_ns}
    for nonce in "abcde":
        staged = stage(spec, home, [Edit.append("src/main.py")], nonce=nonce)
        mtime = (staged.root / "src/main.py").stat().st_mtime_ns
        assert mtime not in seen
        seen.add(mtime)


def test_a_change_behind_an_unchanged_mtime_is_noticed_and_gets_a_new_one(
    project: Path, spec: BuildSpec, home: Path
) -> None:
    stage(spec, home, nonce="a")
    main = project / "src/main.py"
    before = main.stat()
    main.write_text("print(2)\n")
    os.utime(main, ns=(before.st_mtime_ns, before.st_mtime_ns))
    staged = stage(spec, home, nonce="b")
    assert content(staged, "src/main.py") == b"print(2)\n"
    assert (staged.root / "src/main.py").stat().st_mtime_ns != before.st_mtime_ns


def test_changes_of_the_users_tree_arrive(project: Path, spec: BuildSpec, home: Path) -> None:
    stage(spec, home, nonce="a")
    (project / "src/main.py").write_text("print('longer')\n")
    (project / "src/run.sh").chmod(0o700)
    (project / "link").unlink()
    (project / "link").symlink_to("environment.yml")
    (project / "src/twin.py").unlink()
    (project / "src/twin.py").mkdir()
    (project / "src/pkg/__init__.py").unlink()
    (project / "src/pkg").rmdir()
    (project / "src/pkg").write_text("now a file")
    (project / "directory-link").unlink()
    (project / "src").chmod(0o750)
    staged = stage(spec, home, nonce="b")
    expected = snapshot(project)
    for path in (b"app.log", b".git", b".git/HEAD"):
        del expected[path]
    assert snapshot(staged.root) == expected


def test_an_edit_left_by_a_killed_process_is_undone(spec: BuildSpec, home: Path) -> None:
    """The next call trusts a staged file only if the file is visibly the user's."""
    staged = stage(spec, home, [Edit.append("src/main.py")], nonce="a")
    (home / "state.json").write_text("{ cut off")
    assert content(stage(spec, home, nonce="b"), "src/main.py") == b"print(1)\n"
    assert content(staged, "src/main.py") == b"print(1)\n"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit.append("../x"), "lies outside the build context"),
        (Edit.append("/etc/passwd"), "lies outside the build context"),
        (Edit.append("."), "is the build context itself"),
        (Edit.append("away"), "leads out of the build context"),
        (Edit.append("app.log"), r"is excluded .* by \.dockerignore line 1 \(\*\.log\)"),
        (Edit.rename("src/main.py", "x.log"), r"edit of x\.log: is excluded"),
        (Edit.append("src"), "is a directory; name a file"),
        (Edit.append("src/absent.py"), "no such file in the build context"),
        (Edit.append("src/main.py/x"), "no such file in the build context"),
        (Edit.replace("src/main.py", "absent", "x"), "does not occur"),
        (Edit.create("src/main.py"), "exists already"),
        (Edit.create("src/main.py/x"), "is not a directory"),
        (Edit.rename("src/main.py", "src/run.sh"), "exists already"),
        (Edit.rename("src", "src/inner"), "into itself"),
        (Edit.chmod("away", 0o600), "leads out of the build context"),
        (Edit.delete("absent"), "no such file"),
        (Edit.chmod("src/run.sh", 0o755), "its mode is 0755 already, so nothing would change"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused_in_one_line(
    spec: BuildSpec, home: Path, edit: Edit, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        stage(spec, home, [edit], nonce="n")
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("edit of ")


def test_what_tools_change_may_be_edited_although_it_is_ignored(
    project: Path, spec: BuildSpec, home: Path
) -> None:
    again = stage(spec, home, [Edit.append(".git/HEAD")], nonce="n")
    assert content(again, ".git/HEAD").startswith(b"ref\n")
    assert ".git/HEAD" not in {entry.path for entry in again.entries()}
    assert stat.S_IMODE((again.root / ".git").stat().st_mode) == stat.S_IMODE(
        (project / ".git").stat().st_mode
    )


def test_a_git_file_is_changed_in_place(project: Path, home: Path) -> None:
    (project / ".git" / "HEAD").unlink()
    (project / ".git").rmdir()
    (project / ".git").write_text("gitdir: ../real")
    staged = stage(
        BuildSpec(project / "Dockerfile", project), home, [Edit.append(".git")], nonce="n"
    )
    assert content(staged, ".git").startswith(b"gitdir: ../real\n")


def test_an_edited_ignore_file_lets_in_what_it_no_longer_excludes(
    spec: BuildSpec, home: Path
) -> None:
    edit = Edit.replace(".dockerignore", "*.log\n", "")
    staged = stage(spec, home, [edit], nonce="n")
    assert "app.log" in {entry.path for entry in staged.entries()}
    assert content(staged, "app.log") == b"ignored"
    assert not (stage(spec, home, nonce="m").root / "app.log").exists()


def test_dockerfile_and_ignore_file_are_staged_though_ignored(project: Path, home: Path) -> None:
    (project / ".dockerignore").write_text("*\n!src\n")
    staged = stage(BuildSpec(project / "Dockerfile", project), home, nonce="n")
    assert staged.dockerfile.read_text().startswith("FROM scratch")
    assert (staged.root / ".dockerignore").is_file()
    assert {entry.path.split("/")[0] for entry in staged.entries()} == {"src"}


def test_a_dockerfile_outside_the_context_lies_beside_it(
    project: Path, tmp_path: Path, home: Path
) -> None:
    elsewhere = tmp_path / "docker"
    elsewhere.mkdir()
    (elsewhere / "app.Dockerfile").write_text("FROM scratch\n")
    (elsewhere / "app.Dockerfile.dockerignore").write_text("src\n")
    spec = BuildSpec(elsewhere / "app.Dockerfile", project)
    staged = stage(spec, home, nonce="n")
    assert staged.dockerfile.name == "app.Dockerfile"
    assert not staged.dockerfile.is_relative_to(staged.root)
    assert staged.dockerfile_name == ".dockercache.app.Dockerfile"
    assert staged.ignore.excludes("src/main.py")
    assert not (staged.root / "src").exists()
    before = staged.dockerfile.stat().st_mtime_ns
    edited = stage(spec, home, [Edit.dockerfile("FROM scratch\n# x\n")], nonce="m")
    assert edited.dockerfile.read_text() == "FROM scratch\n# x\n"
    assert edited.dockerfile.stat().st_mtime_ns != before
    back = stage(spec, home, nonce="o")
    assert back.dockerfile.read_text() == "FROM scratch\n"


def test_a_missing_dockerfile_is_said_to_be_missing(project: Path, home: Path) -> None:
    with pytest.raises(ConfigError, match="no such Dockerfile"):
        stage(BuildSpec(project / "Containerfile", project), home, nonce="n")


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read everything: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that any user may enter; pytest's own are for their owner only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_an_unreadable_file_is_named(public: Path, request: pytest.FixtureRequest) -> None:
    """As docker build would, but before anything is built."""
    root = public
    (root / "p").mkdir(mode=0o755)
    (root / "p" / "Dockerfile").write_text("FROM scratch\n")
    (root / "p" / "secret").write_text("x")
    (root / "p" / "secret").chmod(0)
    (root / "p" / "Dockerfile").chmod(0o644)
    request.getfixturevalue("unprivileged")
    with pytest.raises(
        ConfigError, match=r"p/secret: cannot be read .*exclude it in \.dockerignore"
    ):
        stage(BuildSpec(root / "p" / "Dockerfile", root / "p"), root / "home", nonce="n")


def test_protected_directories_can_be_synced_and_edited_by_their_owner(
    public: Path, request: pytest.FixtureRequest
) -> None:
    root = public
    project = root / "p"
    request.getfixturevalue("unprivileged")
    (project / "src").mkdir(parents=True)
    (project / "Dockerfile").write_text("FROM scratch\n")
    (project / "src" / "main.py").write_text("x = 1\n")
    (project / "src" / "main.py").chmod(0o444)
    (project / "src").chmod(0o555)
    spec = BuildSpec(project / "Dockerfile", project)
    stage(spec, root / "home", nonce="a")
    edits = [Edit.append("src/main.py"), Edit.create("src/new.py")]
    staged = stage(spec, root / "home", edits, nonce="b")
    assert (staged.root / "src/main.py").read_text() == "x = 1\n# dockercache edit b\n"
    assert stat.S_IMODE((staged.root / "src").stat().st_mode) == 0o555
    assert stat.S_IMODE((staged.root / "src/main.py").stat().st_mode) == 0o444
    staged = stage(spec, root / "home", nonce="c")
    assert sorted(path.name for path in (staged.root / "src").iterdir()) == ["main.py"]
    assert stat.S_IMODE((staged.root / "src").stat().st_mode) == 0o555
    (project / "src").chmod(0o755)


def test_fifos_and_sockets_do_not_hang_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "p"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\n")
    os.mkfifo(project / "fifo")
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        staged = stage(BuildSpec(project / "Dockerfile", project), tmp_path / "home", nonce="n")
    kinds = {entry.path: entry.kind for entry in staged.entries()}
    assert kinds == {"Dockerfile": "file", "fifo": "fifo", "socket": "socket"}


def test_a_large_file_is_copied_whole(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM scratch\n")
    with (project / "big").open("wb") as file:
        file.truncate(50_000_000)
        file.seek(30_000_000)
        file.write(b"middle")
    staged = stage(BuildSpec(project / "Dockerfile", project), tmp_path / "home", nonce="n")
    assert (staged.root / "big").read_bytes() == (project / "big").read_bytes()


def test_a_link_is_followed_inside_the_context_and_its_target_edited(
    spec: BuildSpec, home: Path
) -> None:
    staged = stage(spec, home, [Edit.append("directory-link/main.py")], nonce="n")
    assert staged.patch is not None
    assert list(staged.patch.changes) == ["src/main.py"]
    assert (staged.root / "directory-link").is_symlink()
    assert content(stage(spec, home, nonce="m"), "src/main.py") == b"print(1)\n"
