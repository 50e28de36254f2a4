"""A patched Dockerfile makes the same image: both are played through on a toy file system."""

from __future__ import annotations

import posixpath
import shlex
from pathlib import Path

from drafts import mended
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

FILES = {
    "requirements.txt": "-r base.txt\n",
    "base.txt": "click\n",
    "run.sh": "#!/bin/sh\n",
    "src/main.py": "1\n",
    "src/conf.cfg": "c\n",
    "data/big.bin": "b\n",
}
STEPS = [
    "COPY . .",
    "COPY src src",
    "COPY src/ ./",
    "COPY data /data",
    "COPY run.sh /run.sh",
    "COPY requirements.txt base.txt ./",
    "COPY base.txt requirements.txt /app/",
    "COPY data/big.bin base.txt",
    "WORKDIR /app",
    "WORKDIR /app/src",
    "WORKDIR /",
    "RUN cp src/conf.cfg /conf.cfg",
    "RUN cat /conf.cfg > /etc/motd",
    "RUN rm /run.sh",
    "RUN chmod +x /run.sh",
    "RUN cp /run.sh /bin/run",
    "RUN mkdir -p /data && touch /data/keep",
    "RUN cat src/main.py > src/copy.py",
    "RUN rm -rf src",
    "RUN sh /run.sh",
    "ARG SHA=a",
    "ENV V=$SHA",
    "RUN echo $SHA > /sha",
    "RUN echo $V > /v",
    "RUN pip install -r requirements.txt",
    "RUN pip install -r requirements.txt && echo $SHA > /app/sha",
    "RUN pip install click",
    "USER 1000",
]


class DoesNotBuildError(Exception):
    """A step names a file that is not there."""


class Toy:
    """The files of an image under construction; a file's value is its content and mode."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.workdir = "/"
        self.user = ""

    def path(self, word: str) -> str:
        return posixpath.normpath(posixpath.join(self.workdir, word))

    def below(self, path: str) -> list[str]:
        head = path.rstrip("/") + "/"
        return [other for other in self.files if other == path or other.startswith(head)]

    def read(self, word: str) -> str:
        if self.path(word) not in self.files:
            raise DoesNotBuildError(word)
        return self.files[self.path(word)]

    def step(self, line: str) -> None:
        keyword, _, rest = line.partition(" ")
        if keyword == "WORKDIR":
            self.workdir = self.path(rest)
        elif keyword == "USER":
            self.user = rest
        elif keyword in ("ARG", "ENV"):
            name, _, value = rest.partition("=")
            self.variables[name] = self.expanded(value)
        elif keyword == "COPY":
            self.copy(shlex.split(rest) if rest[0] != "[" else [])
        elif keyword == "RUN":
            for command in rest.replace("\\\n", " ").split("&&"):
                self.run(command.strip())

    def expanded(self, text: str) -> str:
        for name, value in sorted(self.variables.items(), reverse=True):
            text = text.replace(f"${name}", value)
        return text if "$" not in text else text.partition("$")[0]

    def copy(self, words: list[str]) -> None:
        *sources, destination = words
        place = self.path(destination)
        into = (
            destination.endswith(("/", ".")) or len(sources) > 1 or bool(self.below(place + "/x"))
        )
        for source in sources:
            root = posixpath.normpath(source)
            inside = [p for p in FILES if root == "." or p.startswith(root + "/")]
            if root in FILES:
                name = posixpath.join(place, posixpath.basename(root)) if into else place
                self.files[name] = FILES[root]
            elif inside:
                for path in inside:
                    rest = path if root == "." else posixpath.relpath(path, root)
                    self.files[posixpath.join(place, rest)] = FILES[path]
            else:
                raise DoesNotBuildError(source)

    def run(self, command: str) -> None:
        command, _, target = command.partition(" > ")
        words = shlex.split(command)
        output = ""
        if words[0] == "cat":
            output = self.read(words[1])
        elif words[0] == "echo":
            output = self.expanded(" ".join(words[1:]))
        elif words[0] == "cp":
            self.files[self.path(words[2])] = self.read(words[1])
        elif words[0] == "chmod":
            self.files[self.path(words[2])] = self.read(words[2]) + "+x"
        elif words[0] == "touch":
            self.files[self.path(words[1])] = ""
        elif words[0] == "sh":
            self.read(words[1])
        elif words[:2] == ["rm", "-rf"]:
            for path in self.below(self.path(words[2])):
                del self.files[path]
        elif words[0] == "rm":
            self.read(words[1])
            del self.files[self.path(words[1])]
        elif words[0] == "pip":
            self.files.setdefault("/opt/env", "")
            if "-r" in words:
                listed = self.read("requirements.txt")
                self.files["/opt/env"] += listed + self.read("base.txt")
            else:
                self.files["/opt/env"] += words[-1]
        elif words[0] != "mkdir":
            raise AssertionError(command)
        if target:
            self.files[self.path(target)] = output


def image(text: str) -> tuple[dict[str, str], str, str]:
    toy = Toy()
    for line in text.splitlines()[1:]:
        if line:
            toy.step(line)
    return toy.files, toy.workdir, toy.user


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=9))
def test_what_is_offered_builds_and_makes_the_same_files(
    tmp_path_factory: object, steps: list[str]
) -> None:
    text = "\n".join(["FROM scratch AS made", "WORKDIR /app", *steps]) + "\n"
    assume(any("pip" in step for step in steps))
    try:
        before = image(text)
    except DoesNotBuildError:
        assume(False)
    directory: Path = tmp_path_factory.mktemp("p")  # type: ignore[attr-defined]
    found = mended(directory, text, FILES, "src/main.py", "data/big.bin", "run.sh")
    if found.text is not None:
        assert image(found.text.replace(" \\\n    &&", " &&")) == before, found.text
