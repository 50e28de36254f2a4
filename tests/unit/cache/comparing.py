"""A project in a few lines, and the model's predictions after a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_dockercache.cache import BUILDKIT, Dialect, Forecast, Snapshot, predict
from pytest_dockercache.context import apply_argument_edits
from pytest_dockercache.dockerfile import BaseImage
from pytest_dockercache.model import BuildSpec, Edit

FILES: Mapping[str, str] = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    "src/main.py": "print()\n",
    "src/util.py": "pass\n",
    "src/sub/deep.py": "deep\n",
    "lib/main.py": "print()\n",
    "environment.yml": "name: app\n",
}

KNOWN = BaseImage(environment=(("PATH", "/bin"),))
"""A base of which everything is known."""


class Project:
    """A directory with a Dockerfile and some files, and how it is built."""

    def __init__(
        self,
        folder: Path,
        dockerfile: str,
        files: Mapping[str, str] = FILES,
        *,
        args: Mapping[str, str] = {},
        target: str | None = None,
        known: bool = True,
        dialect: Dialect = BUILDKIT,
        identities: Mapping[str, str] = {},
    ) -> None:
        self.folder = folder
        self.dialect = dialect
        for path, text in {**files, "Dockerfile": dockerfile}.items():
            full = folder / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)
        self.spec = BuildSpec(folder / "Dockerfile", folder, target, tuple(args.items()))
        self.bases = {"base": KNOWN, "other": KNOWN} if known else {}
        self.identities = identities

    def after(self, *edits: Edit) -> dict[int, Forecast]:
        """The model's predictions after some edits, by line."""
        before = Snapshot.read(self.spec, bases=self.bases, identities=self.identities)
        spec = apply_argument_edits(self.spec, edits, "nonce", {})
        said = predict(before, before.after(spec, edits), self.dialect)
        return {item.step.line: item for item in said}

    def statuses(self, *edits: Edit) -> dict[int, str]:
        """Only the verdicts, by line."""
        return {line: item.status for line, item in self.after(*edits).items()}

    def reason(self, line: int, *edits: Edit) -> str:
        """The message of one line's reason."""
        reason = self.after(*edits)[line].reason
        assert reason is not None, f"line {line} is no miss"
        return reason.message
