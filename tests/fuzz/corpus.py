"""The inputs from which the fuzzers start: honest texts and values of every form."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TESTS = Path(__file__).resolve().parents[1]
LOCKS = TESTS / "unit/environments/locks"
RECORDINGS = TESTS / "unit/engines/recordings"
FIXTURES = TESTS.parent / "fixtures"

DOCKERFILES = (
    "# syntax=docker/dockerfile:1\n# escape=\\\nARG V=3.10\nFROM base:${V:-1} AS one\n"
    "WORKDIR /app\nCOPY --chown=1:1 [\"a b\", './c', \"/d/\"]\nRUN --mount=type=cache,target=/x,"
    "id=\"a,b\" <<EOF cat - <<-'B'\npip install -r requirements.txt\nEOF\n\tb\n\tB\n"
    'ENV A="x y" B=\'z\' C=${A:+${V#3}} D=${V/a/b}\nONBUILD RUN make all\nFROM one\n'
    'COPY --from=one --link /a /b\nRUN ["python", "-m", "pip", "install", "."]\nEXPOSE 80/tcp\n'
    "HEALTHCHECK --interval=5s CMD curl localhost\nENTRYPOINT exec \"$0\" \"$@\"\n",
    "FROM scratch\r\nRUN a \\\r\n  # comment\r\n\r\n  && b \\\r\n  | c\r\n"
    "SHELL ['/bin/bash', '-c']\r\n",
)  # fmt: skip

SCRIPTS = (
    "set -ex; if [ -f a ]; then conda env update -f environment.yml && conda clean -afy; fi",
    "for p in a b c; do pip install -q \"$p\" >/dev/null 2>&1 || exit 1; done\ncd /x && make",
    "f() { pip install -r \"$1\"; }; f requirements.txt; case $A in a|b) x;; *) y;; esac",
    "bash -c 'eval \"$(conda shell.bash hook)\" && conda activate app && python -m pip install .'",
    "cat <<EOF | xargs -n 1 pip install\na\n`echo b`\n$(cat c)\nEOF\n"
    "find . -name '*.txt' -exec pip install -r {} +",
    "env A=1 B=\"$((1+2))\" sudo -u x timeout 5 nice pip install ${A:-x} ${B%%.*} $'a\\n' || true",
    "python - <<'E'\nimport subprocess\nsubprocess.run(['pip', 'install', 'x'])\nE",
)  # fmt: skip

MAKEFILES = (
    "PIP ?= pip\nexport X := $(PIP) install\n.PHONY: all\nall: deps | order\n\t@$(X) .\n"
    "deps:\n\t-$(X) -r ${R} \\\n  --no-deps\n%.o: %.c ; cc $<\n",
)

IGNORE_FILES = (
    b"# comment\n*\n!src/**\n**/*.pyc\n/a/b\n[a-z]?\\*x\n**/.git/**\n!/!a\n a b \n**\n[^a]\n",
    b"\xef\xbb\xbf*.tmp\r\nnode_modules\r\n!*.md\n**/a*b*c*d\n",
)

PATHS = ("a", "src/main.py", "a/b/c.pyc", ".git/HEAD", "x" * 300, "a\nb", "a/" * 60 + "b", "é/ü")

ENVIRONMENTS = (
    "name: app\nchannels: [conda-forge]\ndependencies:\n  - python=3.10\n  - numpy>=1.2,<2|>3\n"
    "  - conda-forge::zlib==1.3=h0_1\n  - pip\n  - pip:\n    - -r requirements.txt\n"
    "    - flask[async]>=2 ; python_version < '3.11'\nprefix: /opt/conda/envs/app\n",
    "a: &a [1, 2]\nb: *a\ndependencies:\n- 'python 3.10.*'\n- \"libgcc[version='>=9',build=x*]\"\n",
)

REQUIREMENTS = (
    "# -*- coding: utf-8 -*-\n-i https://u:p@host/simple\nnumpy==1.26.4 --hash=sha256:" + "a" * 64
    + " \\\n    --hash=sha256:" + "b" * 64 + "\n-r other.txt\n-c c.txt\n-e .\n./local[x]\n"
    "pkg @ https://h/pkg-1.0-py3-none-any.whl#egg=pkg\nflask[async]>=2,<3 ; python_version<'3'\n"
    "${TOKEN}pkg\n",
)  # fmt: skip

EXPLICIT = (
    "# platform: linux-64\n@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/"
    "python-3.10.14-hd12c33a_0_cpython.conda#" + "a" * 32 + "\nhttps://c/noarch/tz-2-0.tar.bz2\n",
)

PROJECTS = (
    '[project]\nname = "demo"\nrequires-python = ">=3.9,<3.12"\ndependencies = ["a>=1"]\n'
    '[tool.poetry.dependencies]\npython = "^3.10"\nb = {version = "*", extras = ["x"]}\n'
    '[tool.pixi.dependencies]\npython = "3.10.*"\n'
    '[dependency-groups]\ndev = [{include-group = "x"}]\n',
)

CONDA_LOCK = {
    "version": 1,
    "metadata": {"platforms": ["linux-64"], "sources": ["environment.yml"]},
    "package": [
        {
            "name": name,
            "version": "1.0",
            "manager": manager,
            "platform": "linux-64",
            "dependencies": {"python": ">=3.10"},
            "url": f"https://c/linux-64/{name}-1.0-h0_1.conda",
            "hash": {"md5": "a" * 32, "sha256": "b" * 64},
            "category": "main",
            "optional": False,
        }
        for name, manager in (("python", "conda"), ("zlib", "conda"), ("flask", "pip"))
    ],
}

PIXI_LOCK = {
    "version": 6,
    "environments": {
        "default": {
            "channels": [{"url": "https://c/"}],
            "indexes": ["https://pypi.org/simple"],
            "packages": {
                "linux-64": [
                    {"conda": "https://c/linux-64/python-3.10.14-h0_0.conda"},
                    {"pypi": "https://f/flask-3.0.0-py3-none-any.whl"},
                    {"pypi": "./"},
                ]
            },
        }
    },
    "packages": [
        {"conda": "https://c/linux-64/python-3.10.14-h0_0.conda", "sha256": "a" * 64, "md5": "b"},
        {
            "pypi": "https://f/flask-3.0.0-py3-none-any.whl",
            "name": "flask",
            "version": "3.0.0",
            "sha256": "c" * 64,
            "requires_dist": ["werkzeug>=3"],
        },
        {"pypi": "./", "name": "demo", "version": "0.1", "editable": True},
    ],
}

COMPOSE = {
    "services": {
        "app": {"build": {"context": "..", "dockerfile": "${D:-Dockerfile}"}},
        "b": {"build": "./x"},
    }
}
BAKE = 'target "app" {\n  context = "."\n  dockerfile = "Dockerfile"\n}\n'
DEVCONTAINER = '{// c\n"build": {"dockerfile": "../Dockerfile", "context": "..",}, /* x */}'

JOURNAL = (
    '["engine", ["buildx", null, "daemon:1"]]\n["staging", "STAGING/a"]\n'
    '["traces", ["buildx", "default", [[1, 2, [["RUN x", [1, 2]]]]]]]\n'
    '["engine", ["model", "", ""]]\n',
)


@cache
def dockerfiles() -> tuple[str, ...]:
    """The Dockerfiles above, and those of the samples and the recordings."""
    found = [*FIXTURES.glob("*/Dockerfile"), *RECORDINGS.glob("*.Dockerfile")]
    return (*DOCKERFILES, *(path.read_text("utf-8") for path in sorted(found)))


@cache
def raw_outputs() -> tuple[str, ...]:
    """Recorded outputs of ``--progress=rawjson``, each cut to a length for a fuzzer."""
    found = sorted(RECORDINGS.glob("buildx-*.txt"))
    return tuple(path.read_text("utf-8")[:40_000] for path in found)


@cache
def api_records() -> tuple[tuple[dict[str, Any], ...], ...]:
    """Recorded records of ``POST /build``, of both builders."""
    return tuple(
        tuple(json.loads(line) for line in path.read_text("utf-8").splitlines())[:200]
        for path in sorted(RECORDINGS.glob("*.jsonl"))
    )


@cache
def locks() -> dict[str, tuple[dict[str, Any], ...]]:
    """The documents of locks by the name of their files."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(LOCKS.glob("*/*")):
        if path.name in ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"):
            found.setdefault(path.name, []).append(tomllib.loads(path.read_text("utf-8")))
        elif path.name == "Pipfile.lock":
            found.setdefault(path.name, []).append(json.loads(path.read_text("utf-8")))
    found["conda-lock.yml"] = [CONDA_LOCK]
    found["pixi.lock"] = [PIXI_LOCK]
    found["environment.yml"] = [yaml.safe_load(text) for text in ENVIRONMENTS]
    return {name: tuple(documents) for name, documents in found.items()}


def beside(name: str) -> Path:
    """A path of this name, in the directory of an honest lock of it where there is one."""
    return next(iter(sorted(LOCKS.glob(f"*/{name}"))), Path("/nowhere") / name)


@cache
def projects() -> tuple[dict[str, Any], ...]:
    """The documents of pyproject.toml files."""
    texts = [*PROJECTS, *(p.read_text("utf-8") for p in sorted(LOCKS.glob("*/pyproject.toml")))]
    return tuple(tomllib.loads(text) for text in texts)
