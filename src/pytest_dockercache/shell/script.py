"""The commands that a RUN's shell script executes, with their arguments and directories.

This module is no shell: it knows enough of ``sh`` and ``bash`` to tell a command from text that
looks like one. All branches are taken, loops run once for each word, and a text that only the
running container knows (``$(…)``, a variable nobody sets) is marked as unknown instead of being
guessed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from itertools import takewhile

from ..dockerfile.expansion import Lexer, SubstitutionError
from ..dockerfile.syntax import Heredoc
from ..errors import ConfigError
from ..limits import COMMANDS, PIPELINE, SCRIPT
from ..regexes import regex
from ..values import dataclass

__all__ = ["Command", "Word", "commands", "joined_path", "known_text"]

_OPERATORS = regex(r"&&|\|\||;;&|;;|;&|\|&|&>>|&>|[;&|()\n]")
_REDIRECTION = regex(r"[0-9]*(?:<<<|<<-?|<>|<&|>>|>&|>\||<|>)|&>>|&>")
_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = regex(r"([A-Za-z_][A-Za-z0-9_]*)\+?=")
_LEADING = frozenset(
    {
        "if",
        "then",
        "elif",
        "else",
        "while",
        "until",
        "do",
        "{",
        "}",
        "!",
        "time",
        "coproc",
        "function",
    }
)
_DECLARING = frozenset({"export", "declare", "local", "readonly", "typeset"})
_LONGEST_LOOP = 50
_LOOPS_AROUND = 4


@dataclass(frozen=True)
class Word:
    """One argument after expansion.

    ``known`` is False when a part of it is only known in the running
    container; that part is left out of ``text``, or stands as ``$NAME``.
    """

    text: str
    known: bool = True


@dataclass(frozen=True)
class Command:
    """One simple command of a script.

    ``words`` are its name and arguments; ``directory`` the absolute working directory, None when
    unknown; ``feeding`` the commands whose output it reads, through a pipe or as ``$(…)``
    arguments; ``stdin`` the file that ``<`` connects; ``document`` the text of a heredoc on its
    input; ``assignments`` the ``NAME=value`` words before it; ``active`` the environment it runs
    in, by name or prefix, as far as the script says so (``conda run``, ``activate``). ``followed``
    is True for a command that starts a script whose own commands are listed after it.
    """

    words: tuple[Word, ...]
    directory: str | None
    feeding: tuple[Command, ...] = ()
    stdin: Word | None = None
    document: str | None = None
    assignments: tuple[tuple[str, str], ...] = ()
    active: Word | None = None
    followed: bool = False

    @property
    def name(self) -> str:
        """The command's name without its directory."""
        return posixpath.basename(self.words[0].text) if self.words else ""


def commands(
    script: str,
    directory: str | None,
    variables: Mapping[str, str],
    documents: tuple[Heredoc, ...] = (),
    parameters: tuple[Word, ...] | None = None,
) -> tuple[Command, ...]:
    """The commands of a script, in the order in which they run.

    ``directory`` is the directory in which it starts, ``variables`` are the variables set there;
    ``documents`` are heredocs whose bodies the Dockerfile's reader has taken out of the text
    already. ``parameters`` are ``$0``, ``$1`` and so on, None where they are not known. The
    commands of a function stand at each of its calls, with the arguments of that call.
    """
    if len(script) > SCRIPT:
        raise ConfigError(
            f"a RUN or its script has {len(script):,} characters, and at most {SCRIPT:,} are read",
            fix="copy its text from a file that a program runs",
        )
    try:
        tokens = tuple(_Tokens(script, documents))
        walk = _Walk(directory, dict(variables), parameters=parameters)
        return tuple(walk.whole(tokens))
    except RecursionError:
        return ()  # Hundreds of ``$(…)`` in each other: the command that it runs is not known.


@dataclass(frozen=True)
class _Part:
    """A piece of a word: literal text, a ``$variable`` or ``${…}``, a parameter (``$1``, ``$@``),
    or a nested script."""

    kind: str
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class _RawWord:
    parts: tuple[_Part, ...]

    @property
    def bare(self) -> str | None:
        """The text of a word without quotes and expansions; None for others."""
        if any(part.kind != "text" or part.quoted for part in self.parts):
            return None
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True)
class _Operator:
    text: str


@dataclass(frozen=True)
class _Redirection:
    operator: str
    target: _RawWord
    document: str | None = None


_Token = _RawWord | _Operator | _Redirection


class _Tokens:
    """Splits a script into words, operators and redirections."""

    def __init__(self, text: str, documents: tuple[Heredoc, ...]) -> None:
        self.text = text.replace("\r\n", "\n")
        self.position = 0
        self.documents = list(documents)

    def __iter__(self) -> Iterator[_Token]:
        while True:
            self.skip_blanks()
            if self.position >= len(self.text):
                return
            token = self.token()
            if token is not None:
                yield token

    def skip_blanks(self) -> None:
        while self.position < len(self.text):
            if self.text[self.position] in " \t\r\v\f":
                self.position += 1
            elif self.text.startswith("\\\n", self.position):
                self.position += 2
            else:
                return

    def token(self) -> _Token | None:
        if self.text[self.position] == "#":
            end = self.text.find("\n", self.position)
            self.position = len(self.text) if end < 0 else end
            return None
        substitution = re.compile(r"[<>]\(").match(self.text, self.position)
        redirection = _REDIRECTION.match(self.text, self.position)
        if redirection and not substitution:
            self.position = redirection.end()
            return self.redirection(redirection[0].lstrip("0123456789"))
        operator = _OPERATORS.match(self.text, self.position)
        if operator:
            self.position = operator.end()
            return _Operator(operator[0])
        return self.word()

    def redirection(self, operator: str) -> _Redirection:
        self.skip_blanks()
        target = self.word()
        if operator not in ("<<", "<<-"):
            return _Redirection(operator, target)
        name = "".join(part.text for part in target.parts)
        return _Redirection(operator, target, self.document(name, operator == "<<-"))

    def document(self, name: str, chomp: bool) -> str:
        for index, document in enumerate(self.documents):
            if document.name == name:
                del self.documents[index]
                return document.body
        start = self.text.find("\n", self.position)
        if start < 0:
            return ""
        lines = self.text[start + 1 :].split("\n")
        ends = [line.lstrip("\t") if chomp else line for line in lines]
        count = ends.index(name) if name in ends else len(lines) - 1
        # The body is cut out of the text, so that the rest of its first line is read next.
        rest = "\n".join(lines[count + 1 :])
        self.text = self.text[: start + 1] + rest
        return "\n".join(lines[:count])

    def word(self) -> _RawWord:
        parts: list[_Part] = []
        while self.position < len(self.text):
            char = self.text[self.position]
            if char in " \t\r\v\f\n;&|":
                break
            if char in "<>":
                if self.text[self.position + 1 : self.position + 2] != "(" or parts:
                    break
                self.position += 2
                parts.append(_Part("script", self.nested(")"), quoted=True))
                continue
            if char in "()":
                break
            parts.append(self.part())
        return _RawWord(tuple(parts))

    def part(self) -> _Part:
        text, start = self.text, self.position
        char = text[start]
        if char == "\\":
            self.position += 2
            following = text[start + 1 : start + 2]
            return _Part("text", "" if following == "\n" else following, quoted=True)
        if char == "'":
            end = text.find("'", start + 1)
            end = len(text) if end < 0 else end
            self.position = end + 1
            return _Part("text", text[start + 1 : end], quoted=True)
        if char == '"':
            return self.double_quoted()
        if char == "$":
            return self.dollar(quoted=False)
        if char == "`":
            return self.backtick(quoted=False)
        end = start
        while end < len(text) and text[end] not in " \t\r\v\f\n;&|<>()\\'\"$`":
            end += 1
        self.position = max(end, start + 1)
        return _Part("text", text[start : self.position])

    def double_quoted(self) -> _Part:
        """A quoted string, as one part that holds all parts when the string has expansions."""
        self.position += 1
        parts: list[_Part] = []
        literal = ""
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == '"':
                self.position += 1
                break
            if char == "\\":
                following = self.text[self.position + 1 : self.position + 2]
                literal += following if following in '"$`\\' else char + following
                literal = literal.removesuffix("\\\n")
                self.position += 2
            elif char in "$`":
                parts.append(_Part("text", literal, quoted=True))
                literal = ""
                parts.append(self.dollar(True) if char == "$" else self.backtick(True))
            else:
                literal += char
                self.position += 1
        parts.append(_Part("text", literal, quoted=True))
        return _Packed("packed", "", quoted=True, parts=tuple(parts))

    def dollar(self, quoted: bool) -> _Part:
        text = self.text
        self.position += 1
        if text.startswith("((", self.position):
            self.position += 1
            self.nested(")")
            return _Part("unknown", "", quoted)
        if text.startswith("(", self.position):
            self.position += 1
            return _Part("script", self.nested(")"), quoted)
        if text.startswith("{", self.position):
            start = self.position
            self.position += 1
            inner = self.nested("}")
            if re.fullmatch(r"[@*]|[0-9]+|BASH_SOURCE(\[0\])?", inner):
                parameter = "0" if inner.startswith("BASH_SOURCE") else inner
                return _Part("parameter", parameter, quoted)
            return _Part("variable", text[start : start + 1] + inner + "}", quoted)
        if text.startswith("'", self.position) and not quoted:
            return replace(self.part(), quoted=True)
        name = _NAME.match(text, self.position)
        if name:
            self.position = name.end()
            return _Part("variable", name[0], quoted)
        special = text[self.position : self.position + 1]
        if special and special in "@*#?-$!0123456789":
            self.position += 1
            kind = "parameter" if special in "@*0123456789" else "unknown"
            return _Part(kind, special, quoted)
        return _Part("text", "$", quoted)

    def backtick(self, quoted: bool) -> _Part:
        end = self.text.find("`", self.position + 1)
        end = len(self.text) if end < 0 else end
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        return _Part("script", inner, quoted)

    def nested(self, close: str) -> str:
        """The text up to the matching ``close``; quotes and nesting are respected."""
        start = self.position
        opening = {")": "(", "}": "{"}[close]
        depth = 1
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == "\\":
                self.position += 2
                continue
            if char == "'":
                end = self.text.find("'", self.position + 1)
                self.position = len(self.text) if end < 0 else end + 1
                continue
            if char == '"':
                self.double_quoted()
                continue
            self.position += 1
            if char == opening:
                depth += 1
            elif char == close:
                depth -= 1
                if not depth:
                    return self.text[start : self.position - 1]
        return self.text[start:]


@dataclass(frozen=True)
class _Packed(_Part):
    """A double-quoted string with its own parts."""

    parts: tuple[_Part, ...] = ()


@dataclass
class _Walk:
    """Goes through the tokens and keeps the changes that the script has made so far."""

    directory: str | None
    variables: dict[str, str]
    loops: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outer: list[tuple[str | None, dict[str, str]]] = field(default_factory=list)
    parameters: tuple[Word, ...] | None = None
    functions: dict[str, tuple[_Token, ...]] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    calling: tuple[str, ...] = ()
    fed: list[tuple[Command, ...]] = field(default_factory=list)
    ran: list[int] = field(default_factory=lambda: [0])

    def whole(self, tokens: tuple[_Token, ...]) -> Iterator[Command]:
        """The commands of a whole script; of uncalled functions, at its end."""
        rest, self.functions = _without_functions(tokens)
        yield from self.through(rest)
        for name, body in list(self.functions.items()):
            if name not in self.called:
                self.called.add(name)
                yield from self.through(body)

    def call(self, name: str, arguments: tuple[Word, ...]) -> Iterator[Command]:
        """The commands of a function's body, with the arguments of one call."""
        self.called.add(name)
        outside = self.parameters, self.calling
        self.parameters = (Word(name), *arguments)
        self.calling = (*self.calling, name)
        yield from self.through(self.functions[name])
        self.parameters, self.calling = outside

    def through(self, tokens: tuple[_Token, ...]) -> Iterator[Command]:
        words: list[_RawWord] = []
        redirections: list[_Redirection] = []
        pipeline: list[Command] = []
        ends = _ends_of_loops(tokens)
        outside = len(self.fed)
        for position, token in enumerate((*tokens, _Operator("\n"))):
            if isinstance(token, _RawWord):
                words.append(token)
                if position in ends:
                    feeders = (*pipeline, *self.feeders(ends[position]))
                    self.fed.append(tuple(replace(one, feeding=()) for one in feeders))
                elif token.bare == "done" and _begins_command(tokens, position):
                    del self.fed[max(outside, len(self.fed) - 1) :]
                continue
            if isinstance(token, _Redirection):
                redirections.append(token)
                continue
            made = list(self.simple(tuple(words), tuple(redirections), tuple(pipeline)))
            yield from made
            words, redirections = [], []
            if token.text in ("|", "|&"):
                pipeline = [*pipeline, *made][-PIPELINE:]
            elif token.text not in "()":
                pipeline = []
            if token.text == "(":
                self.outer.append((self.directory, dict(self.variables)))
            elif token.text == ")" and self.outer:
                self.directory, self.variables = self.outer.pop()
        del self.fed[outside:]

    def feeders(self, redirections: tuple[_Redirection, ...]) -> Iterator[Command]:
        """The commands that feed a loop by ``done < FILE`` or ``done < <(…)``."""
        for redirection in redirections:
            if redirection.operator == "<":
                values, nested = self.expanded(redirection.target)
                yield from nested
                if not nested:
                    yield Command((Word("cat"), *values), self.directory)

    def simple(
        self,
        words: tuple[_RawWord, ...],
        redirections: tuple[_Redirection, ...],
        pipeline: tuple[Command, ...],
    ) -> Iterator[Command]:
        while words and words[0].bare in _LEADING:
            words = words[2:] if words[0].bare == "function" else words[1:]
        if words and words[0].bare in ("for", "select"):
            yield from self.loop(words)
            return
        alternatives = self.loop_values(words)
        for name, value in alternatives:
            if name:
                self.variables[name] = value
            yield from self.one(words, redirections, pipeline)

    def loop(self, words: tuple[_RawWord, ...]) -> Iterator[Command]:
        if len(words) < 3 or words[2].bare != "in":
            return
        name = words[1].bare or ""
        known: list[str] = []
        for word in words[3:]:
            values, nested = self.expanded(word)
            yield from nested
            known += [value.text for value in values if value.known]
        self.loops[name] = tuple(known)[:_LONGEST_LOOP]

    def loop_values(self, words: tuple[_RawWord, ...]) -> tuple[tuple[str, str], ...]:
        used = {_variable_name(part) for word in words for part in _flat(word.parts)}
        for name, values in self.loops.items():
            if name in used and values:
                return tuple((name, value) for value in values)
        return (("", ""),)

    def one(
        self,
        raw: tuple[_RawWord, ...],
        redirections: tuple[_Redirection, ...],
        pipeline: tuple[Command, ...],
    ) -> Iterator[Command]:
        self.ran[0] += 1
        if self.ran[0] > COMMANDS:
            raise ConfigError(
                f"a RUN or its script has more than {COMMANDS:,} commands, functions and loops "
                "written out: nobody follows it further",
                fix="copy its text from a file that a program runs",
            )
        words: list[Word] = []
        feeding = [*pipeline, *(feeder for fed in self.fed[-_LOOPS_AROUND:] for feeder in fed)]
        assignments: list[tuple[str, str]] = []
        declaring = False
        for word in raw:
            assigned = _assignment(word)
            values, nested = self.expanded(word)
            feeding += nested
            yield from nested
            if assigned and (not words or declaring):
                value = values[0] if values else Word("")
                name, _, text = value.text.partition("=")
                if value.known:
                    assignments.append((name.rstrip("+"), text))
                else:
                    self.variables.pop(name, None)
                continue
            words += values
            declaring = bool(words) and words[0].text in _DECLARING
        stdin, document = None, None
        for redirection in redirections:
            values, nested = self.expanded(redirection.target)
            yield from nested
            if redirection.operator == "<" and values:
                stdin = values[0]
            if redirection.operator == "<<<" and values:
                document = values[0].text
            document = redirection.document if redirection.document is not None else document
        if not words or declaring:
            self.variables.update(assignments)
        if not words:
            if stdin is not None:  # ``$(< FILE)`` is ``$(cat FILE)``.
                yield Command((Word("cat"), stdin), self.directory)
            return
        if words[0].text in ("cd", "pushd"):
            self.change_directory(tuple(words))
            return
        if words[0].text in self.functions and words[0].text not in self.calling:
            yield from self.call(words[0].text, tuple(words[1:]))
            return
        yield Command(
            words=tuple(words),
            directory=self.directory,
            feeding=tuple(feeding),
            stdin=stdin,
            document=document,
            assignments=tuple(assignments),
        )

    def change_directory(self, words: tuple[Word, ...]) -> None:
        targets = [word for word in words[1:] if not word.text.startswith("-")]
        where = targets[0] if targets else self.home()
        if not where.known or (self.directory is None and not where.text.startswith("/")):
            self.directory = None
            return
        path = posixpath.join(self.directory or "/", where.text)
        self.directory = re.sub(r"\A/+", "/", posixpath.normpath(path))

    def home(self) -> Word:
        home = self.variables.get("HOME")
        return Word(home) if home else Word("", known=False)

    def expanded(self, word: _RawWord) -> tuple[list[Word], list[Command]]:
        """The words that a raw word expands to, and the commands of its ``$(…)``."""
        fields: list[Word] = []
        text, known, present = "", True, False
        ran: list[Command] = []
        for part in _flat(word.parts):
            if part.kind == "script":
                walk = _Walk(
                    self.directory,
                    dict(self.variables),
                    parameters=self.parameters,
                    functions=self.functions,
                    called=self.called,
                    calling=self.calling,
                    ran=self.ran,
                )
                nested = list(walk.through(tuple(_Tokens(part.text, ()))))
                ran += nested
                output = _output(nested, walk.directory)
                text, known, present = text + output.text, known and output.known, True
            elif part.kind == "unknown":
                known, present = False, True
            elif part.kind == "parameter":
                given = self.parameter(part.text)
                if part.text in "@*" and given is not None:
                    for word_given in given[:-1]:
                        fields.append(Word(text + word_given.text, known and word_given.known))
                        text, known, present = "", True, False
                for word_given in () if given is None else given[-1:]:
                    text, present = text + word_given.text, True
                    known = known and word_given.known
                if given is None:
                    known, present = False, True
            elif part.kind == "variable":
                value = self.value(part.text)
                if value is None:
                    text, known, present = text + f"${part.text}", False, True
                elif part.quoted:
                    text, present = text + value, True
                else:
                    first, *more = re.split(r"[ \t\n]+", value)
                    text, present = text + first, present or bool(text + first)
                    for piece in more:
                        if text or present:
                            fields.append(Word(text, known))
                        text, known, present = piece, True, bool(piece)
            else:
                text, present = text + part.text, present or part.quoted or bool(part.text)
        if text == "~" or text.startswith("~/"):
            home = self.home()
            text, known = (home.text + text[1:], known) if home.known else (text, False)
        if present:
            fields.append(Word(text, known))
        return fields, ran

    def parameter(self, name: str) -> tuple[Word, ...] | None:
        """The values of ``$1`` or ``$@``; None when nobody here knows."""
        if self.parameters is None:
            return None
        if name in "@*":
            return self.parameters[1:]
        return self.parameters[int(name) : int(name) + 1]

    def value(self, expression: str) -> str | None:
        """The expansion of ``NAME`` or ``{NAME…}``; None when nobody here knows."""
        if not expression.startswith("{"):
            return self.variables.get(expression)
        name = _NAME.match(expression, 1)
        if not name:
            return None
        if name[0] not in self.variables and expression[name.end()] not in ":-+":
            return None
        if name[0] not in self.variables and self.may_be_set(name[0]):
            return None
        try:
            return Lexer().expand(f"${expression}", self.variables)
        except SubstitutionError:
            return None

    def may_be_set(self, name: str) -> bool:
        """Names that a running container always has a value for."""
        return name in ("PATH", "PWD", "HOME", "HOSTNAME", "USER", "SHELL")


_FINDS = regex(r"which|type|whereis")


def _output(ran: list[Command], directory: str | None) -> Word:
    """The text in place of ``$(…)``, as far as it is known: ``pwd``, ``dirname``, ``ls``.

    Of the output of ``which pip`` only the base name is known, not the directory.
    """
    words = ran[-1].words if ran else ()
    names = [word.text for word in words]
    if names == ["pwd"] and directory is not None:
        return Word(directory)
    if len(ran) != 1 or len(words) < 2:
        return Word("", known=False)
    if _FINDS.fullmatch(names[0]) or names[:2] == ["command", "-v"]:
        return Word(names[-1], known=False)
    if names[0] == "ls":
        shown = [word for word in words[1:] if not word.text.startswith("-")]
        return shown[0] if len(shown) == 1 else Word("", known=False)
    if names[0] == "find" and names[2:3] in (["-name"], ["-iname"]) and len(names) == 4:
        return Word(posixpath.join(names[1], names[3]), known=False)
    if names[0] == "dirname" and len(words) == 2 and words[1].known:
        return Word(posixpath.dirname(names[1]) or ".")
    return Word("", known=False)


def _without_functions(
    tokens: tuple[_Token, ...],
) -> tuple[tuple[_Token, ...], dict[str, tuple[_Token, ...]]]:
    """A script without its functions, and the bodies of these by name."""
    rest: list[_Token] = []
    functions: dict[str, tuple[_Token, ...]] = {}
    position = 0
    while position < len(tokens):
        found = _function(tokens, position)
        if found is None:
            rest.append(tokens[position])
            position += 1
        else:
            name, start, position = found
            inside, nested = _without_functions(tokens[start : position - 1])
            functions.update(nested)
            functions[name] = inside
            rest.append(_Operator("\n"))
    return tuple(rest), functions


def _function(tokens: tuple[_Token, ...], position: int) -> tuple[str, int, int] | None:
    """Name, start of the body and end of the definition that begins at a token, if one does."""
    if not _begins_command(tokens, position):
        return None
    keyword = _bare(tokens, position) == "function"
    name = _bare(tokens, position + keyword)
    after = position + keyword + 1
    if not name or name in _LEADING:
        return None
    parentheses = [_operator(tokens, after), _operator(tokens, after + 1)] == ["(", ")"]
    if not keyword and not parentheses:
        return None
    after += 2 * parentheses
    while _operator(tokens, after) == "\n":
        after += 1
    if _bare(tokens, after) == "{":
        depth = 1
        for end in range(after + 1, len(tokens)):
            if _begins_command(tokens, end):
                depth += {"{": 1, "}": -1}.get(_bare(tokens, end), 0)
                if not depth:
                    return name, after + 1, end + 1
    elif _operator(tokens, after) == "(":
        depth = 0
        for end in range(after, len(tokens)):
            depth += {"(": 1, ")": -1}.get(_operator(tokens, end), 0)
            if not depth:
                return name, after + 1, end + 1
    return None


_LOOPS = frozenset({"while", "until", "for", "select"})


def _ends_of_loops(tokens: tuple[_Token, ...]) -> dict[int, tuple[_Redirection, ...]]:
    """The redirections behind the ``done`` of each loop, by the position of its first word."""
    found: dict[int, tuple[_Redirection, ...]] = {}
    opened: list[int] = []
    for position, token in enumerate(tokens):
        bare = token.bare if isinstance(token, _RawWord) else None
        if bare not in _LOOPS and bare != "done":
            continue
        if not _begins_command(tokens, position):
            continue
        if bare != "done":
            opened.append(position)
        elif opened:
            behind = takewhile(lambda one: isinstance(one, _Redirection), tokens[position + 1 :])
            found[opened.pop()] = tuple(one for one in behind if isinstance(one, _Redirection))
    return found


def _begins_command(tokens: tuple[_Token, ...], position: int) -> bool:
    before = tokens[position - 1] if position else _Operator("\n")
    if isinstance(before, _RawWord):
        return before.bare in _LEADING
    return isinstance(before, _Operator)


def _bare(tokens: tuple[_Token, ...], position: int) -> str:
    token = tokens[position] if position < len(tokens) else None
    return (token.bare or "") if isinstance(token, _RawWord) else ""


def _operator(tokens: tuple[_Token, ...], position: int) -> str:
    token = tokens[position] if position < len(tokens) else None
    return token.text if isinstance(token, _Operator) else ""


def _flat(parts: tuple[_Part, ...]) -> Iterator[_Part]:
    for part in parts:
        if isinstance(part, _Packed):
            yield from part.parts
        else:
            yield part


def _variable_name(part: _Part) -> str:
    if part.kind != "variable":
        return ""
    found = _NAME.match(part.text.lstrip("{"))
    return found[0] if found else ""


def _assignment(word: _RawWord) -> bool:
    if not word.parts or word.parts[0].kind != "text" or word.parts[0].quoted:
        return False
    return bool(_ASSIGNMENT.match(word.parts[0].text))


def joined_path(directory: str | None, word: Word) -> Word:
    """An absolute path of a file argument; not ``known`` when it cannot be told."""
    text = word.text.removeprefix("file://")
    if not word.known or (directory is None and not text.startswith("/")):
        return replace(word, known=False)
    joined = posixpath.normpath(posixpath.join(directory or "/", text))
    return Word(re.sub(r"\A/+", "/", joined))


def known_text(word: Word | None) -> str | None:
    return word.text if word is not None and word.known else None
