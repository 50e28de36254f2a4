"""A regular expression that is compiled late is the one that would have been compiled at once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockercache.regexes import regex

PACKAGE = Path(__file__).resolve().parents[2] / "src/pytest_dockercache"


def test_it_finds_what_the_compiled_one_finds() -> None:
    late = regex(r"(?P<name>a+)B", re.IGNORECASE)
    at_once = re.compile(r"(?P<name>a+)B", re.IGNORECASE)
    for text in ("aab", "b", "xaAb aB"):
        assert [found.groupdict() for found in late.finditer(text)] == [
            found.groupdict() for found in at_once.finditer(text)
        ]
        assert late.sub("-", text) == at_once.sub("-", text)
    assert (late.pattern, late.groups) == (at_once.pattern, at_once.groups)


def test_bytes_are_found_by_an_expression_of_bytes() -> None:
    assert regex(rb"\d+").findall(b"1 22") == [b"1", b"22"]


def test_it_is_compiled_at_its_first_use() -> None:
    wrong = regex("(")
    assert wrong.pattern == "("
    with pytest.raises(re.error):
        wrong.match("")


def constants(path: Path) -> Iterator[tuple[int, ast.Call]]:
    """The calls of ``re.compile`` and ``regex`` that a module makes when it is imported."""

    def visit(node: ast.AST) -> Iterator[tuple[int, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Call) and ast.unparse(child.func) in ("re.compile", "regex"):
                yield child.lineno, child
            yield from visit(child)

    return visit(ast.parse(path.read_text(encoding="utf-8")))


def test_no_module_compiles_an_expression_when_it_is_imported() -> None:
    assert [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, call in constants(path)
        if ast.unparse(call.func) == "re.compile"
    ] == []


def test_every_expression_of_a_module_can_be_compiled() -> None:
    found = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, call in constants(path):
            written = call.args[0]
            if isinstance(written, ast.Constant) and isinstance(written.value, str):
                found += 1
                try:
                    re.compile(written.value)
                except re.error as problem:
                    pytest.fail(f"{path.relative_to(PACKAGE)}:{line}: {problem}")
    assert found > 50
