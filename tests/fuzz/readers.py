"""Every reader of foreign text, by name: its input, and the call.

A reader may refuse its input with an error of the package, or with an exception that its docstring
promises; anything else is a finding.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import corpus
from hypothesis import strategies as st
from layer_maker import (
    Member,
    add,
    conda,
    config_of,
    dist,
    docker_archive,
    index,
    oci_blobs,
    oci_index,
    tar_of,
)
from mutations import changed_bytes, changed_text, changed_value

from pytest_dockercache.cache_home import cache_home
from pytest_dockercache.context.declared import declared_contexts
from pytest_dockercache.context.digests import Digests
from pytest_dockercache.context.ignore import IgnoreRules
from pytest_dockercache.definitions.compose import compose_services
from pytest_dockercache.definitions.development import development_target
from pytest_dockercache.dockerfile import parse_dockerfile, plan, resolve_stage
from pytest_dockercache.dockerfile.expansion import Lexer, SubstitutionError, expand, split_words
from pytest_dockercache.engines.buildkit import line_in
from pytest_dockercache.engines.cache_records import claimed, parse_usage
from pytest_dockercache.engines.classic import Transcript, numbered
from pytest_dockercache.engines.progress import RawJson, decode_trace
from pytest_dockercache.engines.vertices import Observation
from pytest_dockercache.environments.comparison import compare_environments, matches
from pytest_dockercache.environments.documents import check_environment_file
from pytest_dockercache.environments.installed import Environment, Package, environment
from pytest_dockercache.environments.locks import LockFormat, format_of, lock_requirements
from pytest_dockercache.environments.match_specs import parse_spec
from pytest_dockercache.environments.pins import python_pins
from pytest_dockercache.environments.requirements import parse_requirements, read_requirements
from pytest_dockercache.environments.steps import unrecognised_installs
from pytest_dockercache.environments.tools import recognised, runner_of
from pytest_dockercache.errors import DockerCacheError
from pytest_dockercache.image import LayerStore, open_image
from pytest_dockercache.image.replay import replay
from pytest_dockercache.presentable import presentable
from pytest_dockercache.records import Durations, read_record
from pytest_dockercache.runs import Run
from pytest_dockercache.shell.makefile import recipe_of
from pytest_dockercache.shell.running import script_commands, step_commands

__all__ = ["READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """One reader: a strategy for its input, the call, and further exceptions of the call."""

    given: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    refuses_with: tuple[type[Exception], ...] = ()

    def try_it(self, value: Any) -> None:
        """Call the reader; an error that it may raise is no finding."""
        with contextlib.suppress(DockerCacheError, *self.refuses_with):
            self.read(value)


def _decoded(text: str) -> str:
    """A text as files give it: bytes that are no UTF-8 have become U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _dockerfile(text: str) -> None:
    parsed = parse_dockerfile(text)
    steps = plan(parsed, None, {"V": "1"}, all_stages=True)
    unrecognised_installs(steps)
    for step in steps:
        for command in step_commands(step, runner_of):
            recognised(command, step)


def _words(text: str) -> None:
    variables = {"A": "x y", "B": ""}
    expand(text, variables)
    split_words(text)
    Lexer().references(text)


def _script(text: str) -> None:
    for step in plan(parse_dockerfile("FROM a\nRUN x\n"))[-1:]:
        for command in script_commands(text, "/app", {"A": "b"}, runner_of):
            recognised(command, step)


def _ignore(content: bytes) -> None:
    rules = IgnoreRules.parse(content, Path(".dockerignore"))
    for path in corpus.PATHS:
        rules.excludes(path)
        rules.deciding_line(path)


_INSTALLED = Environment(
    "/opt/conda",
    (
        Package("python", "3.10.14", "h0_0", "conda-forge", "conda"),
        Package("zlib", "1.3", "h0_1", "conda-forge", "conda"),
        Package("flask", "3.0.0", "", "", "pip"),
    ),
    {},
    (),
    ("python3.10",),
    "3.10.14",
)


def _requirements(name: str, specs: bool, text: str) -> None:
    wanted = parse_requirements(text, Path("/nowhere") / name, specs=specs, variables={"A": "b"})
    matches(wanted, _INSTALLED)


def _file(name: str, content: bytes) -> None:
    """Everything that is asked of an environment file on disk."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        for own in corpus.beside(name).parent.glob("pyproject.toml"):
            shutil.copy(own, directory)
        path.write_bytes(content)
        for ask in (
            check_environment_file,
            python_pins,
            lambda path: matches(read_requirements(path, context=path.parent), _INSTALLED),
        ):
            with contextlib.suppress(DockerCacheError):
                ask(path)


def _lock(name: str, document: Any) -> None:
    """A lock's values, past the library that reads the text."""
    form = format_of(Path(name))
    if form is None:
        text = json.dumps(document).replace("Infinity", ".inf")
        matches(parse_requirements(text, corpus.beside(name)), _INSTALLED)
        return
    if not isinstance(document, dict):
        return  # The result of a TOML reader is a table.
    given = LockFormat(lambda text, path: document, form.resolve)
    matches(lock_requirements("", corpus.beside(name), given, None), _INSTALLED)


def _project_of(name: str, content: bytes) -> None:
    """A project that was changed, beside the honest lock that was made of another."""
    lock = corpus.beside(name)
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(lock, directory)
        (Path(directory) / "pyproject.toml").write_bytes(content)
        matches(read_requirements(Path(directory) / lock.name), _INSTALLED)


def _declared(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / name).write_bytes(content)
        declared_contexts(Path(directory) / "Dockerfile", [Path(directory)])
        if name.endswith(".yaml"):
            compose_services((Path(directory) / name,))
        elif name.endswith("container.json"):
            development_target(Path(directory) / name)


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _raw_json(text: str) -> None:
    decoder = RawJson()
    observation = Observation(plan(parse_dockerfile(corpus.dockerfiles()[-1])), {})
    for line in text.splitlines(keepends=True):
        observation.take(decoder.feed(line))
    observation.take(decoder.end())
    _asked(observation)
    line_in(text)


def _raw_values(value: Any) -> None:
    _raw_json(json.dumps(value) + "\n" + json.dumps(value, indent=1) + "\n")


def _asked(observation: Observation) -> None:
    observation.steps()
    observation.steps(ended=True)
    observation.starting()
    observation.made()
    observation.failure()


def _trace(content: bytes) -> None:
    import base64

    observation = Observation(plan(parse_dockerfile(corpus.dockerfiles()[-1])), {})
    observation.take(decode_trace(base64.b64encode(content).decode()))
    _asked(observation)


def _transcript(value: tuple[str, Sequence[str]]) -> None:
    parsed = parse_dockerfile(value[0])
    stages = {stage.index: stage.label for stage in parsed.stages}
    found = Transcript(numbered(parsed, resolve_stage(parsed, None).index), stages, {})
    for now, text in enumerate(value[1]):
        found.take(text, float(now))
    assert found.steps() is not None
    assert found.made() is not None
    assert found.log is not None


def _archive(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "image.tar"
        path.write_bytes(content)
        image = open_image(path, cache=LayerStore(Path(directory) / "store"))
        view = image.view
        for prefix in ("/opt/conda", "/opt/conda/envs/app", "/"):
            environment(view, prefix)


def _packages(value: tuple[Sequence[tuple[str, bytes]], bytes]) -> None:
    """The installed packages by conda's records and by the metadata of distributions."""
    members: list[Member] = [conda("python", "3.10.14"), dist("flask", "3.0.0")]
    with contextlib.suppress(ValueError, tarfile.TarError):
        members += [add(name, content) for name, content in value[0]]
        found = environment(replay([index(tar_of(members))]), "/opt/conda/envs/app")
        compare_environments(found, _INSTALLED)


@contextlib.contextmanager
def _own_home() -> Iterator[Path]:
    former = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "DOCKER_HOST")}
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_CACHE_HOME"] = f"{directory}/cache"
        os.environ["DOCKER_HOST"] = f"unix://{directory}/nobody"
        try:
            yield Path(directory)
        finally:
            for name, value in former.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _journal(text: str) -> None:
    with _own_home() as home:
        precious = home / "precious"
        precious.mkdir()
        staged = cache_home() / "staging"
        (staged / "a").mkdir(parents=True)
        dead = cache_home() / "runs" / "0123456789ab"
        dead.mkdir(parents=True)
        dead.with_name("0123456789ab.alive").touch()
        told = text.replace("STAGING", str(staged)).replace("PRECIOUS", str(precious))
        # No command of docker is started for it: this reader takes longer than all others.
        told = told.replace("buildx", "buildkit")
        (dead / "journal").write_text(told, "utf-8", "surrogatepass")
        run = Run.start()
        run.sweep()
        run.finish()
        assert precious.is_dir()
        assert staged.is_dir()


def _kept(value: bytes) -> None:
    """The files that earlier runs kept, damaged."""
    with _own_home() as home:
        path = home / "kept.json"
        path.write_bytes(value)
        read_record(path)
        (step,) = Observation(plan(parse_dockerfile("FROM a\nRUN x\n")), {}).steps()
        Durations(path).of(step, alone=True)
        Digests(path)


def _encoded(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def _toml(value: Any) -> bytes:
    """A table as TOML, as far as it has values that TOML has."""
    out = io.StringIO()
    _table(out, (), value if isinstance(value, dict) else {})
    return out.getvalue().encode("utf-8", "surrogatepass")


def _table(out: io.StringIO, name: tuple[str, ...], value: Mapping[Any, Any]) -> None:
    for key, item in value.items():
        out.write(f"{json.dumps(str(key))} = {_inline(item)}\n")


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key))} = {_inline(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if value is None:
        return '""'
    if isinstance(value, float):
        return "inf"
    return json.dumps(value)


def _archives() -> tuple[bytes, ...]:
    first = tar_of([add("opt/", b""), add("opt/a", b"1" * 600), conda("python", "3.10.14")])
    second = tar_of([add("opt/.wh.a"), dist("flask", "3.0.0"), add("é" * 60, b"x")])
    third = tar_of(
        [add("l", kind=tarfile.SYMTYPE, link="opt"), add("h", kind=tarfile.LNKTYPE, link="l")],
        tarfile.GNU_FORMAT,
    )
    layers = [first, second, third]
    blobs, descriptor = oci_blobs(layers)
    return (docker_archive(layers), tar_of(oci_index(blobs, [descriptor])), docker_archive([first]))


def _config_archive(config: Any) -> bytes:
    return docker_archive([tar_of([add("a", b"1")])], config=_as_json(config))


def _layer_archive(content: bytes) -> bytes:
    """An archive whose digests are right, whatever the layer is."""
    return docker_archive([content])


def _layers() -> tuple[bytes, ...]:
    members = [
        add("opt/", b""), add("opt/a", b"1" * 600), add("opt/.wh.b"), add("é" * 60, b"x"),
        add("l", kind=tarfile.SYMTYPE, link="opt"), add("h", kind=tarfile.LNKTYPE, link="opt/a"),
        conda("python", "3.10.14"), dist("flask", "3.0.0"), add("p/" * 80 + "f", b"y"),
    ]  # fmt: skip
    return tuple(tar_of(members, form) for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))


_META = "opt/conda/envs/app/conda-meta/zlib-1.3-h0.json"
_DIST = "opt/conda/envs/app/lib/python3.10/site-packages/x-1.0.dist-info/"


def _package_files() -> st.SearchStrategy[tuple[list[tuple[str, bytes]], bytes]]:
    record = json.loads(conda("zlib", "1.3", files=["lib/z.so"], depends=["python"])[1])
    meta = b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\nRequires-Dist: y\n\nbody\n"
    url = {"url": "file:///x", "archive_info": {"hashes": {"sha256": "a" * 64}}, "dir_info": {}}
    files = st.one_of(
        st.tuples(st.just(_META), changed_value((record,)).map(_as_json)),
        st.tuples(st.just(_META), changed_bytes((_as_json(record),))),
        st.tuples(st.just(_DIST + "METADATA"), changed_bytes((meta,))),
        st.tuples(st.just(_DIST + "direct_url.json"), changed_value((url,)).map(_as_json)),
        st.tuples(st.just("opt/conda/envs/app/pyvenv.cfg"), changed_bytes((b"home = /usr\n",))),
        st.tuples(changed_text((_META, _DIST + "RECORD")).map(lambda n: n[:300]), st.just(b"{}")),
    )
    return st.tuples(st.lists(files, min_size=1, max_size=4), st.just(b""))


def _values(name: str) -> st.SearchStrategy[Any]:
    return changed_value(corpus.locks()[name])


def _told(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(record.get("stream") or "") for record in records]


def _streams() -> st.SearchStrategy[tuple[str, list[str]]]:
    texts = [text for records in corpus.api_records() for text in _told(records) if text]
    line = st.one_of(st.sampled_from(texts), changed_text(texts))
    return st.tuples(st.sampled_from(corpus.dockerfiles()), st.lists(line, max_size=60))


def _traces() -> tuple[bytes, ...]:
    import base64

    return tuple(
        base64.b64decode(record["aux"])
        for records in corpus.api_records()
        for record in records
        if record.get("id") == "moby.buildkit.trace"
    )


_STATUS = {
    "vertexes": [
        {"digest": "sha256:a", "name": "[2/3] RUN x", "inputs": ["sha256:b"], "cached": True,
         "started": "2026-01-01T00:00:00.5Z", "completed": "2026-01-01T00:00:01+02:00",
         "error": "process did not complete: exit code: 1"},
        {"digest": "sha256:b", "name": "[internal] load build context"},
    ],
    "logs": [{"vertex": "sha256:a", "data": "aGVsbG8=", "timestamp": "2026-01-01T00:00:00Z"}],
}  # fmt: skip

_USAGE = (
    "ID:\t\tabc\nCreated at:\t2026-11-22 12:10:44.9 +0000 UTC\nMutable:\tfalse\nSize:\t\t1.5MB\n"
    "Description:\tmount / from exec /bin/sh -c x\n\nID: b\nSize: 1B\n",
)
_TRACES = [[["since", 1], ["until", 2], ["name", "x"], ["command", "x"]]]

READERS: Mapping[str, Reader] = {
    "Dockerfile": Reader(changed_text(corpus.dockerfiles()).map(_decoded), _dockerfile),
    "words": Reader(
        changed_text(("a ${A:-b} 'c d' \"e$B\" \\f $$ ${B+x}${A#*x} <<E", "$A${B/x/y}")),
        _words,
        (SubstitutionError,),
    ),
    "shell": Reader(changed_text(corpus.SCRIPTS), _script),
    "Makefile": Reader(
        changed_text(corpus.MAKEFILES), lambda text: recipe_of(text, ["all"], {"R": "r.txt"})
    ),
    ".dockerignore": Reader(changed_bytes(corpus.IGNORE_FILES), _ignore),
    "environment.yml": Reader(
        changed_text(corpus.ENVIRONMENTS), partial(_requirements, "environment.yml", False)
    ),
    "environment.yml, values": Reader(
        _values("environment.yml"), partial(_lock, "environment.yml")
    ),
    "environment.yml, a file": Reader(
        changed_bytes(tuple(map(_encoded, corpus.ENVIRONMENTS))), partial(_file, "environment.yml")
    ),
    "match spec": Reader(
        changed_text(("conda-forge/linux-64::numpy >=1.2,<2|3.*[build='x*',md5=a]", "a=1=b")),
        parse_spec,
    ),
    "requirements.txt": Reader(
        changed_text(corpus.REQUIREMENTS), partial(_requirements, "requirements.txt", False)
    ),
    "requirements.txt, a file": Reader(
        changed_bytes(tuple(map(_encoded, corpus.REQUIREMENTS))), partial(_file, "requirements.txt")
    ),
    "list of match specs": Reader(
        changed_text(("python=3.10\nnumpy >=1 # x\n",)), partial(_requirements, "specs.txt", True)
    ),
    "@EXPLICIT": Reader(
        changed_text(corpus.EXPLICIT), partial(_requirements, "explicit.txt", False)
    ),
    **{
        f"{name}, values": Reader(_values(name), partial(_lock, name))
        for name in sorted(corpus.locks())
        if name != "environment.yml"
    },
    **{
        f"{name}, a file": Reader(_values(name).map(_toml), partial(_file, name))
        for name in ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
    },
    **{
        f"{name}, a file": Reader(
            st.one_of(
                _values(name).map(_as_json),
                changed_bytes(tuple(map(_as_json, corpus.locks()[name]))),
            ),
            partial(_file, name),
        )
        for name in ("Pipfile.lock", "pixi.lock", "conda-lock.yml")
    },
    "pyproject.toml": Reader(
        st.one_of(
            changed_value(corpus.projects()).map(_toml),
            changed_bytes(tuple(map(_encoded, corpus.PROJECTS))),
        ),
        partial(_file, "pyproject.toml"),
    ),
    **{
        f"pyproject.toml of {name}": Reader(
            changed_value(corpus.projects()).map(_toml), partial(_project_of, name)
        )
        for name in ("poetry.lock", "uv.lock", "pdm.lock")
    },
    "setup.cfg": Reader(
        changed_bytes((b"[options]\npython_requires = >=3.9\n[a]\nb = %(c)s\n",)),
        partial(_file, "setup.cfg"),
    ),
    ".python-version": Reader(
        changed_bytes((b"3.10.14\n# x\ncpython@3.10\n",)), partial(_file, ".python-version")
    ),
    "compose.yaml": Reader(
        st.one_of(
            changed_value((corpus.COMPOSE,)).map(_as_json),
            changed_bytes((_as_json(corpus.COMPOSE),)),
        ),
        partial(_declared, "compose.yaml"),
    ),
    "docker-bake.hcl": Reader(
        changed_bytes((corpus.BAKE.encode(),)), partial(_declared, "docker-bake.hcl")
    ),
    "devcontainer.json": Reader(
        changed_bytes((corpus.DEVCONTAINER.encode(),)), partial(_declared, ".devcontainer.json")
    ),
    "image archive": Reader(changed_bytes(_archives()), _archive),
    "image configuration": Reader(
        changed_value((json.loads(config_of([tar_of([add("a", b"1")])], Labels={"a": "b"})),)).map(
            _config_archive
        ),
        _archive,
    ),
    "layer": Reader(changed_bytes(_layers()).map(_layer_archive), _archive),
    "installed packages": Reader(_package_files(), _packages),
    "rawjson": Reader(changed_text(corpus.raw_outputs()), _raw_json),
    "rawjson, values": Reader(changed_value((_STATUS,)), _raw_values),
    "BuildKit's trace": Reader(changed_bytes(_traces()), _trace, (ValueError,)),
    "classic transcript": Reader(_streams(), _transcript),
    "docker buildx du": Reader(changed_text(_USAGE), parse_usage),
    "traces of a run": Reader(
        changed_value((_TRACES,)),
        lambda value: claimed(value, parse_usage(_USAGE[0])),
        (TypeError, ValueError, LookupError, AttributeError),
    ),
    "journal": Reader(
        st.one_of(
            changed_text(corpus.JOURNAL),
            changed_value((["staging", "PRECIOUS"], ["staging", "STAGING/../../../precious"])).map(
                lambda value: _as_json(value).decode("utf-8", "surrogatepass")
            ),
        ),
        _journal,
    ),
    "kept files": Reader(
        st.one_of(
            changed_value(
                ({"version": 1, "files": [["a", 1, 2, 3, 4, 5, "d"]], "order": 1, "edits": []},)
            ).map(_as_json),
            changed_bytes((b'{"order": 1, "edits": [], "build": null}', b'{"1 RUN x": 5}')),
        ),
        _kept,
    ),
    "presentable": Reader(
        changed_text(("at https://u:p@h/x \x1b[0m http://tok@h ssh://g@h\n",)), presentable
    ),
}
