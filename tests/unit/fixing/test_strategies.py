"""Every way to mend a Dockerfile: a project where it is offered, and one where something stands
between and there are only words.

The rows are the strategies of the page ``docs/fixes.md``. The model has tried each offered text:
``asked`` raises where the patched project does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from drafts import mended, site_of

from pytest_dockercache.fixing.contents import (
    Hidden,
    Waste,
    without_bytecode,
    without_caches,
    without_hidden,
)
from pytest_dockercache.fixing.reinstalling import Rewriting
from pytest_dockercache.model import Edit

FILES = {
    "requirements.txt": "click\n",
    "src/main.py": "1\n",
    "run.sh": "#!/bin/sh\nexec python\n",
    "data/model.bin": "x",
    "docs/a.md": "x",
}
PROJECT = "[project]\nname = 'a'\nversion = '1'\ndependencies = ['six']\n"
DYNAMIC = "[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n"
INSTALL = "RUN pip install -r requirements.txt\n"
LABS = "# syntax=docker/dockerfile:1.7-labs\n"

Question = Edit | Hidden | tuple[Waste, ...] | tuple[str, ...] | str
"""What a check found: an edit that installs again, hidden bytes, waste; a text is a path."""


@dataclass(frozen=True)
class Row:
    """``before`` becomes ``after``; of ``blocked`` (with ``files``) only ``words`` are said."""

    before: str
    after: str
    blocked: str
    words: str
    asked: Question = "src/main.py"
    asked_blocked: Question | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    files_blocked: Mapping[str, str] = field(default_factory=dict)


ROWS: Mapping[str, Row] = {
    "the inputs before the installation": Row(
        before=f"WORKDIR /app\nCOPY . .\n{INSTALL}",
        after=f"WORKDIR /app\nCOPY requirements.txt ./\n{INSTALL}COPY . .\n",
        blocked=f"WORKDIR /app\nCOPY . .\n{INSTALL}",
        files_blocked={"requirements.txt": "-e .\n", "setup.py": ""},
        words=r"requirements\.txt installs a part of the project itself \(-e \.\): install it",
    ),
    "the inputs with all that they include": Row(
        before="WORKDIR /app\nCOPY . .\nRUN pip install -r deps/prod.txt\n",
        after="WORKDIR /app\nCOPY deps/prod.txt deps/\nCOPY limits.txt ./\n"
        "RUN pip install -r deps/prod.txt\nCOPY . .\n",
        files={"deps/prod.txt": "-c ../limits.txt\nsix\n", "limits.txt": "six<2\n"},
        blocked="WORKDIR /app\nCOPY . .\nRUN pip install -r deps/prod.txt\n",
        files_blocked={"deps/prod.txt": "-r ../src/all.txt\n", "src/all.txt": "six\n"},
        asked_blocked="src/all.txt",
        words=r"line 4 reads /app/src/all\.txt, which line 3 brings: separate what it reads",
    ),
    "a COPY below, with its users": Row(
        before=f"WORKDIR /app\nCOPY run.sh /run.sh\nRUN chmod +x /run.sh\n"
        f"COPY requirements.txt .\n{INSTALL}",
        after=f"WORKDIR /app\nCOPY requirements.txt .\n{INSTALL}"
        "COPY run.sh /run.sh\nRUN chmod +x /run.sh\n",
        asked="run.sh",
        blocked=f"WORKDIR /app\nCOPY run.sh /run.sh\nRUN sh /run.sh\n"
        f"COPY requirements.txt .\n{INSTALL}",
        files_blocked={"run.sh": "#!/bin/sh\napt-get install -y gcc\n"},
        words=r"line 4 and line 6 both touch|line 6|line 4 reads",
    ),
    "an ARG below, with the ENV and the LABEL that use it": Row(
        before="ARG SHA=dev\nENV VERSION=$SHA\nLABEL sha=$VERSION\n"
        f"COPY requirements.txt .\n{INSTALL}",
        after=f"COPY requirements.txt .\n{INSTALL}"
        "ARG SHA=dev\nENV VERSION=$SHA\nLABEL sha=$VERSION\n",
        asked=Edit.build_arg("SHA"),
        blocked="ARG SHA=dev\nRUN pip install click==$SHA\n",
        words=r"line 3 uses SHA: separate that from the installation",
    ),
    "several at once": Row(
        before=f"WORKDIR /app\nCOPY docs docs\nCOPY src src\nCOPY requirements.txt .\n{INSTALL}",
        after=f"WORKDIR /app\nCOPY requirements.txt .\n{INSTALL}COPY docs docs\nCOPY src src\n",
        asked=("src/main.py", "docs/a.md"),
        blocked="WORKDIR /app\nCOPY docs docs\nCOPY src src\n"
        "RUN cd src && pip install six\nCOPY requirements.txt .\n" + INSTALL,
        words=r"line 5 works in /app/src, which only line 4 makes",
    ),
    "the installation above": Row(
        before="WORKDIR /app\nCOPY . .\nRUN chmod +x run.sh\nRUN pip install six\n",
        after="WORKDIR /app\nRUN pip install six\nCOPY . .\nRUN chmod +x run.sh\n",
        blocked="WORKDIR /app\nCOPY . .\nRUN make it\nRUN pip install six\n",
        words=r"line 4 runs make, and what that reads is not known: separate it from line 3",
    ),
    "a RUN that installs dependencies and project in two": Row(
        before="WORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt -e .\n",
        after="WORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\n"
        "COPY . .\nRUN pip install -e .\n",
        files={"setup.py": ""},
        blocked="WORKDIR /app\nCOPY . .\n"
        "RUN V=$(cat requirements.txt) && pip install -r requirements.txt && cp src/main.py $V\n",
        words=r"cp \$V: which path that is, is not known: separate it from line 3",
    ),
    "uv sync in two calls": Row(
        before="WORKDIR /app\nCOPY . .\nRUN uv sync --locked\n",
        after="WORKDIR /app\nCOPY pyproject.toml uv.lock ./\n"
        "RUN uv sync --no-install-project --locked\nCOPY . .\nRUN uv sync --locked\n",
        files={"pyproject.toml": PROJECT, "uv.lock": ""},
        blocked="WORKDIR /app\nCOPY . .\nRUN uv sync --locked\n",
        files_blocked={"pyproject.toml": DYNAMIC, "uv.lock": ""},
        words=r"pyproject\.toml",
    ),
    "uv sync of a workspace in two calls": Row(
        before="WORKDIR /w\nCOPY pyproject.toml uv.lock ./\nCOPY packages packages\n"
        "RUN uv sync --frozen\n",
        after="WORKDIR /w\nCOPY pyproject.toml uv.lock ./\n"
        "COPY packages/api/pyproject.toml packages/api/\n"
        "RUN uv sync --no-install-workspace --frozen\n"
        "COPY packages packages\nRUN uv sync --frozen\n",
        files={
            "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
            "uv.lock": "",
            "packages/api/pyproject.toml": PROJECT,
            "packages/api/api.py": "1\n",
        },
        asked="packages/api/api.py",
        blocked="WORKDIR /w\nCOPY . .\nRUN uv sync --locked --package api\n",
        files_blocked={
            "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
            "uv.lock": "",
            "packages/api/pyproject.toml": DYNAMIC,
            "packages/api/api.py": "1\n",
        },
        words=r"pyproject\.toml",
    ),
    "poetry install in two calls": Row(
        before="WORKDIR /app\nCOPY . .\nRUN poetry install --only main\n",
        after="WORKDIR /app\nCOPY poetry.lock pyproject.toml ./\n"
        "RUN poetry install --no-root --only main\nCOPY . .\nRUN poetry install --only main\n",
        files={"pyproject.toml": "[tool.poetry]\nname = 'a'\n", "poetry.lock": ""},
        blocked="WORKDIR /app\nCOPY . .\nRUN poetry install\n",
        files_blocked={
            "pyproject.toml": "[tool.poetry]\nname = 'a'\n"
            "[tool.poetry.dependencies]\nb = { path = 'src', develop = true }\n",
            "poetry.lock": "",
        },
        words=r"pyproject\.toml installs a part of the project itself",
    ),
    "pdm sync in two calls": Row(
        before="WORKDIR /app\nCOPY . .\nRUN pdm sync --prod\n",
        after="WORKDIR /app\nCOPY pdm.lock pyproject.toml ./\n"
        "RUN pdm sync --no-self --prod\nCOPY . .\nRUN pdm sync --prod\n",
        files={"pyproject.toml": PROJECT, "pdm.lock": ""},
        blocked="WORKDIR /app\nCOPY . .\nRUN pdm sync\n",
        files_blocked={"pyproject.toml": DYNAMIC, "pdm.lock": ""},
        words=r"pyproject\.toml",
    ),
    "a mount of what only one RUN reads": Row(
        before="COPY requirements.txt /r/\nRUN pip install -r /r/requirements.txt && rm -rf /r\n",
        after="RUN --mount=type=bind,source=requirements.txt,target=/r/requirements.txt "
        "pip install -r /r/requirements.txt\n",
        asked=Hidden(2, 3, "/r", "deletes"),
        blocked="COPY requirements.txt /r/\nRUN ls /r\n"
        "RUN pip install -r /r/requirements.txt && rm -rf /r\n",
        asked_blocked=Hidden(2, 4, "/r", "deletes"),
        words=r"line 4 deletes what line 2 copies: leave it out where it comes from",
    ),
    "a mount of the files instead of their directory": Row(
        before="RUN --mount=type=bind,target=/s pip install -r /s/requirements.txt\nCOPY . /app\n",
        after="RUN --mount=type=bind,source=requirements.txt,target=/s/requirements.txt "
        "pip install -r /s/requirements.txt\nCOPY . /app\n",
        blocked="RUN --mount=type=bind,target=/s cd /s && pip install -r requirements.txt\n",
        words=r"line 2 mounts the directory that the edit is in: mount only the files",
    ),
    "an argument behind the installation of its RUN": Row(
        before=f"ARG SHA=dev\nCOPY requirements.txt .\n{INSTALL[:-1]} && echo $SHA > /version\n",
        after=f"COPY requirements.txt .\n{INSTALL}ARG SHA=dev\nRUN echo $SHA > /version\n",
        asked=Edit.build_arg("SHA"),
        blocked="ARG SHA=dev\nCOPY requirements.txt .\n"
        "RUN pip install --config-settings=v=$SHA -r requirements.txt && echo $SHA > /version\n",
        words=r"line 4 uses SHA: separate that from the installation",
    ),
    "a deletion joined to the RUN that made the bytes": Row(
        before="RUN dd of=/big\nCOPY src /src\nRUN rm /big\n",
        after="RUN dd of=/big \\\n    && rm /big\nCOPY src /src\n",
        asked=Hidden(2, 4, "/big", "deletes"),
        blocked="RUN dd of=/big\nCOPY src /src\nRUN cp /src/main.py /x && rm /big\n",
        asked_blocked=Hidden(2, 4, "/big", "deletes"),
        words=r"needs line 3 between them \(/src/main\.py\): separate the two parts of line 4",
    ),
    "a clean joined to the RUN that filled the cache": Row(
        before="RUN conda install -y six\nENV A=b\nRUN conda clean -afy\n",
        after="RUN conda install -y six \\\n    && conda clean -afy\nENV A=b\n",
        asked=Hidden(2, 4, "/opt/conda/pkgs", "deletes"),
        blocked="RUN conda install -y six\nUSER app\nRUN conda clean -afy\n",
        asked_blocked=Hidden(2, 4, "/opt/conda/pkgs", "deletes"),
        words=r"needs line 3 between them \(user\)",
    ),
    "COPY --chown instead of a RUN": Row(
        before="COPY data /app/data\nRUN chown -R 7:7 /app/data\n",
        after="COPY --chown=7:7 data /app/data\n",
        asked=Hidden(2, 3, "/app/data", "changes"),
        blocked="COPY data /app/data\nRUN useradd app && chown -R app:app /app/data\n",
        words=r"set the owner while copying, not in line 3",
    ),
    "COPY --chmod instead of a RUN": Row(
        before="COPY data /app/data\nRUN chmod -R 755 /app/data\n",
        after="COPY --chmod=755 data /app/data\n",
        asked=Hidden(2, 3, "/app/data", "changes"),
        blocked="COPY data /app/data\nRUN chmod -R u+x /app/data\n",
        words=r"set the mode while copying, not in line 3",
    ),
    "COPY --exclude": Row(
        before="WORKDIR /app\nCOPY . .\nRUN rm -rf data\n",
        after="WORKDIR /app\nCOPY --exclude=data . .\n",
        asked=Hidden(4, 5, "/app/data", "deletes"),
        blocked="WORKDIR /app\nCOPY . .\nRUN cp data/model.bin /m\nRUN rm -rf data\n",
        asked_blocked=Hidden(4, 6, "/app/data", "deletes"),
        words=r"line 6 deletes what line 4 copies: leave it out where it comes from",
    ),
    "a narrower COPY": Row(
        before="COPY requirements.txt run.sh /app/\nRUN rm /app/run.sh\n",
        after="COPY requirements.txt /app/\n",
        asked=Hidden(2, 3, "/app/run.sh", "deletes"),
        blocked="COPY requirements.txt run.sh /app/\nRUN sh /app/run.sh\nRUN rm /app/run.sh\n",
        asked_blocked=Hidden(2, 4, "/app/run.sh", "deletes"),
        words=r"line 4 deletes what line 2 copies: leave it out where it comes from",
    ),
    "a deletion in the stage that the files come from": Row(
        before="RUN pip wheel -w /w six\nFROM debian\nCOPY --from=0 /w /w\nRUN rm /w/a.whl\n",
        after="RUN pip wheel -w /w six \\\n    && rm /w/a.whl\nFROM debian\nCOPY --from=0 /w /w\n",
        asked=Hidden(4, 5, "/w", "deletes"),
        blocked="RUN pip wheel -w /w six\nFROM debian AS a\nCOPY --from=0 /w /v\n"
        "FROM debian\nCOPY --from=0 /w /w\nRUN rm /w/a.whl\n",
        asked_blocked=Hidden(6, 7, "/w", "deletes"),
        words=r"line 7 deletes what line 6 copies: leave it out where it comes from",
    ),
    "no UV_COMPILE_BYTECODE": Row(
        before="ENV UV_COMPILE_BYTECODE=1\nRUN uv sync\n",
        after="RUN uv sync\n",
        asked=(Waste(3, "/app/.venv"),),
        blocked="ENV UV_COMPILE_BYTECODE=1\nRUN uv sync && python -m compileall /app\n",
        words=r"line 3 compiles on purpose \(compileall\): leave that out",
    ),
    "the removal of bytecode by the RUN that makes it": Row(
        before="RUN pip install six\n",
        after="RUN pip install six \\\n    && find /usr/lib -name '*.pyc' -delete\n",
        asked=(Waste(2, "/usr/lib"),),
        blocked='RUN ["pip", "install", "six"]\n',
        words=r"the RUN in line 2 has to do .find /usr/lib -name",
    ),
    "the removal of bytecode in another stage": Row(
        before="RUN python -m venv /v\nFROM debian\nCOPY --from=0 /v /v\n",
        after="RUN python -m venv /v \\\n    && find /v/lib -name '*.pyc' -delete\n"
        "FROM debian\nCOPY --from=0 /v /v\n",
        asked=(Waste(4, "/v/lib"),),
        blocked="COPY src /v/lib/\nFROM debian\nCOPY --from=0 /v /v\n",
        words=r"remove it in the stage that line 4 copies from",
    ),
    "the removal of caches by the RUN that fills them": Row(
        before="RUN npm ci\n",
        after="RUN npm ci \\\n    && rm -rf /root/.npm\n",
        asked=(Waste(2, "/root/.npm", "npm"),),
        blocked="RUN npm ci &\n",
        words=r"the RUN in line 2 has to do .rm -rf /root/\.npm. at its end",
    ),
    "the removal of caches in another stage": Row(
        before="RUN conda create -n x\nFROM debian\nCOPY --from=0 /opt/conda /opt/conda\n",
        after="RUN conda create -n x \\\n    && conda clean --all --force-pkgs-dirs --yes\n"
        "FROM debian\nCOPY --from=0 /opt/conda /opt/conda\n",
        asked=(Waste(4, "/opt/conda/pkgs", "conda"),),
        blocked="RUN conda create -n x\nFROM debian\nCOPY --from=0 /opt/conda/p* /opt/conda/\n",
        words=r"remove it in the stage that line 4 copies from",
    ),
    "a heredoc in two": Row(
        before="ARG SHA=dev\nCOPY requirements.txt .\nRUN <<EOT\nset -e\n"
        "pip install -r requirements.txt\necho $SHA > /version\nEOT\n",
        after="COPY requirements.txt .\nRUN <<EOT\nset -e\npip install -r requirements.txt\nEOT\n"
        "ARG SHA=dev\nRUN <<EOT\nset -e\necho $SHA > /version\nEOT\n",
        asked=Edit.build_arg("SHA"),
        blocked="ARG SHA=dev\nCOPY requirements.txt .\nRUN <<EOT\nset -e\nif true; then\n"
        "pip install -r requirements.txt\nfi\necho $SHA > /version\nEOT\n",
        words=r"line 4 uses SHA: separate that from the installation",
    ),
    "a line more in a heredoc": Row(
        before="RUN <<EOT\nset -e\nnpm ci\nEOT\n",
        after="RUN <<EOT\nset -e\nnpm ci\nrm -rf /root/.npm\nEOT\n",
        asked=(Waste(2, "/root/.npm", "npm"),),
        blocked="RUN <<EOT python3\nimport x\nEOT\n",
        words=r"the RUN in line 2 has to do .rm -rf /root/\.npm. at its end",
    ),
}


def answered(directory: Path, text: str, files: Mapping[str, str], asked: Question) -> Rewriting:
    """What is offered for a Dockerfile in a project, for what a check found."""
    head, rest = (LABS, text) if "data/model.bin" in files and "rm -rf data" in text else ("", text)
    dockerfile = f"{head}FROM debian\n{rest}"
    if isinstance(asked, (str, Edit)):
        return mended(directory, dockerfile, files, asked)
    if isinstance(asked, tuple) and isinstance(asked[0], str):
        return mended(directory, dockerfile, files, *map(str, asked))
    site = site_of(directory, dockerfile, files)
    if isinstance(asked, Hidden):
        return without_hidden(site, [asked])
    waste = [item for item in asked if isinstance(item, Waste)]
    change = without_bytecode if waste[0].kind == "bytecode" else without_caches
    return change(site, waste)


@pytest.mark.parametrize("name", ROWS)
def test_a_strategy_is_offered_where_nothing_stands_between(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    found = answered(tmp_path, row.before, {**FILES, **row.files}, row.asked)
    assert found.text is not None, found.words
    assert found.text.partition("FROM debian\n")[2] == row.after, found.text
    assert found.words


@pytest.mark.parametrize("name", ROWS)
def test_where_something_stands_between_there_are_words(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    asked = row.asked if row.asked_blocked is None else row.asked_blocked
    found = answered(tmp_path, row.blocked, {**FILES, **row.files_blocked}, asked)
    assert found.text is None, found.text
    assert re.search(row.words, found.words[0]), found.words
    # Words are no instructions that look as if somebody had tried them.
    assert not re.match(r"(move|join|append|drop|COPY|add)\b", found.words[0])
