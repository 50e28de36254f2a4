"""An image's history is held against a Dockerfile: which line made which layer, or that none did.

The histories are what builders wrote: BuildKit 0.13 and the classic builder (26.1.5) in
builds, buildah and kaniko as their sources have it.
"""

from __future__ import annotations

import json

import pytest
from layer_maker import config_of

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.errors import Unverifiable
from pytest_dockercache.image import HistoryEntry, ImageConfig, LayerLines, map_layers_to_lines
from pytest_dockercache.image.layers import parse_history


def history(*entries: tuple[str, bool]) -> tuple[HistoryEntry, ...]:
    """History entries; True for a step that made a layer."""
    layers = [b""] * sum(made for _, made in entries)
    document = json.loads(config_of(layers))
    document["history"] = [
        {"created_by": text, **({} if made else {"empty_layer": True})} for text, made in entries
    ]
    return parse_history(ImageConfig(document))


def lines_of(
    dockerfile: str, *entries: tuple[str, bool] | str, shell: tuple[str, ...] = ()
) -> LayerLines:
    """The lines of a Dockerfile's layers; a text alone is a step that made a layer."""
    made = [(entry, True) if isinstance(entry, str) else entry for entry in entries]
    return map_layers_to_lines(history(*made), plan(parse_dockerfile(dockerfile)), shell)


def fits(dockerfile: str, created_by: str, shell: tuple[str, ...] = ()) -> bool:
    """Whether the last instruction of a Dockerfile can have made a layer of this history."""
    steps = plan(parse_dockerfile(dockerfile))[-1:]
    try:
        made = map_layers_to_lines(history(("", True), (created_by, True)), steps, shell)
    except Unverifiable:
        return False
    return set(made.lines) == {1}


DOCKERFILE = """\
FROM base
WORKDIR /
WORKDIR /app
ARG X=1
RUN conda env update
COPY src src
CMD ["x"]
"""
BUILDKIT = [
    ("", True),
    ("ENV LANG=C.UTF-8", False),
    ("COPY conda /opt/conda # buildkit", True),
    ("WORKDIR /", False),
    ("WORKDIR /app", True),
    ("ARG X=1", False),
    ("RUN |1 X=1 /bin/sh -c conda env update # buildkit", True),
    ("COPY src src # buildkit", True),
    ('CMD ["x"]', False),
]
CLASSIC = [
    ("", True),
    ("/bin/sh -c #(nop) COPY dir:1 in /opt/conda ", True),
    ("/bin/sh -c #(nop) WORKDIR /", False),
    ("/bin/sh -c #(nop) WORKDIR /app", False),
    ("/bin/sh -c #(nop)  ARG X=1", False),
    ("|1 X=1 /bin/sh -c conda env update", True),
    ("/bin/sh -c #(nop) COPY dir:2 in src ", True),
    ('/bin/sh -c #(nop)  CMD ["x"]', False),
]


def test_layers_are_mapped_to_lines_from_the_top_on_both_builders() -> None:
    lines = lines_of(DOCKERFILE, *BUILDKIT)
    assert lines.lines == {2: 3, 3: 5, 4: 6}
    assert lines.own == {2, 3, 4}
    assert lines.line(1) is None
    # The classic builder makes no layer for a WORKDIR that is there already.
    assert lines_of(DOCKERFILE, *CLASSIC).lines == {2: 5, 3: 6}


def test_an_image_of_another_dockerfile_is_not_judged_by_this_one() -> None:
    flask = "FROM python:3.12-slim\nRUN pip install flask\n"
    with pytest.raises(Unverifiable) as caught:
        lines_of(flask, *BUILDKIT, "RUN /bin/sh -c echo done > /opt/done # buildkit")
    assert str(caught.value) == (
        "the image was not built from this Dockerfile, as far as its history says: "
        "line 2 is `RUN pip install flask`, "
        "the image's history has `RUN /bin/sh -c echo done > /opt/done` there"
    )
    with pytest.raises(Unverifiable, match=r"line 2 is `COPY a b`, .* has `COPY dir:2 in src`"):
        lines_of("FROM base\nCOPY a b\n", *CLASSIC)


def test_a_history_that_does_not_end_in_the_dockerfiles_steps_is_not_guessed_at() -> None:
    with pytest.raises(Unverifiable, match=r"line 2 is `COPY one .`, .* history has `RUN .1 X=1 "):
        lines_of("FROM base\nCOPY one .\nRUN two\n", *BUILDKIT)
    with pytest.raises(Unverifiable, match="has 1 steps that make layers, the Dockerfile 2"):
        lines_of("FROM base\nCOPY a b\nRUN all of it\n", "RUN all of it")
    with pytest.raises(Unverifiable, match="history has 0 steps"):
        lines_of("FROM base\nCOPY a b\n")


def test_layers_that_were_made_one_are_nobodys_line() -> None:
    # moby's image_squash empties the steps' own entries and appends one of its own.
    squashed = [
        ("", True),
        ("COPY conda /opt/conda # buildkit", True),
        ("/bin/sh -c #(nop) COPY file:1 in . ", False),
        ("/bin/sh -c conda env update", False),
        ("", True),
    ]
    dockerfile = "FROM base\nCOPY a .\nRUN conda env update\n"
    with pytest.raises(Unverifiable, match="layer 3 lies above line 2, and no line made it"):
        lines_of(dockerfile, *squashed)
    # Tools that write one layer for the whole stage give it to its last instruction.
    single = [*squashed[:4], ('/bin/sh -c #(nop)  CMD ["x"]', True)]
    with pytest.raises(Unverifiable, match=r'no line made it \(history: .*CMD \["x"\]\): '):
        lines_of(dockerfile + 'CMD ["x"]\n', *single)


def test_a_history_that_does_not_fit_the_layers_is_none() -> None:
    document = json.loads(config_of([b"", b""]))
    document["history"] = [{"created_by": "RUN one"}]
    assert parse_history(ImageConfig(document)) == ()


# --- the forms in which builders write a step --------------------------------------------------

HEREDOC = "RUN <<EOT\necho a\n# comment $A\necho b > /x\nEOT\n"

WRITTEN = [
    (
        "RUN echo $A ${X} \\\n  # why\n  && echo  b\n",
        "RUN /bin/sh -c echo $A ${X}   && echo  b # buildkit",
    ),
    ("RUN echo $A\n", "RUN |3 A=a b B=two UNSET= /bin/sh -c echo $A # buildkit"),
    ("RUN echo $A\n", "|2 A=9 B=two /bin/sh -c echo $A"),
    ("RUN echo $A\n", "/bin/sh -c echo $A"),
    ("RUN echo $A\n", "RUN echo $A"),
    ("run echo a # b\n", "RUN /bin/sh -c echo a # b # buildkit"),
    ("RUN echo a\\\r\n b\r\n", "RUN /bin/sh -c echo a b # buildkit"),
    ('RUN ["/bin/sh", "-c", "a  b"]\n', "RUN |1 A=9 /bin/sh -c a  b # buildkit"),
    ('RUN ["a", "b"]\n', "RUN a b # buildkit"),
    ('RUN ["a", "b"]\n', '/bin/sh -c ["a", "b"]'),
    ("RUN --mount=type=bind,target=/m cat /m\n", "RUN /bin/sh -c cat /m # buildkit"),
    (
        "RUN --mount=type=bind,target=/m cat /m\n",
        f"|1 A=9 /bin/sh -c --mount=type=bind,target=/m cat /m:{'0a' * 32}|unsetLabel=a",
    ),
    (HEREDOC, "RUN |1 A=9 /bin/sh -c echo a\n# comment $A\necho b > /x\n # buildkit"),
    (HEREDOC, "/bin/sh -c <<EOT\necho a\n# comment $A\necho b > /x"),
    ("RUN <<EOT bash\na\nEOT\n", "RUN /bin/sh -c <<EOT bash\na\nEOT # buildkit"),
    ('RUN <<-"E"\n\t#!/bin/a\n\tb\nE\n', "RUN /bin/sh -c #!/bin/a\nb\n # buildkit"),
    ("RUN <<E\n#!/bin/a\nE\n", "RUN |1 A=9 /bin/sh -c /dev/pipes/E # buildkit"),
    (
        "RUN cat <<A > /n && cat <<B\n1\nA\n2\nB\n",
        "RUN /bin/sh -c cat <<A > /n && cat <<B\n1\nA\n2\nB # buildkit",
    ),
    ("RUN caf\u00e9 \ufffd\n", "RUN /bin/sh -c caf\u00e9 \ufffd\ufffd # buildkit"),
    ("RUN a | grep '#(nop)  CMD'\n", "RUN /bin/sh -c a | grep '#(nop)  CMD' # buildkit"),
    ("COPY a.txt b.txt ./\n", "COPY a.txt b.txt ./ # buildkit"),
    ("COPY a.txt b.txt ./\n", "/bin/sh -c #(nop) COPY multi:59e3 in ./ "),
    ("COPY a.txt b.txt ./\n", "/bin/bash -o pipefail -c #(nop) COPY multi:59e3 in ./ "),
    ("COPY a.txt b.txt ./\n", "/bin/sh -c #(nop) COPY  in ./ |unsetLabel=a|inheritLabels=false"),
    ("COPY a.txt   b.txt ./\n", "COPY a.txt   b.txt ./"),
    ("COPY --from=one --link /one /two\n", "COPY /one /two # buildkit"),
    ("COPY --from=one --link /one /two\n", "COPY --link /one /two # buildkit"),
    ("COPY --chown=1:2 --chmod=600 a b\n", "COPY --chown=1:2 --chmod=600 a b # buildkit"),
    ("COPY --chown=1:2 a b\n", "/bin/sh -c #(nop) COPY --chown=1:2 file:a596 in b "),
    ('COPY ["a", "/with space"]\n', "COPY a /with space # buildkit"),
    ('COPY ["a", "/with space"]\n', "/bin/sh -c #(nop) COPY file:a596 in /with space "),
    ('COPY ["a", "/with space"]\n', 'COPY ["a", "/with space"]'),
    ("COPY $SRC $X/${B:-b}/\n", "COPY src elsewhere/other/ # buildkit"),
    ("COPY $SRC a /x\n", "COPY a /x # buildkit"),
    ("COPY $SRC $X/${B}/\n", "/bin/sh -c #(nop) COPY dir:05e9 in elsewhere/other/ "),
    ("COPY a $X/b\n", "/bin/sh -c #(nop) COPY dir:05e9 in $X/b "),
    ("COPY a '/$X'\n", "COPY a /$X # buildkit"),
    ('COPY <<E <<"F" c /d/\n1\nE\n2\nF\n', "COPY c <<E <<F /d/ # buildkit"),
    ("ADD https://a.b/c?d=e /f\n", "ADD https://a.b/c?d=e /f # buildkit"),
    ("ADD https://a.b/c /f\n", "/bin/sh -c #(nop) ADD 09bd in /f "),
    ("ADD a.tar /arch/\n", "/bin/sh -c #(nop) ADD file:09bd in /arch/ "),
    ("WORKDIR /abs/../norm/\n", "WORKDIR /abs/../norm/"),
    ("WORKDIR /abs/../norm/\n", "/bin/sh -c #(nop) WORKDIR /norm"),
    ("WORKDIR sub\n", "WORKDIR /made/sub"),
    ("WORKDIR sub\n", "/bin/sh -c #(nop) WORKDIR sub"),
    ("WORKDIR ../a/./b\n", "WORKDIR /made/a/b"),
    ("WORKDIR $HOME/app\n", "WORKDIR /root/app"),
    ("WORKDIR /srv/$A/app\n", "/bin/sh -c #(nop) WORKDIR /srv/x/y/app"),
    ("WORKDIR $HOME\n", "WORKDIR /"),
    ("WORKDIR /\n", "WORKDIR /"),
    ('WORKDIR "/q q"\n', "WORKDIR /q q"),
    ("WORKDIR C:\\\\app\n", "WORKDIR /app"),
]


@pytest.mark.parametrize(("instruction", "created_by"), WRITTEN)
def test_a_step_is_known_again_in_every_builders_form(instruction: str, created_by: str) -> None:
    assert fits(f"FROM base\n{instruction}", created_by)


@pytest.mark.parametrize(
    ("instruction", "created_by"),
    [
        ("RUN echo done\n", "RUN /bin/sh -c echo a && echo done # buildkit"),
        ("RUN make\n", "/bin/sh -c apt-get install -y make"),
        ("RUN make\n", "RUN |1 A=9 /bin/sh -c apt-get install -y make # buildkit"),
        ("RUN echo a\n", "RUN /bin/sh -c echo a && echo done # buildkit"),
        ("RUN echo a\n", "COPY echo a # buildkit"),
        ('RUN ["a", "b"]\n', "RUN /bin/sh -c a b # buildkit"),
        (HEREDOC, "RUN |1 A=9 /bin/sh -c echo a\n # buildkit"),
        ("COPY a.txt /x\n", "COPY b.txt /x # buildkit"),
        ("COPY a.txt /x\n", "COPY a.txt /x/ # buildkit"),
        ("COPY a.txt /x\n", "/bin/sh -c #(nop) COPY file:a596 in /y "),
        ("COPY a.txt x\n", "/bin/sh -c #(nop) COPY file:a596 in /opt/x "),
        ("COPY $A /app/$B/x\n", "COPY a /opt/b/x # buildkit"),
        ("COPY a.txt /x\n", "COPY a.txt /opt/x"),
        ("WORKDIR /app\n", "WORKDIR /srv/app"),
        ("WORKDIR app\n", "WORKDIR /srv/other"),
        ("WORKDIR $A/app\n", "WORKDIR /srv/other"),
        ("WORKDIR /\n", "WORKDIR /app"),
    ],
)
def test_a_step_of_another_dockerfile_is_not_taken_for_this_one(
    instruction: str, created_by: str
) -> None:
    assert not fits(f"FROM base\n{instruction}", created_by)


def test_the_shell_before_a_command_may_be_the_dockerfiles_or_the_bases() -> None:
    ours = 'FROM base\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN a\n'
    assert fits(ours, "RUN |1 A=9 /bin/bash -o pipefail -c a # buildkit")
    assert fits(ours, "/bin/bash -o pipefail -c a")
    assert fits(ours, "/bin/sh -c a"), "buildah"
    assert not fits(ours, "/bin/bash -o pipefail -c b; a")
    bases = "FROM mambaorg/micromamba\nRUN a\n"
    script = ("/usr/local/bin/_dockerfile_shell.sh",)
    assert fits(bases, f"RUN |1 A=9 {script[0]} a # buildkit", shell=script)
    assert not fits(bases, f"RUN {script[0]} b -y a # buildkit", shell=script)


def test_a_shell_of_the_base_that_the_dockerfile_replaces_later_is_not_known() -> None:
    dockerfile = 'FROM base\nRUN a\nSHELL ["/bin/zsh", "-c"]\nRUN b\n'
    last = "RUN /bin/zsh -c b # buildkit"
    for shell in ("/bin/bash -o pipefail -c", "/shell.sh", "/bin/sh -c", "|1 A=9 /bin/bash -c"):
        made = lines_of(dockerfile, "", f"RUN {shell} a # buildkit", last, shell=("/bin/zsh", "-c"))
        assert made.lines == {1: 2, 2: 4}, shell
    for shell in ("/bin/sh -c apt install -y", "/bin/bash -c x &&", "|1 A=9 /bin/sh -c apt -y"):
        with pytest.raises(Unverifiable, match="line 2 is `RUN a`"):
            lines_of(dockerfile, "", f"RUN {shell} a # buildkit", last, shell=("/bin/zsh", "-c"))
