"""What is said of a file that a Dockerfile takes and the build context does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockercache.context import IgnoreRules, context_files, missing_sources
from pytest_dockercache.dockerfile import parse_dockerfile, plan


@pytest.mark.parametrize(
    ("copied", "verdict", "fix"),
    [
        ("gone", "gone is not in the build context, but line 2 copies it", "create gone in"),
        (
            "secret/key",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies it",
            "add '!secret/key' at the end of .dockerignore",
        ),
        (
            "link",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies link, a link to it",
            "add '!secret/key' at the end of .dockerignore",
        ),
        (
            "dangling",
            "nowhere is not in the build context, but line 2 copies dangling, a link to it",
            "create nowhere in",
        ),
        (
            "directory/key",
            "secret/key is kept out of the build context by .dockerignore line 1 (secret), "
            "but line 2 copies directory/key, a link to it",
            "add '!secret/key' at the end of .dockerignore",
        ),
    ],
)
def test_the_missing_file_is_named_and_why(
    tmp_path: Path, copied: str, verdict: str, fix: str
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    (tmp_path / "link").symlink_to("secret/key")
    (tmp_path / "directory").symlink_to("secret")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / ".dockerignore").write_text("secret\n")
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM base\nCOPY {copied} /there\n")
    ignore = IgnoreRules.load(tmp_path, file)
    entries = {entry.path: entry for entry in context_files(tmp_path, ignore)}
    (step,) = [step for step in plan(parse_dockerfile(file.read_text())) if step.line == 2]
    (missing,) = missing_sources(step, entries, ignore, tmp_path)
    assert missing.verdict("line 2") == verdict
    assert missing.fix(tmp_path).startswith(fix)
