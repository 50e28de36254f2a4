"""Hypothesis strategies: projects of a small world in which every rule of the cache occurs.

An instruction is generated together with other ways to write it: some mean
the same to a builder, some do not. An edit of the Dockerfile swaps one for
another, so that the oracle, not this module, says which is which.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import bases
from hypothesis import strategies as st
from world import Case, File

from pytest_dockercache.model import Edit

__all__ = ["cases"]

NAMES = {
    "a.txt": File("alpha\n"),
    "b.txt": File("beta\n"),
    "run.sh": File("#!/bin/sh\necho run\n", 0o755),
    "src/main.py": File("print('main')\n"),
    "src/util.py": File("print('util')\n"),
    "src/sub/deep.txt": File("deep\n"),
    "src/sub/.keep": File(""),
    "lib/main.py": File("print('main')\n"),
    "data/one.csv": File("1,2\n"),
    "data/two.csv": File("3,4\n"),
    "data/empty": File(None, 0o755),
    "docs/readme.md": File("# readme\n"),
    ".git/HEAD": File("ref: refs/heads/main\n"),
    "src/__pycache__/main.pyc": File("bytecode"),
    "pack.tar": File("packed", archive=True),
}
LINKS = {
    "link.txt": File(link="a.txt"),
    "src/up.txt": File(link="../b.txt"),
    "linked": File(link="data"),
    "loose.txt": File(link="a.txt"),
}

IGNORES = (
    "",
    ".git\n",
    "*.md\n",
    "**/*.csv\n",
    "docs\n!docs/readme.md\n",
    "**/__pycache__\n.git\n",
    "src/sub\n",
    "*\n!src\n!a.txt\n!b.txt\n!nonce\n!data\n!lib\n!run.sh\n!link*\n!loose.txt\n!pack.tar\n",
    "data/*\n!data/one.csv\n",
    "Dockerfile\n.dockerignore\n",
    "# comment\n\n  docs  \n",
    "**/main.pyc\n!src/__pycache__/main.pyc\n",
)


@dataclass(frozen=True)
class Line:
    """One instruction: how it is written, and other ways to write it."""

    text: str
    others: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


@dataclass
class Stage:
    """One stage while it is generated; ``paths`` are those that are certain to exist in it."""

    name: str | None
    base: str
    has_shell: bool
    lines: list[Line] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    inherited: bool = False


@st.composite
def cases(draw: st.DrawFn, *, classic: bool = False) -> Case:
    """One case: a project of one to three stages and one edit."""
    files = dict(NAMES)
    if draw(st.booleans()):
        files.update(LINKS)
    for path in draw(st.lists(st.sampled_from(sorted(files)), max_size=2, unique=True)):
        if path not in ("a.txt", "b.txt", "src/main.py"):
            del files[path]
    ignore = draw(st.none() | st.sampled_from(IGNORES))
    wanted = draw(st.integers(1, 2 if classic else 3))
    stages: list[Stage] = []
    top: list[Line] = []
    if draw(st.integers(0, 3)) == 0:
        top.append(Line(f"ARG BASE={bases.PLAIN}", (f"ARG BASE={bases.ALIAS}",)))
    for index in range(wanted):
        stages.append(draw(_stages(index, stages, bool(top), files, classic)))
    declared = sorted({name for stage in stages for name in stage.arguments})
    build_args: tuple[tuple[str, str], ...] = ()
    if bool(declared) and draw(st.booleans()):
        build_args = ((draw(st.sampled_from(declared)), "given"),)
    case = Case(
        dockerfile=_text(top, stages),
        files=files,
        ignore=ignore,
        build_args=build_args,
    )
    return draw(_edited(case, top, stages, declared))


def _text(top: list[Line], stages: list[Stage]) -> str:
    lines = [line.text for line in top]
    for stage in stages:
        lines += [line.text for line in stage.lines]
    return "\n".join(lines) + "\n"


@st.composite
def _stages(
    draw: st.DrawFn,
    index: int,
    before: list[Stage],
    has_base: bool,
    files: dict[str, File],
    classic: bool,
) -> Stage:
    options = [bases.PLAIN] * 4 + [bases.OTHER, bases.CONFIGURED]
    if has_base:
        options.append("${BASE}")
    if not classic:
        options.append("scratch")
    options += [stage.name for stage in before if stage.name] * 2
    base = draw(st.sampled_from(options))
    parent = next((stage for stage in before if stage.name == base), None)
    name = draw(st.sampled_from([None, f"s{index}", f"s{index}"]))
    has_shell = parent.has_shell if parent else base != "scratch"
    stage = Stage(name, base, has_shell)
    other_name = f" AS other{index}" if name is None else f" AS {name}"
    froms = [f"from {base}" + (f" as {name}" if name else "")]
    if name is None:
        froms.append(f"FROM {base}{other_name}")
    if base == bases.PLAIN:
        froms.append(f"FROM {bases.ALIAS}" + (f" AS {name}" if name else ""))
    stage.lines.append(Line(f"FROM {base}" + (f" AS {name}" if name else ""), tuple(froms)))
    if parent is not None:
        stage.paths = list(parent.paths)
        stage.arguments = [] if classic else list(parent.arguments)
        stage.variables = list(parent.variables)
        stage.inherited = True
    else:
        # First of all: the steps above it may have been built for another case, on another base,
        # and are hits there (the classic builder counts USER too).
        stage.lines.append(Line("COPY nonce /.n"))
        if base == bases.CONFIGURED:
            stage.lines.append(Line("USER root", ("USER 0",)))
        stage.paths = ["/.n"]
        if stage.has_shell:
            stage.paths.append("/etc/passwd")
    # A step that a later one of another stage can copy from is worth more.
    for _ in range(draw(st.integers(1, 3 if classic else 5))):
        line = draw(_lines(stage, before, files, classic))
        if line is not None:
            stage.lines.append(line)
            stage.paths += [path for path in line.makes if path not in stage.paths]
    return stage


@st.composite
def _lines(
    draw: st.DrawFn, stage: Stage, before: list[Stage], files: dict[str, File], classic: bool
) -> Line | None:
    kinds = ["copy"] * 5 + ["workdir", "env", "env", "arg", "arg", "user", "config", "add"]
    if stage.has_shell:
        kinds += ["run"] * 5 + ["shell"]
        if not classic:
            kinds += ["heredoc", "mount", "mount"]
    if not classic:
        kinds += ["document"]
    sources = [other for other in before if other.paths]
    if sources:
        kinds += ["from"] * 5
    kind = draw(st.sampled_from(kinds))
    number = len(stage.lines)
    if kind == "run":
        return draw(_runs(stage, number, classic))
    if kind == "heredoc":
        return draw(_heredocs(number))
    if kind == "mount":
        return draw(_mounts(stage, before, files, number))
    if kind == "copy":
        return draw(_copies(stage, files, number, classic))
    if kind == "document":
        return draw(_documents(stage, number))
    if kind == "add":
        return draw(_adds(files, number))
    if kind == "from":
        return draw(_froms(before, number, classic))
    if kind == "workdir":
        path = draw(st.sampled_from(["/w", "/w/x", "app", "/w/", "/w/../v", "/"]))
        others = ("/w", "/w/", "w", "/v", "/w/x", "/w/./x")
        return Line(f"WORKDIR {path}", tuple(f"WORKDIR {item}" for item in others))
    if kind == "env":
        name = draw(st.sampled_from(["E1", "E2", "A1", "FLAVOUR"]))
        value = draw(st.sampled_from(["one", "two", "$E1", "${A1:-none}", "$FLAVOUR"]))
        stage.variables.append(name)
        return Line(
            f"ENV {name}={value} E3=x",
            (
                f"ENV {name}={value} E3=y",
                f"ENV E3=x {name}={value}",
                f"ENV {name}={value}\nENV E3=x",
                f"env   {name}={value}    E3=x  ",
                f'ENV {name}="{value}" E3="x"',
                "ENV E3=x",
            ),
        )
    if kind == "arg":
        name = draw(st.sampled_from(["A1", "A2", "HTTP_PROXY"]))
        stage.arguments.append(name)
        default = draw(st.sampled_from([name, f"{name}=d1", f"{name}=d2", f"{name}=$E1"]))
        return Line(f"ARG {default}", (f"ARG {name}=d1", f"ARG {name}=other", f"ARG {name}"))
    if kind == "user":
        return Line("USER root", ("USER 0", "USER 0:0", "USER root:root"))
    if kind == "shell":
        return Line(
            'SHELL ["/bin/sh", "-c"]',
            ('SHELL ["/bin/sh", "-ec"]', 'SHELL ["/bin/busybox","sh","-c"]'),
        )
    text = draw(
        st.sampled_from(
            [
                "LABEL k=v",
                'CMD ["sh"]',
                "CMD echo hi",
                "EXPOSE 80 81",
                "STOPSIGNAL SIGTERM",
                "VOLUME /vol",
                'ENTRYPOINT ["sh"]',
                "HEALTHCHECK NONE",
                "ONBUILD RUN echo triggered",
            ]
        )
    )
    if text.startswith("ONBUILD") and not stage.has_shell:
        text = "LABEL k=v"
    return Line(text, ("LABEL k=w", 'CMD ["sh", "-i"]', "EXPOSE 81 80", "EXPOSE 80 82"))


@st.composite
def _runs(draw: st.DrawFn, stage: Stage, number: int, classic: bool) -> Line:
    out = f"/r{number}"
    body = draw(
        st.sampled_from(
            [
                "echo hi",
                "echo $A1",
                "echo ${E1:-none}",
                "cat /.n",
                "ls /",
                "true && \\\n    echo continued",
                "echo a \\\n# a comment\n  b",
            ]
        )
    )
    text = f"RUN {body} > {out}"
    others = [
        f"RUN {body} >  {out}",
        f"RUN {body} > {out} # comment",
        f"run {body} > {out}",
        f"RUN   {body} > {out}  ",
        f"RUN {body} > {out}x",
        text.replace("\\\n    ", "\\\n  "),
        text.replace("\\\n    ", ""),
        text.replace("# a comment", "# another"),
    ]
    if "\n" not in body and "$" not in body:
        others.append(f'RUN ["/bin/sh", "-c", "{body} > {out}"]')
    if not classic:
        others += [f"RUN --network=default {body} > {out}", f"RUN --network=none {body} > {out}"]
    kept = tuple(item for item in dict.fromkeys(others) if item != text)
    return Line(text, kept, (out,))


@st.composite
def _heredocs(draw: st.DrawFn, number: int) -> Line:
    out = f"/h{number}"
    body = draw(st.sampled_from([f"echo one > {out}", f"# c\necho two > {out}\n"]))
    shape = draw(st.sampled_from(["RUN <<{0}", f"RUN cat <<{{0}} > {out}", "RUN <<-{0}"]))
    shebang = draw(st.booleans()) and "cat" not in shape
    if shebang:
        body = f"#!/bin/sh\n{body}"

    def written(mark: str, text: str) -> str:
        return shape.format(mark) + f"\n{text}\n{mark}"

    return Line(
        written("EOF", body),
        (
            written("END", body),
            written("EOF", body + "\n"),
            written("EOF", body + " # more"),
            written("EOF", "# more\n" + body),
            written("'EOF'", body).replace("\n'EOF'", "\nEOF"),
            written("EOF", "\t" + body),
        ),
        (out,),
    )


_MOUNTS: dict[str, tuple[str, ...]] = {
    "type=bind,source=src,target=/mnt": (
        "type=bind,src=src,dst=/mnt",
        "source=src,target=/mnt",
        "type=bind,source=lib,target=/mnt",
        "type=bind,source=src,target=/mnt,rw",
        "type=bind,source=src,target=/mnt2",
        "type=bind,source=./src/,target=/mnt",
        "type=bind,source=src/sub,target=/mnt",
    ),
    "type=bind,target=/mnt": (
        "type=bind,source=.,target=/mnt",
        "type=bind,source=src,target=/mnt",
    ),
    "type=bind,source=a.txt,target=/mnt": (
        "type=bind,source=b.txt,target=/mnt",
        "type=bind,source=/a.txt,target=/mnt,readonly",
    ),
    "type=cache,target=/mnt": (
        "type=cache,target=/mnt,sharing=locked",
        "type=cache,target=/mnt/",
        "type=cache,target=/mnt,id=one",
        "type=cache,target=/mnt,id=/mnt",
        "type=cache,target=/mnt,mode=0700",
        "type=cache,target=/mnt,ro",
        "type=tmpfs,target=/mnt",
    ),
    "type=cache,id=one,target=/mnt": (
        "type=cache,id=two,target=/mnt",
        "type=cache,id=one,target=/mnt,sharing=private",
        "type=cache,id=one,target=/mnt,uid=5",
    ),
    "type=tmpfs,target=/mnt": (
        "type=tmpfs,target=/mnt,size=1000000",
        "type=tmpfs,target=/mnt2",
    ),
    "type=secret,id=one": (
        "type=secret,id=two",
        "type=secret,id=one,target=/run/x",
        "type=secret,id=one,mode=0400",
        "type=secret,id=one,required=false",
    ),
    "type=ssh": ("type=ssh,id=default", "type=ssh,id=other", "type=ssh,target=/agent"),
}


@st.composite
def _mounts(
    draw: st.DrawFn, stage: Stage, before: list[Stage], files: dict[str, File], number: int
) -> Line:
    out = f"/m{number}"
    command = f"ls /mnt > {out}; true"
    shapes = list(_MOUNTS.items())
    named = [other for other in before if other.name]
    if named:
        other = draw(st.sampled_from(named))
        path = draw(st.sampled_from(other.paths))
        shapes += [
            (f"type=bind,from={other.name},source={path},target=/mnt",
             (f"type=bind,from={other.name},source=/.n,target=/mnt",
              f"type=bind,from={bases.PLAIN},source=/etc,target=/mnt"))
        ] * 4  # fmt: skip
    shape, others = draw(st.sampled_from(shapes))
    second = draw(st.sampled_from(["", "--mount=type=tmpfs,target=/t "]))
    return Line(
        f"RUN {second}--mount={shape} {command}",
        (
            *(f"RUN {second}--mount={item} {command}" for item in others),
            f"RUN --mount={shape} {second}{command}",
            f"RUN {command}",
        ),
        (out,),
    )


_SOURCES = (
    "a.txt",
    "b.txt",
    "src",
    "src/",
    "./src",
    "/src/",
    "src/main.py",
    "src/sub",
    "*.txt",
    "src/*.py",
    "src/*",
    "data",
    "data/*.csv",
    "d*",
    "lib",
    ".",
    "run.sh",
    "link.txt",
    "src/up.txt",
    "linked",
    "linked/one.csv",
    "l*.txt",
    "s*/main.py",
    "nothing*",
)


@st.composite
def _copies(
    draw: st.DrawFn, stage: Stage, files: dict[str, File], number: int, classic: bool
) -> Line:
    source = draw(st.sampled_from(_SOURCES))
    flags = draw(
        st.sampled_from(
            ["", "", "", "--chown=0 ", "--chown=root ", "--chown=user:user "]
            + ([] if classic else ["--chmod=644 ", "--chmod=0755 ", "--link "])
        )
    )
    # Where an earlier step has written is a place to write over it.
    earlier = [path for path in stage.paths if path.startswith("/c")]
    where = draw(
        st.sampled_from([f"/c{number}/", f"c{number}/", f"/c{number}", *(f"{p}/" for p in earlier)])
    )
    if source in ("*.txt", "src/*.py", "src/*", "data/*.csv", "d*", "l*.txt", "s*/main.py"):
        where = where.rstrip("/") + "/"
    if flags == "--chown=user:user " and stage.base == "scratch":
        flags = "--chown=1:1 "
    if not stage.has_shell and "user" in flags:
        flags = ""
    text = f"COPY {flags}{source} {where}"
    plain = f"{flags}{source} {where}"
    others = [
        f'COPY {flags}["{source}", "{where}"]',
        f"copy  {flags}  {source}   {where}",
        f"COPY {flags}./{source.lstrip('/')} {where}",
        f"COPY {flags}{source} {where}y/",
        f"COPY {flags}a.txt {where}",
        f"COPY {flags}a.txt b.txt /c{number}/",
        f"COPY {flags}b.txt a.txt /c{number}/",
        f"ADD {flags}{source} {where}",
        f"COPY --chown=0 {source} {where}",
        f"COPY --chown=root {source} {where}",
        f"COPY --chown=0:0 {source} {where}",
        f"COPY {flags}lib {where}",
        f"COPY {flags}lib/main.py {where}",
        f"COPY {flags}src/main.py {where}",
    ]
    if not classic:
        others += [f"COPY --chmod=644 {source} {where}", f"COPY --chmod=0644 {source} {where}",
                   f"COPY --link {source} {where}"]  # fmt: skip
    if "A1" in stage.arguments and draw(st.booleans()):
        text = f"COPY {flags}{source} /c{number}$A1/"
        plain = text
    base = where.rstrip("/") if where.startswith("/") else ""
    makes: tuple[str, ...] = ()
    if base and plain != text:
        makes = ()
    elif base and source in ("src", "src/", "./src", "/src/"):
        makes = (base, f"{base}/main.py")
    elif base and source in ("a.txt", "b.txt", "run.sh"):
        makes = (f"{base}/{source}",) if where.endswith("/") else (base,)
    elif base and source in ("src/*", "src/*.py"):
        makes = (base,)
    kept = tuple(item for item in dict.fromkeys(others) if item != text)
    return Line(text, kept, makes)


@st.composite
def _documents(draw: st.DrawFn, stage: Stage, number: int) -> Line:
    mark = draw(st.sampled_from(["EOF", "'EOF'", "-EOF"]))
    body = draw(st.sampled_from(["text", "text $A1", "\ttext $E1"]))
    name = mark.strip("'-")
    text = f"COPY <<{mark} /d{number}/\n{body}\n{name}"
    return Line(
        text,
        (
            f"COPY <<{mark} /d{number}/\n{body} more\n{name}",
            f"COPY <<END /d{number}/\n{body}\nEND",
            f"COPY <<{mark} /d{number}/\n\n{body}\n{name}",
            f"COPY <<'EOF' /d{number}/\n{body}\nEOF",
        ),
        (f"/d{number}/{name}",),
    )


@st.composite
def _adds(draw: st.DrawFn, files: dict[str, File], number: int) -> Line:
    source = draw(st.sampled_from(["a.txt", "src", "pack.tar", "*.tar", "data"]))
    if "pack.tar" not in files and "tar" in source:
        source = "a.txt"
    where = f"/a{number}/"
    return Line(
        f"ADD {source} {where}",
        (f"COPY {source} {where}", f"ADD ./{source} {where}", f"ADD b.txt {where}"),
    )


@st.composite
def _froms(draw: st.DrawFn, before: list[Stage], number: int, classic: bool) -> Line:
    index = draw(st.integers(0, len(before) - 1))
    other = before[index]
    names = [str(index)] + ([other.name] * 3 if other.name else [])
    name = draw(st.sampled_from(names))
    path = draw(st.sampled_from(other.paths))
    above = path.rpartition("/")[0]
    if above:
        path = draw(st.sampled_from([path, path, above, f"{above}/*", f"{path[:-1]}*"]))
    spellings = [f"COPY --from={item} {path} /f{number}/" for item in dict.fromkeys(names)]
    others = [
        *spellings,
        f"COPY --from={name} /.n /f{number}/",
        f"COPY --from={name} {path} /f{number}x/",
        f"COPY --from={bases.PLAIN} /etc/passwd /f{number}/",
    ]
    text = f"COPY --from={name} {path} /f{number}/"
    makes = (f"/f{number}",)
    return Line(text, tuple(item for item in others if item != text), makes)


# -- edits


@st.composite
def _edited(
    draw: st.DrawFn, case: Case, top: list[Line], stages: list[Stage], declared: list[str]
) -> Case:
    kinds = ["append", "append", "replace", "create", "delete", "rename", "chmod", "touch"]
    kinds += ["rewrite"] * 6 + ["insert", "remove", "swap", "comment", "ignore", "base"]
    if declared:
        kinds += ["build-arg"] * 3
    kind = draw(st.sampled_from(kinds))
    regular = sorted(p for p, f in case.files.items() if f.content is not None and not f.archive)
    if kind in ("append", "replace", "chmod", "touch", "rename", "delete"):
        path = draw(st.sampled_from(regular))
        if kind == "append":
            return replace(case, kind=kind, edits=(Edit.append(path),))
        if kind == "replace":
            content = case.files[path].content or ""
            if not content:
                return replace(case, kind="append", edits=(Edit.append(path),))
            return replace(case, kind=kind, edits=(Edit.replace(path, content[:2], "zz"),))
        if kind == "chmod":
            target = draw(st.sampled_from([path, path, "src", "data"]))
            modes = [0o755, 0o600, 0o644, 0o4755]
            present = case.files[path].mode
            if target in ("src", "data"):
                modes, present = [mode | 0o700 for mode in modes], 0o755
                kind = "chmod of a directory"
            mode = draw(st.sampled_from([mode for mode in modes if mode != present]))
            return replace(case, kind=kind, edits=(Edit.chmod(target, mode),))
        if kind == "touch":
            return replace(case, kind=kind, edits=(Edit.touch(path),))
        if kind == "rename":
            old = draw(st.sampled_from([path, path, "src", "src/sub"]))
            there = draw(st.sampled_from(["moved", "src/moved.py", "z.txt", "data/moved.csv"]))
            return replace(case, kind=kind, edits=(Edit.rename(old, there),))
        old = draw(st.sampled_from([path, path, path, "src/sub", "data"]))
        return replace(case, kind=kind, edits=(Edit.delete(old),))
    if kind == "create":
        path = draw(
            st.sampled_from(
                ["new.txt", "src/new.py", "src/sub/new", "data/three.csv", ".git/new", "new/x",
                 "src/__pycache__/x.pyc", "docs/more.md"]
            )
        )  # fmt: skip
        return replace(case, kind=kind, edits=(Edit.create(path),))
    if kind == "build-arg":
        name = draw(st.sampled_from(declared))
        value = draw(st.sampled_from([None, "d1", "d2", "", "given"]))
        return replace(case, kind=kind, edits=(Edit.build_arg(name, value),))
    if kind == "base":
        image = draw(st.sampled_from([bases.OTHER, bases.ALIAS, bases.PLAIN]))
        return replace(case, kind=kind, edits=(Edit.base(image),))
    if kind == "ignore":
        text = draw(
            st.sampled_from(["src/sub\n", "*.txt\n!a.txt\n!b.txt\n", "data/two.csv\n", "docs\n"])
        )
        if case.ignore is None:
            return replace(case, kind=kind, edits=(Edit.create(".dockerignore", text),))
        return replace(case, kind=kind, edits=(Edit.append(".dockerignore", text),))
    text = draw(_rewritten(kind, top, stages))
    return replace(case, kind=f"dockerfile {kind}", edits=(Edit.dockerfile(text),))


@st.composite
def _rewritten(draw: st.DrawFn, kind: str, top: list[Line], stages: list[Stage]) -> str:
    places: list[tuple[int | None, int]] = [(None, position) for position in range(len(top))]
    places += [
        (index, position)
        for index, stage in enumerate(stages)
        for position in range(len(stage.lines))
        if stage.lines[position].others
    ]
    head = [line.text for line in top]
    bodies = [[line.text for line in stage.lines] for stage in stages]
    if kind == "rewrite" and places:
        index, position = draw(st.sampled_from(places))
        line = top[position] if index is None else stages[index].lines[position]
        other = draw(st.sampled_from(line.others))
        if index is None:
            head[position] = other
        else:
            bodies[index][position] = other
    else:
        index = draw(st.integers(0, len(stages) - 1))
        body = bodies[index]
        # The steps above the copy of the nonce are equal in every case: a new step there may be in
        # the cache since another one.
        first = body.index("COPY nonce /.n") + 1 if "COPY nonce /.n" in body else 1
        if len(body) <= first or kind in ("insert", "comment"):
            extra = "# a comment\n" if kind == "comment" else "LABEL inserted=1"
            if kind == "insert":
                extra = draw(
                    st.sampled_from(
                        [
                            "ENV NEW=1",
                            "ARG NEW=1",
                            "LABEL inserted=1",
                            "COPY a.txt /ins",
                            "WORKDIR /ins",
                        ]
                    )
                )
            body.insert(draw(st.integers(min(first, len(body)), len(body))), extra)
        elif kind == "remove":
            del body[draw(st.integers(first, len(body) - 1))]
        else:
            one = draw(st.integers(first, len(body) - 1))
            other_position = draw(st.integers(first, len(body) - 1))
            body[one], body[other_position] = body[other_position], body[one]
    return "\n".join([*head, *(text for body in bodies for text in body)]) + "\n"
