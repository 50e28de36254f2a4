"""The house itself: a room imports only itself and rooms below it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src/pytest_dockercache"
TESTS = Path(__file__).resolve().parents[1]

ROOMS = (
    "plugin",
    "_pytest",
    "report",
    "testing",
    "checks",
    "fixing",
    "cold",
    "subject",
    "inspection",
    "recording",
    "definitions",
    "records",
    "stopping",
    "project",
    "runs",
    "engines",
    "cache",
    "environments",
    "image",
    "context",
    "shell",
    "dockerfile",
    "disk",
    "patterns",
    "limits",
    "cache_home",
    "cache_specs",
    "errors",
    "model",
    "jsonable",
    "presentable",
    "regexes",
    "values",
)
"""Top to bottom: a room may import itself and rooms below it."""


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the room of every import of ours, also of those inside functions."""
    here = ("pytest_dockercache", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            names = [[*module, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "pytest_dockercache" and len(name) > 1 and name[1] in ROOMS:
                yield node.lineno, name[1]


def test_every_module_is_in_a_room_of_the_house() -> None:
    modules = {room_of(path) for path in PACKAGE.rglob("*.py")}
    assert modules - {"__init__"} <= set(ROOMS)


def test_a_room_imports_only_what_stands_below_it() -> None:
    upwards = [
        f"{path.relative_to(PACKAGE)}:{line} imports {room}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "__init__.py"
        for line, room in imported_rooms(path)
        if ROOMS.index(room) < ROOMS.index(room_of(path))
    ]
    assert upwards == []


def test_no_two_classes_have_one_name() -> None:
    """A leading underscore does not make a second name: ``Record`` and ``_Record`` are one."""
    places: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                places.setdefault(node.name.lstrip("_"), []).append(place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_two_test_modules_have_one_name() -> None:
    """Pytest imports a test module by its bare name: of two, it refuses the second."""
    modules = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in modules.items() if count > 1] == []


def test_the_page_about_the_house_names_every_room_in_this_order() -> None:
    page = (PACKAGE.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == ROOMS


OPENING = {
    "disk.py",  # the door for what others wrote
    "cache_home.py", "report/files.py",  # writing
    "context/copying.py", "context/staging.py", "context/upload.py",  # our own copy
    "context/digests.py", "context/patch.py",  # O_NONBLOCK, and what the tree saw to be regular
    "engines/buildx.py", "engines/cancelling.py",  # files of our own command, /proc
    "image/archive.py",  # O_NONBLOCK, and asked for its kind; counted by its budget
    "image/store.py",  # writing
    "image/daemon.py", "image/overlay.py", "image/lister.py", "image/mounted.py",  # the daemon's
    "runs.py",  # the journal, to append
}  # fmt: skip
"""Modules that open files by themselves, each with its reason."""


def test_what_others_wrote_is_opened_at_one_door() -> None:
    opens = {"open", "read_text", "read_bytes"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            is_builtin = isinstance(node.func, ast.Name) and node.func.id == "open"
            # A method of Path takes no path: the functions of disk do.
            is_method = (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in opens
                and not (node.args and node.func.attr.startswith("read_"))
            )
            if is_builtin or is_method:
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found - OPENING == set()
