"""The preparation by a shell that starts a program: ``conda activate app && python main.py``.

The Python of such a program is asked through the same shell after the same preparation, and no
other part of the script runs: a program that migrates a database is not started.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from ..model import shortened
from ..regexes import regex
from ..values import dataclass

__all__ = ["PYTHON", "SHELL", "ShellStart", "started_by_script", "started_by_shell"]

SHELL = regex(r"(/\S*/)?(ba|da|a)?sh")
PYTHON = regex(r"python(\d+(\.\d+)?)?")


@dataclass(frozen=True)
class ShellStart:
    """The way in which a shell starts a program.

    ``question`` are the words with which the same shell, prepared in the same way, reports the
    version of Python; ``python`` is that Python's name or path. ``is_plain`` is True where the
    shell prepares nothing, so that the question needs no shell; ``doubt`` names the part of the
    script that was not followed, "" if all was followed. ``program`` is the program that the shell
    starts where it names no Python.
    """

    question: tuple[str, ...]
    python: str = "python"
    is_plain: bool = False
    doubt: str = ""
    program: str = ""


def started_by_shell(words: Sequence[str], *, prepared: bool = False) -> ShellStart | None:
    """The start in ``bash -lc "…"``, None for words that do not begin with a shell and its ``-c``.

    ``prepared`` is True where the shell first reads the file of BASH_ENV.
    """
    if not words or not SHELL.fullmatch(words[0]):
        return None
    position = 1
    while position < len(words) and words[position][:1] in ("-", "+"):
        option = words[position]
        if re.fullmatch(r"-[a-z]*c[a-z]*", option):
            break
        position += 2 if re.fullmatch(r"[-+][a-z]*o|--rcfile|--init-file", option) else 1
    if position + 1 >= len(words) or "c" not in words[position].lstrip("-"):
        return None
    head = tuple(words[: position + 1])
    # A login shell and an interactive one read files of their own first.
    is_plain = not any(re.fullmatch(r"-[a-z]*[li][a-z]*|--login|--rcfile", word) for word in head)
    return _start(
        head, words[position + 1], words[position + 2 :], is_plain=is_plain and not prepared
    )


def started_by_script(text: str) -> ShellStart | None:
    """The start in a shell script, None for the text of another program."""
    found = re.match(r"#!\s*(?:/usr/bin/env\s+)?(\S+)", text)
    if found is None or not SHELL.fullmatch(found[1]):
        return None
    return _start((found[1], "-c"), text, (), is_plain=True)


_SEPARATOR = regex(r"&&|\|\||[;&|\n]")
_PIECE = regex(
    r"""(?: "(?:\\.|[^"\\])*" | '[^']*' | \\. | >& | &> | [^"'\\;&|\n] )+ | && | \|\| | [;&|\n]""",
    re.VERBOSE | re.DOTALL,
)
_PREPARES = regex(
    r"""(?:conda|mamba|micromamba)\s+(?:de)?activate\b.*
    | (?:source|\.)\s.* | eval\s.*\b(?:hook|activate)\b.* | set\s+[-+].* | (?:shopt|cd|unset)\s.*
    | (?:export\s+)?(?:\w*PATH|CONDA_\w+|MAMBA_\w+|VIRTUAL_ENV|PYENV_\w+)=.*""",
    re.VERBOSE | re.DOTALL,
)
_HARMLESS = regex(r"(?:export\s+)?\w+=\S*|(?:echo|mkdir|umask|ulimit|trap|true|:)\b.*", re.DOTALL)
_BRANCHES = regex(r"(?:if|for|while|until|case|function|select)\b|[({]|\w+\s*\(\)")
_CHANGES = regex(r"\bactivate\b|\bPATH=|(?:^|[;&\n])\s*(?:source|\.)\s", re.MULTILINE)
_ASSIGNED = regex(r"""(?:\w+=(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])*\s+)*""")


def _start(head: tuple[str, ...], text: str, given: Sequence[str], *, is_plain: bool) -> ShellStart:
    prepared: list[str] = []
    programs: list[str] = []
    doubt = ""
    for piece, rest in _pieces(text):
        if _PREPARES.fullmatch(piece) and not programs and not _is_program(piece):
            prepared.append(piece)
        elif _BRANCHES.match(piece):
            if _CHANGES.search(rest):
                doubt = f"what {_shown(piece)} leads to was not followed"
            break
        elif programs and _CHANGES.match(piece):
            doubt = f"{_shown(piece)} comes after another program"
            break
        elif not _HARMLESS.fullmatch(piece):
            programs.append(piece)
    assigned, words, program = _first_python(programs, given)
    python = words[-1] if words else "python"
    call = assigned + shlex.join([*words, "--version"] if words else ["python", "--version"])
    changing = [piece for piece in prepared if not re.match(r"(?:set|shopt)\s", piece)]
    plain = is_plain and not changing and not assigned and len(words) < 2
    return ShellStart((*head, "\n".join([*prepared, call])), python, plain, doubt, program)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a script, each with itself and all that follows."""
    text = re.sub(r"^\s*#[^\n]*$", "", text, flags=re.MULTILINE)
    for found in _PIECE.finditer(text):
        piece = found[0].strip()
        if piece and not _SEPARATOR.fullmatch(piece):
            yield piece, text[found.start() :]


def _is_program(piece: str) -> bool:
    """Whether a program follows the assignments of a command: ``PATH=/e/bin:$PATH python a.py``."""
    assigned = _ASSIGNED.match(piece + " ")
    return assigned is not None and bool(assigned[0].strip()) and assigned.end() < len(piece)


def _first_python(
    programs: Sequence[str], given: Sequence[str]
) -> tuple[str, tuple[str, ...], str]:
    """The assignments and the words, wrapper included, up to the first Python that is started;
    of the first program if none is one, with ``python`` for its last word, and its own name."""
    from .running_python import wrapper

    first: tuple[str, tuple[str, ...], str] | None = None
    for program in programs:
        assigned = (_ASSIGNED.match(program + " ") or [""])[0]
        try:
            words = shlex.split(program[len(assigned) :])
        except ValueError:
            continue
        words = words[1:] if words[:1] == ["exec"] else words
        words = [word for word in words if word not in ("$@", "$*")] if given else words
        if "$0" in words or "$@" in program:
            words = [*(word for word in words if word != "$0"), *given[0 if "$0" in words else 1 :]]
        through = wrapper(words)
        name = words[len(through)] if len(words) > len(through) else ""
        if PYTHON.fullmatch(posixpath.basename(name)):
            return assigned, (*through, name), ""
        first = first or (assigned, (*through, "python"), name)
    return first or ("", (), "")


def _shown(piece: str) -> str:
    return f'"{shortened(piece.strip().partition(chr(10))[0], 41)}"'
