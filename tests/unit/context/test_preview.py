"""A previewed context is what staging the same edits would make, and is refused alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.context import ContextTree, IgnoreRules, preview, stage
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


@pytest.mark.parametrize("edits", EDITS, ids=said)
def test_a_preview_is_what_staging_makes(
    spec: BuildSpec, tmp_path: Path, edits: list[Edit]
) -> None:
    tree = ContextTree.read(spec.context, IgnoreRules.load(spec.context, spec.dockerfile))
    edited = preview(spec, tree, edits, nonce=NONCE)
    staged = stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    after = ContextTree.read(staged.root, staged.ignore)
    assert list(edited.tree.entries) == list(after.entries)
    for path in after.entries:
        assert edited.tree.differs(path, after, path) is None, path
    if edited.dockerfile is not None:
        assert edited.dockerfile == staged.dockerfile.read_text()
    differing = {
        path
        for path in after.entries.keys() | tree.entries.keys()
        if path not in tree.entries
        or path not in after.entries
        or after.differs(path, tree, path) is not None
    }
    assert differing <= edited.tree.changed


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
def test_what_staging_refuses_a_preview_refuses_in_the_same_words(
    spec: BuildSpec, tmp_path: Path, edits: list[Edit]
) -> None:
    tree = ContextTree.read(spec.context, IgnoreRules.load(spec.context, spec.dockerfile))
    with pytest.raises(ConfigError) as predicted:
        preview(spec, tree, edits, nonce=NONCE)
    with pytest.raises(ConfigError) as real:
        stage(spec, tmp_path / "staged", edits, nonce=NONCE)
    assert str(predicted.value) == str(real.value)


def test_the_users_tree_is_not_touched(spec: BuildSpec) -> None:
    before = {path: path.lstat() for path in spec.context.rglob("*")}
    tree = ContextTree.read(spec.context, IgnoreRules.load(spec.context, spec.dockerfile))
    for edits in EDITS:
        preview(spec, tree, edits, nonce=NONCE)
    after = {path: path.lstat() for path in spec.context.rglob("*")}
    assert after == before
