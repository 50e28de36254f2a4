"""The build arguments that an environment may depend on, and those that must not matter to it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace

from ..dockerfile.instructions import declared, heredoc_mark, is_predefined
from ..dockerfile.syntax import Instruction, PlannedStep
from ..regexes import regex
from ..shell.running import step_commands
from ..values import dataclass
from .doubtful import runs_a_download
from .ground import Ground
from .reads import ReadText
from .tools import runner_of

__all__ = [
    "ArgumentUse",
    "BuildArguments",
    "RunTexts",
    "arguments_of",
    "declared_names",
    "until_last_install",
]


@dataclass(frozen=True)
class ArgumentUse:
    """Why an environment step may depend on a build argument.

    ``line`` is the first line of the instruction that uses the argument;
    ``file`` the context path of an input or script that names it, "" where
    the instruction itself does.
    """

    line: int
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}, which line {self.line} reads," if self.file else f"line {self.line}"


@dataclass(frozen=True)
class BuildArguments:
    """The declared build arguments, by how the environment may depend on them.

    ``judged`` maps each argument that must not matter to the first lines of the environment steps
    that must stay hits when it changes; ``used`` maps an argument that an environment step may
    depend on to its first use. ``reaching`` are the judged arguments that are in the scope of a RUN
    on which such an environment step stands: the builder is expected to run that RUN again.
    ``naming`` are arguments that name the source, image, user or directory of a COPY, ADD, FROM,
    USER or WORKDIR: an invented value may not build.
    """

    judged: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    used: Mapping[str, ArgumentUse] = field(default_factory=dict)
    reaching: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()


def declared_names(instruction: Instruction) -> tuple[str, ...]:
    """The build arguments that an ARG declares.

    Builders take the words of a comment behind an ARG for more arguments, which nobody means:
    everything from the first word that is no identifier on is left out.
    """
    names: list[str] = []
    for name, _ in declared(instruction):
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            break
        names.append(name)
    return tuple(names)


@dataclass(frozen=True)
class RunTexts:
    """The texts that the RUNs read beside their own.

    ``files`` maps the first line of a RUN to the context paths of inputs and scripts that it reads,
    ``read_text`` gives their texts; ``reads_variable(name, text)`` says whether a package manager
    that the commands in ``text`` call reads the variable by itself. ``only_tools`` are the first
    lines of the environment steps that install nothing but tools.
    """

    files: Mapping[int, Collection[str]]
    read_text: ReadText
    reads_variable: Callable[[str, str], bool]
    only_tools: frozenset[int] = frozenset()


def arguments_of(
    plan: Sequence[PlannedStep],
    grounds: Sequence[Ground],
    installing: Mapping[int, str],
    reading: RunTexts,
) -> BuildArguments:
    """Tell the build arguments that must not matter from those that the environment may need.

    ``installing`` maps the first line of each environment step to its text up
    to the last install command (see :func:`until_last_install`).

    A use is an expansion in a RUN, COPY, ADD, USER or WORKDIR at or above an environment step,
    directly or through an ENV. Three kinds of expansion are no use: one that only passes the value
    on (ENV, LABEL), one behind the last install command of a RUN, and one in a RUN of another stage
    that only writes the value into a file which is copied and which nothing at or above the install
    mentions. An argument that nothing expands may be read by its name, or may be declared so that
    the steps below it run again.
    """
    scopes = _scopes(plan)
    names: dict[str, None] = {}
    for step in plan:
        if step.instruction.keyword == "ARG":
            names.update(dict.fromkeys(declared_names(step.instruction)))
    from_bases = _of_bases(plan)
    tools = {ground.step.line for ground in grounds if ground.step.line in reading.only_tools}
    silent = names.keys() - _expanded(plan, scopes)
    by_name = {**_read_by_name(plan), **_made_to_miss(plan, silent)}
    naming = _naming(plan, scopes)
    judged: dict[str, tuple[int, ...]] = {}
    used: dict[str, ArgumentUse] = {}
    reaching: set[str] = set()
    uses = {
        ground.step.line: {
            **_read_by_downloads(ground, scopes, silent),
            **_uses(ground, scopes, installing, reading),
        }
        for ground in grounds
    }
    exposed = {ground.step.line: _exposed(ground, scopes) for ground in grounds}
    for name in names:
        if name in from_bases or is_predefined(name):
            continue
        if name in by_name:
            used[name] = by_name[name]
            continue
        free = tuple(line for line, found in uses.items() if name not in found)
        if len(free) < len(uses):
            # An argument of a later install may stand above the install of that install's tools.
            free = tuple(line for line in free if line not in tools)
        if free:
            judged[name] = free
            if any(name in exposed[line] for line in free):
                reaching.add(name)
        found = [found[name] for found in uses.values() if name in found]
        if found:
            used[name] = min(found, key=lambda use: (use.line, use.file))
    return BuildArguments(judged, used, frozenset(reaching), frozenset(naming))


_REFERENCE = regex(r"\$(?:\{[#!]?(\w+)|(\w+))")

_EXPANDING = frozenset({"COPY", "ADD", "USER", "WORKDIR", "SHELL"})

_Scope = Mapping[str, frozenset[str]]
"""For each variable: the build arguments whose values it carries."""


_ASKED = regex(
    r"""(?:environ(?:\.get)?|getenv|process\.env|\bENV)\s*[\[(.]\s*["']?(\w+)"""
    r"""|\bprintenv\s+(\w+)|(?:\[|\btest)\s+-v\s+(\w+)"""
)
"""How programs, and commands of a shell, ask for a variable by its name."""


def _references(text: str) -> set[str]:
    found = (*_REFERENCE.findall(text), *_ASKED.findall(text))
    return {name for names in found for name in names if name}


def _carried(text: str, scope: _Scope) -> set[str]:
    """The build arguments that a text expands, directly or through variables."""
    return {name for variable in _references(text) for name in scope.get(variable, ())}


def _scopes(plan: Sequence[PlannedStep]) -> dict[int, _Scope]:
    """The variables that each step of a plan can expand, by the identity of the step."""
    ends: dict[int, dict[str, frozenset[str]]] = {}
    scopes: dict[int, _Scope] = {}
    arguments: set[str] = set()
    current: dict[str, frozenset[str]] = {}
    for step in plan:
        instruction = step.instruction
        index = step.stage.index
        if instruction.keyword == "FROM" or index not in ends:
            parent = step.stage.parent
            current = dict(ends.get(parent, {})) if parent is not None else {}
            arguments = set()
        # An ENV of a stage that another is built from stays; its arguments do not.
        scopes[id(step)] = dict(current)
        if instruction.keyword == "ARG":
            for name, value in declared(instruction):
                if name not in current or name in arguments:
                    current[name] = frozenset({name, *_carried(value or "", current)})
                    arguments.add(name)
        elif instruction.keyword == "ENV":
            for name, value in declared(instruction):
                current[name] = frozenset(_carried(value or "", scopes[id(step)]))
                arguments.discard(name)
        ends[index] = {name: value for name, value in current.items() if name not in arguments}
    return scopes


def _read_by_name(plan: Sequence[PlannedStep]) -> dict[str, ArgumentUse]:
    """The arguments with a path or an address for a default that nothing ever expands.

    Such an argument can only be meant for a command that reads its environment (``ARG
    UDUNITS2_XML_PATH=/usr/share/…`` for the build of a wheel).
    """
    texts = "\n".join(_whole(step) for step in plan)
    expanded = _references(texts)
    return {
        name: ArgumentUse(step.line)
        for step in plan
        if step.instruction.keyword == "ARG"
        for name, default in declared(step.instruction)
        if default is not None and "/" in default and name not in expanded
    }


_BREAKING = regex(
    r"(BUST|BREAK|SKIP|INVALIDATE|RESET|FORCE|NO)_?CACHE\w*|FORCE_RE(BUILD|INSTALL)\w*"
    r"|CACHE_?(BUST\w*|BREAK\w*|INVALIDAT\w*|DATE|EPOCH|ID|KEY|STAMP|TIMESTAMP|VERSION|REV\w*)"
)
"""Names of arguments whose only use is that another value runs the steps below again."""


def _expanded(plan: Sequence[PlannedStep], scopes: Mapping[int, _Scope]) -> set[str]:
    """The arguments that something other than an ARG or ENV expands, directly or not."""
    return {
        name
        for step in plan
        if step.instruction.keyword not in ("ARG", "ENV")
        for name in _carried(_whole(step), scopes[id(step)])
    }


def _made_to_miss(plan: Sequence[PlannedStep], silent: Collection[str]) -> dict[str, ArgumentUse]:
    """The arguments that are declared so that the steps below run again (``ARG CACHEBUST``).

    Only the author knows whether the install below is meant too. ``silent``
    are the arguments that nothing expands.
    """
    return {
        name: ArgumentUse(step.line)
        for step in plan
        if step.instruction.keyword == "ARG"
        for name in declared_names(step.instruction)
        if _BREAKING.fullmatch(name.upper()) and name in silent
    }


_CHOOSING = regex(r"(?:\w+_)?(?:VER|VERSION|CHANNEL|TOOLCHAIN)")


def _read_by_downloads(
    ground: Ground, scopes: Mapping[int, _Scope], silent: Collection[str]
) -> dict[str, ArgumentUse]:
    """The arguments by which a downloaded script may be told what to install.

    The name of such an argument says that its value is a version, and nothing in the Dockerfile
    expands the argument (``silent``): a program must read it from its environment (``NXF_VER`` for
    Nextflow's script, ``RUSTUP_TOOLCHAIN``).
    """
    found: dict[str, ArgumentUse] = {}
    for step in ground.steps:
        if step.instruction.keyword == "RUN" and any(
            map(runs_a_download, step_commands(step, runner_of))
        ):
            for variable, names in scopes[id(step)].items():
                if _CHOOSING.fullmatch(variable):
                    for name in names.intersection(silent):
                        found.setdefault(name, ArgumentUse(step.line))
    return found


def _of_bases(plan: Sequence[PlannedStep]) -> set[str]:
    """The arguments of FROM: another value is another base image."""
    found: set[str] = set()
    for stage in {step.stage.index: step.stage for step in plan}.values():
        found |= _references(stage.from_.text)
    return found


def _naming(plan: Sequence[PlannedStep], scopes: Mapping[int, _Scope]) -> set[str]:
    found: set[str] = set()
    for step in plan:
        if step.instruction.keyword in _EXPANDING:
            found |= _carried(step.instruction.text, scopes[id(step)])
    return found


def _exposed(ground: Ground, scopes: Mapping[int, _Scope]) -> set[str]:
    """The arguments whose values are in the cache keys of an environment step's ground."""
    found: set[str] = set()
    for step in ground.steps:
        scope = scopes[id(step)]
        if step.instruction.keyword == "RUN":
            found |= {name for names in scope.values() for name in names}
        elif step.instruction.keyword in _EXPANDING:
            found |= _carried(_expanding(step), scope)
    return found


def _uses(
    ground: Ground,
    scopes: Mapping[int, _Scope],
    installing: Mapping[int, str],
    reading: RunTexts,
) -> dict[str, ArgumentUse]:
    """The arguments that one environment step may depend on, each with its first use."""
    found: dict[str, ArgumentUse] = {}
    for step in ground.steps:
        scope = scopes[id(step)]
        names: set[str] = set()
        if step.instruction.keyword == "RUN":
            said = installing.get(step.line)
            text = _without_comments(said if said is not None else _whole(step))
            names = _carried(text, scope)
            if _INDIRECT.search(text):
                names |= _carried_by_name(text, scope)
            if step in ground.apart and names:
                names -= _only_stamped(step, ground, scope)
            if said is not None:
                files = map(reading.read_text, reading.files.get(step.line, ()))
                ran = "\n".join((said, *filter(None, files)))
                names |= {
                    name
                    for variable, carried in scope.items()
                    if reading.reads_variable(variable, ran)
                    for name in carried
                }
            for path in reading.files.get(step.line, ()):
                text = reading.read_text(path) or ""
                if _MAKEFILE.search(path):
                    text = re.sub(r"\$\((\w+)\)", r"${\1}", text)
                elif path.endswith("pom.xml"):
                    text = text.replace("${env.", "${")
                for name in _named_in(text, scope):
                    found.setdefault(name, ArgumentUse(step.line, path))
        elif step.instruction.keyword in _EXPANDING:
            names = _carried(_expanding(step), scope)
        for name in names:
            found.setdefault(name, ArgumentUse(step.line))
    return found


_INDIRECT = regex(r"\$\{!\w|\b(?:declare|local|typeset)\s+-\w*n\w*\s")
"""An expansion of a variable whose name another variable holds."""


def _carried_by_name(text: str, scope: _Scope) -> set[str]:
    """The build arguments of the variables that a text names as words."""
    words = scope.keys() & set(re.findall(r"\w+", text))
    return {name for variable in words for name in scope[variable]}


_COMMENT = regex(
    r"""(?P<quoted>\\.|'[^']*'|"(?:\\.|[^"\\])*")|(?P<before>^|[\s;&|(])\#[^\n]*""",
    re.DOTALL | re.MULTILINE,
)


def _without_comments(script: str) -> str:
    """A shell's script without its comments; a ``#`` in quotes begins none."""
    return _COMMENT.sub(lambda found: found["quoted"] or found["before"] or "", script)


def _whole(step: PlannedStep) -> str:
    bodies = (heredoc.body for heredoc in step.instruction.heredocs)
    return "\n".join((step.instruction.text, *bodies))


_MAKEFILE = regex(r"(^|/)(GNUm|m|M)akefile$|\.(mk|mak|(cs|fs|vb)proj|props|targets)$")
"""Files in which ``$(NAME)`` is a variable of the environment: make's, and those of MSBuild."""


def _expanding(step: PlannedStep) -> str:
    """The text of a COPY, ADD, USER or WORKDIR in which the builder expands variables."""
    bodies = (heredoc.body for heredoc in step.instruction.heredocs if heredoc.expand)
    return "\n".join((step.instruction.text, *bodies))


def _named_in(text: str, scope: _Scope) -> set[str]:
    """The arguments that a file refers to, by ``$NAME`` or as a quoted name; comments are none."""
    code = re.sub(r"(^|\s)#.*", r"\1", text)
    quoted = set(re.findall(r"""["'](\w+)["']""", code))
    variables = (_references(code) | quoted) & scope.keys()
    return {name for variable in variables for name in scope[variable]}


_STAMP = regex(r"""(?:echo|printf)\s[^|<>;&]*>\s*["']?(?P<file>/?[\w./-]+)["']?\s*""")


def _only_stamped(step: PlannedStep, ground: Ground, scope: _Scope) -> set[str]:
    """The arguments that a RUN of another stage only writes into a file that nobody reads.

    The file is copied by itself, so that its content is all that comes of the
    argument, and neither the install nor a RUN above it mentions its name.
    """
    stamped: set[str] = set()
    other: set[str] = set()
    for part in re.split(r"&&|;|\n", re.sub(r"^RUN\s+(--\S+\s+)*", "", _whole(step))):
        found = _STAMP.fullmatch(part.strip())
        if found is not None and _is_copied_alone(found["file"], step, ground):
            stamped |= _carried(part, scope)
        else:
            other |= _carried(part, scope)
    return stamped - other


_CONFIGURES = regex(
    r"/etc/.*|(.*/)?(\.[^/]*|[^/]*\.(conf|cfg|ini|toml|ya?ml|json|sh|env|pth|list|in|lock))"
)


def _is_copied_alone(written: str, step: PlannedStep, ground: Ground) -> bool:
    path = posixpath.normpath(posixpath.join(step.workdir or "/", written))
    name = posixpath.basename(path)
    copies = [
        (other, transfer)
        for other in ground.steps
        for transfer in other.transfers
        if transfer.origin == step.stage.index
        and any(_at_or_above(source, path) for source in transfer.sources)
    ]
    if not copies or _CONFIGURES.fullmatch(path):
        return False
    for _, transfer in copies:
        target = posixpath.normpath(transfer.destination)
        if transfer.kind == "bind" or _CONFIGURES.fullmatch(target):
            return False
        if any("/" + source.strip("/") != path for source in transfer.sources):
            return False
    mentions = (other for other in ground.steps if other.instruction.keyword == "RUN")
    return not any(name in _whole(other) for other in mentions if other is not step)


def _at_or_above(source: str, path: str) -> bool:
    place = "/" + source.strip("/")
    return path == place or path.startswith(place.rstrip("/") + "/") or "*" in place


def until_last_install(step: PlannedStep, installs: Callable[[PlannedStep], bool]) -> str:
    """The text of an environment step up to its last install command.

    ``installs`` says whether a step with only a part of the text installs. The result is the whole
    text where no single part does.
    """
    whole = _whole(step)
    if step.instruction.heredocs and not heredoc_mark(step.instruction.value):
        return whole  # A command of the RUN reads the heredoc, perhaps the install command.
    between = list(_between_commands(whole))
    ends = [start for start, _ in between] + [len(whole)]
    starts = [0, *(end for _, end in between)]
    for position, (start, end) in reversed(list(enumerate(zip(starts, ends, strict=True)))):
        part = whole[start:end].strip().removeprefix("RUN ").strip()
        if part and installs(_with_text(step, part)):
            closing = (_CLOSING.match(whole, further) for further in starts[position + 1 :])
            return whole[: max([end, *(found.end() for found in closing if found)])]
    return whole


_CLOSING = regex(r"\s*(?:done|fi|esac|\})\b[^;&|\n]*")
"""The end of a loop or condition, with its redirections (``done < packages.txt``)."""

_SHELL_TEXT = regex(r"\b(?:ba|da|z|k|a)?sh\s(?:.*\s)?-\w*c\s+\Z")


def _between_commands(script: str) -> Iterator[tuple[int, int]]:
    """Where the commands of a script are separated: not inside of quotes or ``$(…)``.

    The text of ``sh -c "…"`` counts as a script.
    """
    depth, quote, outer = 0, "", ""
    position = 0
    while position < len(script):
        char = script[position]
        if char == "\\" and quote != "'":
            position += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char == outer:
            outer = ""
        elif char in "\"'`":
            if not outer and _SHELL_TEXT.search(
                script[script.rfind("\n", 0, position) + 1 : position]
            ):
                outer = char
            else:
                quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            found = re.compile(r"&&|\|\||;|\n").match(script, position)
            if found is not None:
                yield found.span()
                position = found.end()
                continue
        position += 1


def _with_text(step: PlannedStep, text: str) -> PlannedStep:
    instruction = replace(step.instruction, text=f"RUN {text}", value=text, heredocs=())
    return replace(step, instruction=instruction, expanded=f"RUN {text}")
