"""Named contexts beside the main one: paths, rules, links, and files that two contexts hold."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_dockercache.context import ContextTree, IgnoreRules, as_it_was, patch, stage
from pytest_dockercache.errors import ConfigError
from pytest_dockercache.model import BuildSpec, Edit


def spec_of(root: Path, files: dict[str, str], **contexts: str) -> BuildSpec:
    """A project ``app`` in ``root``, with named contexts at paths below ``root``."""
    for name, text in {"app/Dockerfile": "FROM scratch\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    named = tuple((name, str(root / place)) for name, place in contexts.items())
    return BuildSpec(root / "app/Dockerfile", root / "app", contexts=named)


def tree_of(spec: BuildSpec) -> ContextTree:
    return ContextTree.of(spec, IgnoreRules.of(spec))


SHARED = {"app/a.py": "", "app/.dockerignore": "*.log\n", "shared/src/b.py": "", "shared/c.log": ""}


def test_a_file_of_a_named_context_is_known_by_its_name(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, SHARED, shared="shared")
    tree = tree_of(spec)
    assert "shared:/src/b.py" in tree.entries
    assert spec.place("shared:/src/b.py") == tmp_path / "shared/src/b.py"
    assert list(tree.below("")) == [".dockerignore", "Dockerfile", "a.py"]


def test_a_named_context_has_its_own_ignore_file(tmp_path: Path) -> None:
    files = {
        **SHARED,
        "app/x.log": "",
        "shared/.dockerignore": "src\n",
        "shared/Dockerfile.dockerignore": "",
    }
    spec = spec_of(tmp_path, files, shared="shared")
    tree = tree_of(spec)
    assert "x.log" not in tree.entries
    assert "shared:/c.log" in tree.entries
    assert "shared:/src" not in tree.entries
    assert tree.ignore.excludes("shared:/src/b.py")
    assert not tree.ignore.excludes("shared:/x.log")
    assert str(tree.ignore.deciding_line("shared:/src/b.py")) == ".dockerignore line 1 (src)"


def test_the_ignore_file_of_the_dockerfile_says_nothing_of_a_named_context(
    tmp_path: Path,
) -> None:
    files = {**SHARED, "app/Dockerfile.dockerignore": "**\n", "shared/.dockerignore": "src\n"}
    tree = tree_of(spec_of(tmp_path, files, shared="shared", own="app"))
    assert "a.py" not in tree.entries
    assert "own:/a.py" in tree.entries
    assert "shared:/c.log" in tree.entries


def test_a_link_leads_to_the_root_of_its_own_context(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, SHARED, shared="shared")
    (tmp_path / "shared/rooted").symlink_to("/src/b.py")
    (tmp_path / "shared/src/up").symlink_to("../../../src/b.py")
    (tmp_path / "shared/outside").symlink_to("../app/a.py")
    tree = tree_of(spec)
    assert tree.resolve("shared:/rooted") == "shared:/src/b.py"
    assert tree.resolve("shared:/src/up") == "shared:/src/b.py"
    assert tree.resolve("shared:/outside") is None


@pytest.mark.parametrize(
    ("place", "path"),
    [("app", "own:/src/m.py"), ("app/src", "own:/m.py"), (".", "own:/app/src/m.py")],
)
def test_a_file_of_two_contexts_is_one_file_and_an_edit_changes_both(
    tmp_path: Path, place: str, path: str
) -> None:
    spec = spec_of(tmp_path, {"app/src/m.py": "1\n"}, own=place)
    tree = tree_of(spec)
    assert tree.entries[path].same == "src/m.py"
    for named in ("src/m.py", path):
        edited = tree.edited(patch(spec, tree, [Edit.append(named)], nonce="n"))
        assert edited.changed == {"src/m.py", path}
        assert edited.digest(path) == edited.digest("src/m.py") != tree.digest(path)


def test_a_file_that_the_main_context_ignores_is_the_named_contexts(tmp_path: Path) -> None:
    files = {"app/src/m.py": "1\n", "app/.dockerignore": "src\n"}
    spec = spec_of(tmp_path, files, own="app/src")
    tree = tree_of(spec)
    assert tree.entries["own:/m.py"].same == ""
    edited = tree.edited(patch(spec, tree, [Edit.append("own:/m.py")], nonce="n"))
    assert edited.changed >= {"own:/m.py"}
    assert "src/m.py" not in edited.entries


def test_an_edit_is_made_in_the_copy_of_the_named_context_alone(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, SHARED, shared="shared")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    staged = stage(spec, tmp_path / "staged", [Edit.append("shared:/src/b.py")], nonce="n")
    [(top, place)] = staged.contexts
    assert (top, place.name) == ("shared:", "shared")
    assert "n" in (place / "src/b.py").read_text()
    assert (staged.root / "a.py").read_text() == ""
    assert "shared:/src/b.py" in staged.all_entries()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    stage(spec, tmp_path / "staged", nonce="n")
    assert (place / "src/b.py").read_text() == ""


def test_a_new_ignored_path_of_a_named_context_stays_out(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, {**SHARED, "shared/.dockerignore": ".git\n"}, shared="shared")
    tree = tree_of(spec)
    made = patch(spec, tree, [Edit.create("shared:/.git/x"), Edit.create(".git/x")], nonce="n")
    edited = tree.edited(made)
    assert ".git/x" in edited.entries
    assert "shared:/.git/x" not in edited.entries


def test_an_edit_of_the_ignore_file_of_a_named_context_lets_files_in(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, {**SHARED, "shared/.dockerignore": "src\n"}, shared="shared")
    tree = tree_of(spec)
    edit = Edit.replace("shared:/.dockerignore", "src", "other")
    edited = tree.edited(patch(spec, tree, [edit], nonce="n"))
    assert "shared:/src/b.py" in edited.entries


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit.append("shared:/none"), "edit of shared:/none: no such file"),
        (Edit.rename("shared:/c.log", "c.log"), "which is of another context"),
        (Edit.create("shared:/c.log"), "edit of shared:/c.log: exists already"),
    ],
)
def test_an_edit_that_cannot_be_made_names_its_context(
    tmp_path: Path, edit: Edit, said: str
) -> None:
    spec = spec_of(tmp_path, SHARED, shared="shared")
    with pytest.raises(ConfigError, match=said):
        patch(spec, tree_of(spec), [edit], nonce="n")


def test_a_path_that_looks_like_a_named_contexts_is_refused(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, {**SHARED, "app/x:/y": ""}, shared="shared")
    with pytest.raises(ConfigError, match="x: looks like a file of a named context"):
        tree_of(spec)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("place", ["shared", "."])
def test_a_named_context_is_led_back_to_a_revision_with_the_main_one(
    tmp_path: Path, place: str
) -> None:
    spec = spec_of(tmp_path, {**SHARED, "shared/.dockerignore": "x\n"}, named=place)
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    (tmp_path / "shared/src/b.py").write_text("new = 1\n")
    (tmp_path / "shared/new.py").write_text("")
    (tmp_path / "app/a.py").write_text("new = 1\n")
    (tmp_path / "shared/.dockerignore").write_text("y\n")
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    head = "named:/" if place == "shared" else "named:/shared/"
    now = tree_of(spec)
    before = now.edited(as_it_was(spec, now, "HEAD"))
    assert f"{head}new.py" in now.entries
    assert f"{head}new.py" not in before.entries
    for path in (f"{head}src/b.py", "a.py"):
        assert before.digest(path) != now.digest(path)
    own = before.ignore.named["named:"]
    assert [line.text for line in own.lines] == (["x"] if place == "shared" else [])
