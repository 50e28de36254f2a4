"""``python-version``: ``python --version`` in the image reports the pinned version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ..context import python_pin
from ..engines import Execution
from ..errors import Unverifiable
from ..rebuild import Subject
from ..runs import RUN_LABEL
from .verdict import Check, Verdict, broken

__all__ = ["CHECK", "expected_python", "judge", "judge_image", "reported_python", "wrapper"]

_COMMAND = ("python", "--version")


def judge(subject: Subject) -> Verdict:
    """Run ``python --version`` in the image and hold it against the pin."""
    expected, origin = expected_python(subject)
    image = subject.first().image
    if image is None:
        raise Unverifiable("the build left no image to run python in")
    return judge_image(subject, image, expected, origin)


def judge_image(subject: Subject, image: str, expected: str, origin: str) -> Verdict:
    """Hold the Python of one image against a match spec that stands in ``origin``."""
    version = reported_python(subject, image)
    if not version_matches(expected, version):
        raise broken(
            f"python is {version}, not {expected}",
            subject=subject,
            rows=[
                f"  image  python --version reports {version}",
                f"  pinned {expected} in {origin}",
            ],
            why="the environment in the image does not follow the pin, "
            "or another python comes first on PATH",
            fix=f"install python {expected} in the environment and put its bin directory "
            "first on PATH (ENV PATH)",
        )
    return Verdict(f"python {version} satisfies {expected} ({origin})")


def expected_python(subject: Subject) -> tuple[str, str]:
    """The wanted version as a match spec, and where it stands. Raises Unverifiable."""
    if subject.settings.python:
        return subject.settings.python, "--dockercache-python"
    for file in subject.project.environment_files:
        pin = python_pin(subject.spec.context / file.path)
        if pin:
            return pin, file.path
    raise Unverifiable(
        "no python pin found in an environment file: name the version with "
        "--dockercache-python=3.10"
    )


def reported_python(subject: Subject, image: str) -> str:
    """What ``python --version`` says in a container of the image.

    Raises CacheAssertionError if there is no python to run.
    """
    config = _config(subject.engine.image_config(image))
    entrypoint = _words(config.get("Entrypoint"))
    through = wrapper(entrypoint)
    attempts: list[tuple[tuple[str, ...], tuple[str, ...]]] = [(through, _COMMAND)]
    shell = _words(config.get("Shell"))
    if shell:
        attempts.append((shell, (" ".join(_COMMAND),)))
    tried = []
    for prefix, command in attempts:
        words = (*prefix, *command)
        result = subject.engine.run(
            image, words[1:], entrypoint=words[:1], labels={RUN_LABEL: subject.run.id}
        )
        version = _version(result)
        if version is not None:
            return version
        tried.append(f"  tried  {' '.join(words)}: {_complaint(result)}")
    raise broken(
        "python does not run in the image",
        subject=subject,
        rows=tried,
        why="no python was found on PATH, nor through the image's SHELL",
        fix="put the environment's bin directory on PATH (ENV PATH=/opt/conda/envs/NAME/bin:$PATH)",
    )


def version_matches(spec: str, version: str) -> bool:
    """Whether a version satisfies the version part of a conda match spec.

    ``3.1`` and ``3.1.*`` mean 3.1 and everything below it, never 3.10;
    ``==3.10.4`` is exact; ``,`` joins conditions, ``|`` alternatives. Raises
    Unverifiable for a spec that cannot be read.
    """
    return any(
        all(_condition(part.strip(), version) for part in choice.split(","))
        for choice in spec.split("|")
    )


def _condition(part: str, version: str) -> bool:
    plain = part.removeprefix("=") if not part.startswith("==") else part
    if plain == "*":
        return True
    if re.fullmatch(r"\d+(\.\d+)*(\.\*)?", plain):
        wanted = plain.removesuffix(".*").split(".")
        return version.split(".")[: len(wanted)] == wanted
    try:
        return Version(version) in SpecifierSet(plain, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        raise Unverifiable(
            f"the python pin {part!r} is not a version spec that we can read"
        ) from None


def wrapper(entrypoint: Sequence[str]) -> tuple[str, ...]:
    """The part of an entry point that only prepares an environment; empty if it is an application.

    ``["tini", "--"]``, ``["conda", "run", "-n", "app"]`` and
    ``["/usr/local/bin/_entrypoint.sh"]`` are such; what follows the wrapper's
    own words is the application and left out.
    """
    words = list(entrypoint)
    kept: list[str] = []
    while words:
        name = posixpath.basename(words[0])
        if name in ("tini", "dumb-init", "catatonit"):
            taken = _options(words, values=("-p",))
        elif name in ("conda", "mamba", "micromamba") and words[1:2] == ["run"]:
            taken = 1 + _options(words[1:], values=("-n", "--name", "-p", "--prefix", "--cwd"))
        elif name == "_entrypoint.sh":
            taken = 1
        else:
            break
        kept += words[:taken]
        words = words[taken:]
    return tuple(kept)


def _options(words: Sequence[str], values: Sequence[str]) -> int:
    """How many words a command and its options take; ``values`` are options with a value."""
    position = 1
    while position < len(words) and words[position].startswith("-"):
        if words[position] == "--":
            return position + 1
        position += 2 if words[position] in values else 1
    return min(position, len(words))


def _version(result: Execution) -> str | None:
    found = re.search(r"^Python (\d+(?:\.\w+)+)", f"{result.stdout}\n{result.stderr}", re.MULTILINE)
    return found[1] if result.code == 0 and found else None


def _complaint(result: Execution) -> str:
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {result.code}"


def _config(record: Mapping[str, object]) -> Mapping[str, object]:
    config = record.get("Config")
    return config if isinstance(config, dict) else {}


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


CHECK = Check("python-version", judge, needs="image")
