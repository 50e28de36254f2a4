"""A patch is what edits make of a context: the same in the staged copy and in the model."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from pytest_dockercache.context import (
    ContextEntry,
    ContextTree,
    IgnoreRules,
    StagedContext,
    patch,
    stage,
)
from pytest_dockercache.context.edits import appended
from pytest_dockercache.context.entries import Grown
from pytest_dockercache.context.links import follow
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec, Edit

NONCE = "cafe"


@pytest.fixture
def spec(tmp_path: Path) -> BuildSpec:
    """A small context with links, ignored files and a directory that is let in again."""
    root = tmp_path / "project"
    files = {
        "Dockerfile": "FROM base AS one\nCOPY . /x\nFROM one\nRUN a\n",
        ".dockerignore": "*.log\nkept/*\n!kept/this\n.git\n",
        "a.txt": "a",
        "run.sh": "#!/bin/sh\n",
        "app.log": "log",
        "src/main.py": "print()\n",
        "src/sub/deep.py": "deep\n",
        "kept/this": "this",
        "kept/that": "that",
        ".git/HEAD": "ref",
    }
    for path, text in files.items():
        full = root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
        full.chmod(0o644)
    (root / "run.sh").chmod(0o755)
    (root / "src/link").symlink_to("../a.txt")
    (root / "linked").symlink_to("src")
    return BuildSpec(root / "Dockerfile", root)


EDITS = [
    [Edit.append("src/main.py")],
    [Edit.append("src/link")],
    [Edit.append("linked/main.py", "x = 1")],
    [Edit.replace("a.txt", "a", "b")],
    [Edit.create("new/deeper/file.txt", "text")],
    [Edit.create(".git/new")],
    [Edit.create("__pycache__/x.pyc")],
    [Edit.append(".git/HEAD")],
    [Edit.delete("a.txt")],
    [Edit.delete("src")],
    [Edit.delete("src/link")],
    [Edit.rename("src", "sources")],
    [Edit.rename("src/sub", "sub")],
    [Edit.rename("a.txt", "src/a.txt")],
    [Edit.chmod("run.sh", 0o644)],
    [Edit.chmod("src", 0o700)],
    [Edit.chmod("src/link", 0o755)],
    [Edit.touch("a.txt")],
    [Edit.dockerfile("FROM other\nCOPY . /x\n")],
    [Edit.base("other")],
    [Edit.append("Dockerfile", "RUN more")],
    [Edit.append(".dockerignore", "src/sub")],
    [Edit.append(".dockerignore", "!app.log")],
    [Edit.replace(".dockerignore", "kept/*\n", "")],
    [Edit.delete(".dockerignore")],
    [Edit.append("src/main.py"), Edit.rename("src", "lib"), Edit.create("src/new.py")],
    [Edit.create("new.py"), Edit.append("new.py"), Edit.chmod("new.py", 0o755)],
    [Edit.build_arg("A", "1")],
]


def said(edits: list[Edit]) -> str:
    return ", ".join(map(str, edits))


def read(spec: BuildSpec) -> ContextTree:
    return ContextTree.read(spec.context, IgnoreRules.load(spec.context, spec.dockerfile))


@pytest.mark.parametrize("edits", EDITS, ids=said)
def test_a_patched_tree_is_what_staging_makes(
    spec: BuildSpec, tmp_path: Path, edits: list[Edit]
) -> None:
    staged = stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    assert_alike(spec, edits, staged)


def assert_alike(spec: BuildSpec, edits: list[Edit], staged: StagedContext) -> None:
    tree = read(spec)
    made = patch(spec, tree, edits, nonce=NONCE)
    edited = tree.edited(made)
    after = ContextTree.read(staged.root, staged.ignore)
    assert list(edited.entries) == list(after.entries)
    for path in after.entries:
        assert edited.differs(path, after, path) is None, path
    if made.dockerfile is not None:
        assert made.dockerfile == staged.dockerfile.read_bytes()
    differing = {
        path
        for path in after.entries.keys() | tree.entries.keys()
        if path not in tree.entries
        or path not in after.entries
        or after.differs(path, tree, path) is not None
    }
    assert differing <= edited.changed


@pytest.mark.parametrize(
    "edits",
    [
        [Edit.append("missing.txt")],
        [Edit.append("src")],
        [Edit.append("../outside")],
        [Edit.append("app.log")],
        [Edit.append("kept/that")],
        [Edit.create("a.txt")],
        [Edit.create("a.txt/below")],
        [Edit.create("new.log")],
        [Edit.replace("a.txt", "nowhere", "x")],
        [Edit.rename("a.txt", "src/main.py")],
        [Edit.rename("src", "src/below")],
        [Edit.rename("a.txt", "b.log")],
        [Edit.delete("a.txt"), Edit.append("a.txt")],
    ],
    ids=said,
)
def test_what_cannot_be_applied_is_refused_before_anything_is_staged(
    spec: BuildSpec, tmp_path: Path, edits: list[Edit]
) -> None:
    with pytest.raises(ConfigError) as predicted:
        patch(spec, read(spec), edits, nonce=NONCE)
    with pytest.raises(ConfigError) as real:
        stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    assert str(predicted.value) == str(real.value)
    assert not (tmp_path / "staged").exists()


MIXED = [
    Edit.append("src/main.py"),
    Edit.append("src/sub/deep.py"),
    Edit.append("data.json"),
    Edit.append("rows.csv"),
    Edit.append("key.pem"),
    Edit.append("model.bin"),
    Edit.append(".git/HEAD"),
    Edit.create(".pytest_cache/probe"),
    Edit.create("src/__pycache__/main.cpython-310.pyc"),
    Edit.chmod("run.sh", 0o700),
    Edit.touch("a.txt"),
    Edit.delete("old.txt"),
    Edit.rename("moved", "elsewhere/moved"),
    Edit.append("Dockerfile"),
    Edit.append(".dockerignore", "src/sub"),
    Edit.build_arg("A"),
    Edit.build_arg("B", "1"),
]


@pytest.mark.parametrize("seed", range(8))
def test_many_edits_of_all_kinds_are_made_together_in_any_order(
    spec: BuildSpec, tmp_path: Path, seed: int
) -> None:
    for path, content in (
        ("data.json", b'{"a": 1}'),
        ("rows.csv", b"a,b\n1,2\n"),
        ("key.pem", b"-----BEGIN X-----\n"),
        ("model.bin", b"\0\1"),
        ("old.txt", b"old"),
        ("moved/one/a", b"a"),
        ("moved/b", b"b"),
    ):
        (spec.context / path).parent.mkdir(parents=True, exist_ok=True)
        (spec.context / path).write_bytes(content)
    edits = list(MIXED)
    random.Random(seed).shuffle(edits)
    where = tmp_path / "staged"
    unedited = stage(spec, where, nonce="first")
    before = {entry.path: entry for entry in unedited.entries()}
    assert_alike(spec, edits, stage(spec, where, edits, nonce=NONCE))
    back = stage(spec, where, nonce="last")
    after = {entry.path: entry for entry in back.entries()}
    assert {path: (entry.mode, entry.size, entry.mtime_ns) for path, entry in after.items()} == {
        path: (entry.mode, entry.size, entry.mtime_ns) for path, entry in before.items()
    }
    assert (back.root / "data.json").read_bytes() == b'{"a": 1}'


def test_every_edited_file_of_many_is_unique_to_the_build(spec: BuildSpec) -> None:
    for number in range(50):
        (spec.context / f"src/m{number}.py").write_text("x = 1\n")
    edits = [Edit.append(f"src/m{number}.py") for number in range(50)]
    one = patch(spec, read(spec), edits, nonce="one").contents
    other = patch(spec, read(spec), edits, nonce="other").contents
    assert len({*one.values(), *other.values()}) == 100


@pytest.fixture
def linked(spec: BuildSpec) -> BuildSpec:
    """A Dockerfile that is a link to one in a directory, which a link leads to as well."""
    (spec.context / "docker").mkdir()
    (spec.context / "Dockerfile").rename(spec.context / "docker/app.Dockerfile")
    (spec.context / "Dockerfile").symlink_to("docker/app.Dockerfile")
    (spec.context / "also").symlink_to("docker")
    return spec


@pytest.mark.parametrize(
    "written",
    ["Dockerfile", "./Dockerfile", "src/../Dockerfile", "docker//app.Dockerfile",
     "also/app.Dockerfile", "docker/../also/app.Dockerfile", "{context}/Dockerfile"],
)  # fmt: skip
def test_an_edit_writes_the_dockerfile_however_its_path_is_spelled(
    linked: BuildSpec, tmp_path: Path, written: str
) -> None:
    edit = Edit.replace(written.format(context=linked.context), "RUN a", "RUN b")
    made = patch(linked, read(linked), [edit], nonce=NONCE)
    assert made.dockerfile_text is not None
    assert "RUN b" in made.dockerfile_text
    staged = stage(linked, tmp_path / "staged", [edit], nonce=NONCE)
    assert "RUN b" in staged.dockerfile.read_text()
    assert "RUN b" in (staged.root / "docker/app.Dockerfile").read_text()


@pytest.mark.parametrize(
    "edits",
    [
        [Edit.append("src/main.py")],
        [Edit.chmod("Dockerfile", 0o600)],
        [Edit.touch("Dockerfile")],
        [Edit.create("docker/Dockerfile")],
        [Edit.build_arg("A")],
    ],
    ids=said,
)
def test_what_leaves_the_text_of_the_dockerfile_writes_none(
    spec: BuildSpec, edits: list[Edit]
) -> None:
    assert patch(spec, read(spec), edits, nonce=NONCE).dockerfile is None


@pytest.mark.parametrize(
    "edit",
    [Edit.delete("Dockerfile"), Edit.rename("Dockerfile", "other"), Edit.delete("docker"),
     Edit.rename("docker", "build"), Edit.delete("also/app.Dockerfile")],
    ids=str,
)  # fmt: skip
def test_the_dockerfile_cannot_be_taken_away(linked: BuildSpec, edit: Edit) -> None:
    with pytest.raises(ConfigError, match="takes the Dockerfile away"):
        patch(linked, read(linked), [edit], nonce=NONCE)


def test_an_ignore_file_behind_a_link_is_read_after_its_edit(
    spec: BuildSpec, tmp_path: Path
) -> None:
    (spec.context / ".dockerignore").rename(spec.context / "rules")
    (spec.context / ".dockerignore").symlink_to("rules")
    edits = [Edit.replace("rules", "*.log\n", "")]
    staged = stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    assert_alike(spec, edits, staged)
    assert "app.log" in {entry.path for entry in staged.entries()}


def test_a_renamed_directory_lets_in_what_was_ignored_under_its_old_name(
    spec: BuildSpec, tmp_path: Path
) -> None:
    edits = [Edit.rename("kept", "held"), Edit.append("held/this")]
    staged = stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    assert_alike(spec, edits, staged)
    assert (staged.root / "held/that").read_text() == "that"


@pytest.mark.parametrize("name", ["big.txt", "big.bin", "big.zip"])
def test_a_large_file_is_edited_at_its_end_and_never_held_in_memory(
    spec: BuildSpec, tmp_path: Path, name: str
) -> None:
    big = spec.context / name
    if name == "big.zip":
        with zipfile.ZipFile(big, "w") as archive:
            archive.writestr("a", b"0" * 9_000_000)
    else:
        big.write_bytes((b"0" * 9_000_000) + (b"\0" if name == "big.bin" else b""))
    tree = read(spec)
    made = patch(spec, tree, [Edit.append(name)], nonce=NONCE)
    assert isinstance(made.contents[name], Grown)
    edits = [Edit.append(name), Edit.rename(name, "moved"), Edit.chmod("moved", 0o755)]
    for number, edited in enumerate((edits[:1], edits)):
        staged = stage(spec, tmp_path / "staged", edited, nonce=NONCE)
        copy = staged.root / ("moved" if number else name)
        assert copy.read_bytes() == appended(name, big.read_bytes(), None, NONCE)
    if name == "big.zip":
        with zipfile.ZipFile(copy) as archive:
            assert archive.read("a") == b"0" * 9_000_000
    other = patch(spec, tree, [Edit.append(name)], nonce="other")
    one, two = tree.edited(made), tree.edited(other)
    assert one.differs(name, tree, name) == "content"
    assert one.differs(name, two, name) == "content"


def test_a_path_in_a_chain_of_more_directories_than_links_is_found(tmp_path: Path) -> None:
    """BuildKit counts links on the way to a path, not directories."""
    path = "/".join(["d"] * 300)
    entries = {
        path[: 2 * count + 1]: ContextEntry(path[: 2 * count + 1], "dir", 0, 0o755, 0, 0, 0)
        for count in range(300)
    }
    assert follow(path, entries) == path


def test_the_users_tree_is_not_touched(spec: BuildSpec) -> None:
    def state() -> dict[Path, tuple[int, ...]]:
        # Without the time of the last access: reading may change it.
        every = {path: path.lstat() for path in spec.context.rglob("*")}
        return {
            path: (s.st_mode, s.st_ino, s.st_uid, s.st_gid, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
            for path, s in every.items()
        }

    before = state()
    tree = read(spec)
    for edits in EDITS:
        patch(spec, tree, edits, nonce=NONCE)
    assert state() == before
