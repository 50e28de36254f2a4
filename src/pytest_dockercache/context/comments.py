"""How a file says "this is a comment": the syntax by suffix, name, content or shebang."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable

from ..values import dataclass

__all__ = [
    "CommentSyntax",
    "comment_syntax",
    "is_binary",
    "is_line_of_json",
    "is_source_code",
    "know_further_syntax",
    "nonce_blanks",
    "nonce_line",
]


@dataclass(frozen=True)
class CommentSyntax:
    """The marks before and after a one-line comment."""

    before: str
    after: str = ""

    def line(self, text: str) -> str:
        """One comment line without its newline."""
        return f"{self.before} {text}{' ' + self.after if self.after else ''}"


HASH = CommentSyntax("#")
SLASHES = CommentSyntax("//")
DASHES = CommentSyntax("--")
PERCENT = CommentSyntax("%")
SEMICOLON = CommentSyntax(";")
BLOCK = CommentSyntax("/*", "*/")
MARKUP = CommentSyntax("<!--", "-->")

_BY_SUFFIX: dict[str, CommentSyntax] = {
    suffix: syntax
    for syntax, suffixes in (
        (
            HASH,
            "py pyi pyw pyx pxd pxi bzl star sh bash zsh fish ksh yml yaml toml cfg ini conf cnf "
            "properties env rb rake gemspec pl pm r jl tf tfvars hcl nix mk mak cmake awk sed tcl "
            "ex exs cr nim graphql gql ps1 psm1 service timer desktop dockerfile dockerignore "
            "gitignore gitattributes editorconfig smk rules pth snakefile coffee po condarc",
        ),
        (
            SLASHES,
            "js mjs cjs jsx ts mts cts tsx c h cc cpp cxx hh hpp hxx cu cuh java go rs kt kts "
            "swift scala sc groovy gradle dart cs fs proto zig sol jsonc json5 scss less v sv php "
            "stan ino glsl d",
        ),
        (DASHES, "sql lua hs elm adb ads vhd vhdl"),
        (PERCENT, "tex sty cls bib erl hrl"),
        (SEMICOLON, "el lisp clj cljs cljc edn scm rkt asm"),
        (BLOCK, "css"),
        (MARKUP, "html htm xhtml xml svg md markdown rmd qmd vue svelte xsd xsl xslt plist"),
        (CommentSyntax("!"), "f90 f95 f03 f08"),
        (CommentSyntax('"'), "vim"),
        (CommentSyntax("REM"), "bat cmd"),
        (CommentSyntax("{#", "#}"), "j2 jinja jinja2"),
    )
    for suffix in suffixes.split()
}

_HASH_NAMES = """
makefile gnumakefile dockerfile containerfile gemfile rakefile vagrantfile snakefile
cmakelists.txt justfile brewfile crontab build workspace manifest.in
.bashrc .bash_profile .profile .zshrc .env .flake8 .coveragerc .pylintrc .gitconfig
.gitmodules .npmrc cargo.lock pubspec.lock yarn.lock
"""
_BY_NAME: dict[str, CommentSyntax] = dict.fromkeys(_HASH_NAMES.split(), HASH)
_BY_NAME.update(dict.fromkeys(("jenkinsfile", "go.mod"), SLASHES))

_INTERPRETERS: tuple[tuple[str, CommentSyntax], ...] = (
    (r"node|deno|bun|scala|kotlin|groovy|dart|php", SLASHES),
    (r"lua|runghc", DASHES),
    (r"guile|racket|clojure|bb", SEMICOLON),
    (r".", HASH),
)

_CODE = """
py pyx sh bash zsh fish rb pl r jl js mjs cjs jsx ts mts tsx c h cc cpp cxx hpp cu java go rs kt
swift scala groovy dart cs fs zig php lua hs ex exs erl clj nim cr d f90 sql vue svelte
"""
_CODE_SUFFIXES = frozenset(_CODE.split())

_FURTHER: list[Callable[[str], CommentSyntax | None]] = []


def know_further_syntax(by_path: Callable[[str], CommentSyntax | None]) -> None:
    """Ask ``by_path`` too for the syntax of a file: a room above knows the files of its tools."""
    _FURTHER.append(by_path)


def comment_syntax(path: str, content: bytes = b"") -> CommentSyntax | None:
    """The comment syntax of a file, None when its format has none or is not known.

    ``path`` is the file's POSIX path; ``content`` its bytes, looked at only
    for a shebang and where the name leaves it open (lock files).
    """
    name = posixpath.basename(path).lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name.startswith(("dockerfile.", "containerfile.", "makefile.", ".env.")) and not (
        name.endswith(".json")
    ):
        return HASH
    for by_path in _FURTHER:
        further = by_path(path)
        if further is not None:
            return further
    if content.startswith(b"#!"):
        first = content.split(b"\n", 1)[0].decode("latin-1")
        program = posixpath.basename((first[2:].replace("/usr/bin/env", "").split() or [""])[-1])
        for word in first[2:].split():
            base = posixpath.basename(word)
            if base != "env" and not base.startswith("-"):
                program = base
                break
        for interpreters, syntax in _INTERPRETERS:
            if re.match(interpreters, program):
                return syntax
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return None
    if suffix == "lock" and stem:
        return _lock_syntax(content)
    syntax_found = _BY_SUFFIX.get(suffix)
    if suffix == "php" and content.rstrip().endswith(b"?>"):
        return MARKUP
    return syntax_found


def _lock_syntax(content: bytes) -> CommentSyntax | None:
    """Lock files: TOML, YAML and conda's explicit lists have comments, JSON has none."""
    start = content.lstrip()[:4096]
    if start.startswith((b"#", b"@EXPLICIT", b"[", b"version:", b"metadata:")):
        return HASH
    return HASH if b"\n@EXPLICIT" in start else None


def is_source_code(path: str) -> bool:
    """Whether the file's suffix is that of a programming language."""
    return path.rpartition(".")[2].lower() in _CODE_SUFFIXES and "." in path


def is_binary(content: bytes) -> bool:
    """Whether a file is binary: it has a NUL byte, and no UTF-16 mark that explains the byte."""
    return b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff"))


_ROWS = frozenset({"csv", "tsv", "tab", "psv"})


def is_line_of_json(path: str) -> bool:
    """Whether every line of the file is JSON, which a blank line is not."""
    return posixpath.basename(path).lower().rpartition(".")[2] in ("jsonl", "ndjson", "geojsonl")


def nonce_blanks(nonce: str, zero: str = " ", one: str = "\t") -> bytes:
    """64 blanks and tabs (or other characters, one for each bit) that spell the nonce's digest."""
    digest = hashlib.sha256(nonce.encode()).digest()[:8]
    bits = f"{int.from_bytes(digest, 'big'):064b}"
    return "".join(one if bit == "1" else zero for bit in bits).encode()


def nonce_line(path: str, head: bytes, nonce: str) -> str:
    """A line, without newline, that is unique to ``nonce`` and means nothing to the file's reader.

    The line is a comment where the format has comments, else it has only blanks: JSON, among
    others, allows white space after its end. In a table, a line of blanks would be a row: there the
    nonce becomes empty lines, which readers of tables pass over.
    """
    syntax = comment_syntax(path, head)
    if syntax is not None:
        # "--" ends a comment in HTML, "*/" one in CSS.
        word = re.sub(r"[^0-9A-Za-z_.]+", "-", nonce).strip("-")
        return syntax.line(f"dockercache edit {word}")
    if posixpath.basename(path).lower().rpartition(".")[2] in _ROWS:
        return nonce_blanks(nonce, "\n", "\r\n").decode()
    return nonce_blanks(nonce).decode()
