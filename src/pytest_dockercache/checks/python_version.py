"""``python-version``: ``python --version`` in the image reports the pinned version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from ..context import python_pin
from ..engines import Execution
from ..errors import Unverifiable
from ..image import environment, prefixes, version_matches
from ..inspection import Inspection
from ..rebuild import Subject
from ..runs import RUN_LABEL
from .contents import Contents
from .reading import contents_of
from .verdict import Verdict, broken

__all__ = [
    "expected_python",
    "judge",
    "judge_image",
    "recorded_python",
    "reported_python",
    "satisfies",
    "wrapper",
]

_COMMAND = ("python", "--version")


def judge(subject: Subject) -> Verdict:
    """Hold the conda records and what ``python --version`` reports against the pin."""
    image = subject.image()  # first, because files that are missing make the build fail
    expected, origin = expected_python(subject)
    return judge_image(subject, image, expected, origin)


def judge_image(subject: Subject, image: str, expected: str, origin: str) -> Verdict:
    """Hold the Python of one image against a match spec that stands in ``origin``."""
    try:
        recorded = recorded_python(contents_of(subject, image))
    except Unverifiable:
        # The layers cannot be read or matched to lines; the container still answers.
        recorded = None
        if _is_file(subject):
            raise
    if _is_file(subject):
        return _judge_record(subject, recorded, expected, origin)
    version = reported_python(subject, image)
    if not satisfies(expected, version):
        rows = [f"  image  python --version reports {version}"]
        if recorded is not None:
            rows.append(f"  image  {recorded[0]} comes first on PATH and records {recorded[1]}")
        raise broken(
            f"python is {version}, not {expected}",
            subject=subject,
            rows=[*rows, f"  pinned {expected} in {origin}"],
            why="the environment in the image does not follow the pin, "
            "or another python comes first on PATH",
            fix=f"install python {expected} in the environment and put its bin directory "
            "first on PATH (ENV PATH)",
        )
    if recorded is not None and recorded[1] != version:
        raise Unverifiable(
            f"{recorded[0]} records python {recorded[1]}, but python --version reports {version}: "
            "something else runs under that name"
        )
    return Verdict(f"python {version} satisfies {expected} ({origin})")


def _judge_record(
    subject: Subject, recorded: tuple[str, str] | None, expected: str, origin: str
) -> Verdict:
    """Judge by the conda records alone: an image in a file cannot be run."""
    if recorded is None:
        raise Unverifiable(
            "the image is a file, in which nothing can be run, and no conda record names the "
            "python that comes first on its PATH: load it into a daemon and name it there"
        )
    prefix, version = recorded
    if satisfies(expected, version):
        return Verdict(
            f"python {version} satisfies {expected} ({origin}); from conda-meta, not run"
        )
    raise broken(
        f"python is {version}, not {expected}",
        subject=subject,
        rows=[
            f"  image  {prefix} comes first on PATH and records {version} (conda-meta, not run)",
            f"  pinned {expected} in {origin}",
        ],
        why="the environment in the image does not follow the pin, "
        "or another python comes first on PATH",
        fix=f"install python {expected} in the environment and put its bin directory "
        "first on PATH (ENV PATH)",
    )


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


def satisfies(spec: str, version: str) -> bool:
    """Whether a version satisfies a pin: ``3.1`` is 3.1 and everything below it, never 3.10.

    Raises ConfigError for a pin that cannot be read.
    """
    bare = re.fullmatch(r"\d+(\.\d+)*", spec) is not None
    return version_matches(f"={spec}" if bare else spec, version)


def recorded_python(contents: Contents) -> tuple[str, str] | None:
    """The environment whose ``python`` comes first on the image's PATH, and the version that its
    conda records name; None if there is no such record."""
    view = contents.layers.view
    for directory in contents.layers.config.env.get("PATH", "").split(":"):
        if not directory.startswith("/") or view.resolve(f"{directory}/python") is None:
            continue
        prefix = directory.rstrip("/").removesuffix("/bin")
        if prefix not in prefixes(view):
            return None
        version = environment(view, prefix).python
        return None if version is None else (prefix, version)
    return None


def _is_file(subject: Subject) -> bool:
    return isinstance(subject, Inspection) and subject.is_file


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
