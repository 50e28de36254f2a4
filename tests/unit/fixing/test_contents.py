"""The waste in an image: the RUN that removes it, and the files that are not copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import site_of

from pytest_dockercache.fixing.contents import (
    Hidden,
    Waste,
    without_bytecode,
    without_caches,
    without_hidden,
)


def caches(directory: Path, dockerfile: str, *waste: Waste) -> str | None:
    return without_caches(site_of(directory, dockerfile, {"r.txt": "x"}), waste).text


def bytecode(directory: Path, dockerfile: str, *waste: Waste) -> str | None:
    return without_bytecode(site_of(directory, dockerfile, {"r.txt": "x"}), waste).text


def shown(directory: Path, dockerfile: str, *hidden: Hidden) -> str | None:
    files = {"r.txt": "x", "data/model.bin": "x", "src/main.py": "x"}
    return without_hidden(site_of(directory, dockerfile, files), hidden).text


def test_the_run_that_fills_a_cache_of_conda_cleans_it(tmp_path: Path) -> None:
    text = "FROM a\n# Makes it.\nRUN conda env create -f e.yml \\\n    && true\nCMD x\n"
    assert caches(tmp_path, text, Waste(3, "/opt/conda/pkgs", "conda")) == (
        "FROM a\n# Makes it.\nRUN conda env create -f e.yml \\\n    && true \\\n"
        "    && conda clean --all --force-pkgs-dirs --yes\nCMD x\n"
    )


def test_a_cache_in_another_place_is_removed_by_name(tmp_path: Path) -> None:
    text = "FROM a\nRUN conda create -n x\n"
    assert caches(tmp_path, text, Waste(2, "/var/cache/conda", "conda")) == (
        "FROM a\nRUN conda create -n x \\\n    && rm -rf /var/cache/conda\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pip install -r r.txt", "pip install --no-cache-dir -r r.txt"),
        ("pip install --cache-dir /w -r r.txt", "pip install --no-cache-dir -r r.txt"),
        ("pip install --cache-dir=/w -r r.txt", "pip install --no-cache-dir -r r.txt"),
        ("A=b python -m pip install x", "A=b python -m pip install --no-cache-dir x"),
        ("conda env update", "conda env update \\\n    && rm -rf /root/.cache/pip"),
    ],
)
def test_pip_is_told_to_keep_no_cache(tmp_path: Path, before: str, after: str) -> None:
    made = caches(tmp_path, f"FROM a\nRUN {before}\n", Waste(2, "/root/.cache/pip", "pip"))
    assert made == f"FROM a\nRUN {after}\n"


def test_uv_is_told_to_keep_no_cache(tmp_path: Path) -> None:
    text = "FROM a\nRUN uv venv /v && VIRTUAL_ENV=/v uv pip install -r r.txt\n"
    made = caches(tmp_path, text, Waste(2, "/root/.cache/uv", "uv"))
    assert made == (
        "FROM a\nRUN uv venv --no-cache /v && VIRTUAL_ENV=/v uv pip install --no-cache -r r.txt\n"
    )


def test_a_heredoc_gets_a_line_before_its_end(tmp_path: Path) -> None:
    text = "FROM a\nRUN <<EOT\nset -e\nnpm ci\nEOT\nCMD x\n"
    assert caches(tmp_path, text, Waste(2, "/root/.npm", "npm")) == (
        "FROM a\nRUN <<EOT\nset -e\nnpm ci\nrm -rf /root/.npm\nEOT\nCMD x\n"
    )


def test_a_copy_that_brings_a_cache_and_nothing_else_is_left_out(tmp_path: Path) -> None:
    text = (
        "FROM a AS b\nRUN conda create -n x\nFROM a\n"
        "COPY --from=b /opt/conda/pkgs /opt/conda/pkgs\nCOPY --from=b /opt/conda/envs /envs\n"
    )
    assert caches(tmp_path, text, Waste(4, "/opt/conda/pkgs", "conda")) == (
        "FROM a AS b\nRUN conda create -n x\nFROM a\nCOPY --from=b /opt/conda/envs /envs\n"
    )


def test_a_cache_among_what_a_copy_brings_is_removed_in_its_stage(tmp_path: Path) -> None:
    text = "FROM a AS b\nRUN conda create -n x\nFROM a\nCOPY --from=b /opt/conda /opt/conda\n"
    assert caches(tmp_path, text, Waste(4, "/opt/conda/pkgs", "conda")) == (
        "FROM a AS b\nRUN conda create -n x \\\n"
        "    && conda clean --all --force-pkgs-dirs --yes\n"
        "FROM a\nCOPY --from=b /opt/conda /opt/conda\n"
    )


def test_a_change_of_owner_that_tears_links_joins_the_run_that_linked_them(
    tmp_path: Path,
) -> None:
    text = "FROM a\nRUN conda create -y -n x python && conda clean -ay\nRUN chown -R 1 /opt/conda\n"
    made = caches(tmp_path, text, Waste(3, "/opt/conda/pkgs", "conda", torn=True))
    assert made == (
        "FROM a\nRUN conda create -y -n x python \\\n    && conda clean -ay \\\n"
        "    && chown -R 1 /opt/conda\n"
    )


def test_a_tool_that_is_called_by_its_path_cleans_by_its_path(tmp_path: Path) -> None:
    text = "FROM a\nRUN /opt/conda/bin/conda install -y numpy\n"
    assert caches(tmp_path, text, Waste(2, "/opt/conda/pkgs", "conda")) == (
        "FROM a\nRUN /opt/conda/bin/conda install -y numpy \\\n"
        "    && /opt/conda/bin/conda clean --all --force-pkgs-dirs --yes\n"
    )


def test_a_shell_that_is_none_of_unix_is_given_no_command_more(tmp_path: Path) -> None:
    text = 'FROM a\nSHELL ["python", "-c"]\nRUN import this\n'
    assert caches(tmp_path, text, Waste(3, "/c", "npm")) is None


@pytest.mark.parametrize("run", ['["pip", "wheel", "x"]', "sleep 1 &", "a;", "npm ci # pinned"])
def test_a_run_whose_end_is_not_plain_is_left_alone(tmp_path: Path, run: str) -> None:
    assert caches(tmp_path, f"FROM a\nRUN {run}\n", Waste(2, "/c", "npm")) is None


def test_bytecode_is_deleted_in_the_stage_that_wrote_it(tmp_path: Path) -> None:
    text = "FROM a AS b\nRUN python -m venv /v\nFROM a\nCOPY --from=b /v /venv\n"
    assert bytecode(tmp_path, text, Waste(4, "/venv/lib")) == (
        "FROM a AS b\nRUN python -m venv /v \\\n    && find /v/lib -name '*.pyc' -delete\n"
        "FROM a\nCOPY --from=b /v /venv\n"
    )


@pytest.mark.parametrize(
    ("env", "rest"),
    [
        ("ENV UV_COMPILE_BYTECODE=1\n", ""),
        ("ENV UV_COMPILE_BYTECODE=1 A=b\n", "ENV A=b\n"),
        ("ENV A=b UV_COMPILE_BYTECODE=1\n", "ENV A=b\n"),
        ("ENV A=b \\\n    UV_COMPILE_BYTECODE=1 \\\n    C=d\n", "ENV A=b \\\n    C=d\n"),
        ("ENV A=b \\\n    UV_COMPILE_BYTECODE=1\n", "ENV A=b\n"),
    ],
)
def test_the_variable_that_asks_for_bytecode_is_left_out(
    tmp_path: Path, env: str, rest: str
) -> None:
    line = 3 + env.count("\n") - 1
    made = bytecode(tmp_path, f"FROM a\n{env}RUN uv sync\n", Waste(line, "/app/.venv"))
    assert made == f"FROM a\n{rest}RUN uv sync\n"


def test_bytecode_that_is_made_on_purpose_is_not_deleted(tmp_path: Path) -> None:
    text = "FROM a\nRUN python -m compileall /app\n"
    assert bytecode(tmp_path, text, Waste(2, "/app")) is None


def test_a_deletion_joins_the_run_that_made_the_bytes(tmp_path: Path) -> None:
    text = "FROM a\nRUN make it \\\n    && do it\n\n# Too late.\nRUN rm /big\nCMD x\n"
    assert shown(tmp_path, text, Hidden(2, 6, "/big", "deletes")) == (
        "FROM a\nRUN make it \\\n    && do it \\\n    && rm /big\n\nCMD x\n"
    )


def test_a_deletion_that_needs_what_stands_between_is_not_joined(tmp_path: Path) -> None:
    text = "FROM a\nRUN dd of=/big\nCOPY src/ /src/\nRUN sh /src/main.py && rm /big\n"
    site = site_of(tmp_path, text, {"src/main.py": "rm /big\n"})
    made = without_hidden(site, [Hidden(2, 4, "/big", "deletes")])
    assert made.text is None
    assert "needs line 3 between them" in made.words[0]


def test_a_change_of_owner_is_made_while_copying(tmp_path: Path) -> None:
    text = "FROM a\nCOPY data/ /app/data/\nRUN chown -R 1000:1000 /app\nUSER 1000\n"
    assert shown(tmp_path, text, Hidden(2, 3, "/app/data", "changes")) == (
        "FROM a\nCOPY --chown=1000:1000 data/ /app/data/\nUSER 1000\n"
    )


def test_a_working_directory_keeps_its_own_change_of_owner(tmp_path: Path) -> None:
    text = (
        "FROM a\nRUN useradd app\nWORKDIR /app\nCOPY . .\nRUN mkdir /log && chown -R app /app\n"
        "USER app\n"
    )
    assert shown(tmp_path, text, Hidden(4, 5, "/app", "changes")) == (
        "FROM a\nRUN useradd app\nWORKDIR /app\nCOPY --chown=app . .\n"
        "RUN mkdir /log \\\n    && chown app /app\nUSER app\n"
    )


def test_what_a_change_of_owner_sets_besides_is_said(tmp_path: Path) -> None:
    text = "FROM a\nRUN useradd app\nCOPY data /data\nRUN chown -R app /data\n"
    site = site_of(tmp_path, text, {"data/model.bin": "x"})
    made = without_hidden(site, [Hidden(3, 4, "/data", "changes")])
    assert made.words == (
        "set the owner by COPY --chown=app in line 3 instead of line 4, which sets the group "
        "as well",
    )


def test_an_owner_who_is_made_after_the_copy_cannot_be_named_in_it(tmp_path: Path) -> None:
    text = "FROM a\nCOPY data /data\nRUN useradd app && chown -R app /data\n"
    assert shown(tmp_path, text, Hidden(2, 3, "/data", "changes")) is None


def test_what_only_one_run_reads_is_mounted(tmp_path: Path) -> None:
    text = (
        "FROM a AS b\nRUN pip wheel -w /wheels x\nFROM a\nCOPY --from=b /wheels /wheels\n"
        "RUN pip install /wheels/*.whl && rm -rf /wheels\nCOPY src /src\n"
    )
    assert shown(tmp_path, text, Hidden(4, 5, "/wheels", "deletes")) == (
        "FROM a AS b\nRUN pip wheel -w /wheels x\nFROM a\n"
        "RUN --mount=type=bind,from=b,source=/wheels,target=/wheels pip install /wheels/*.whl\n"
        "COPY src /src\n"
    )


def test_what_another_run_reads_too_is_not_mounted_for_one(tmp_path: Path) -> None:
    text = (
        "FROM a AS b\nRUN pip wheel -w /wheels x\nFROM a\nCOPY --from=b /wheels /wheels\n"
        "RUN ls /wheels\nRUN pip install /wheels/*.whl && rm -rf /wheels\n"
    )
    assert shown(tmp_path, text, Hidden(4, 6, "/wheels", "deletes")) is None


def test_a_deletion_after_a_copy_is_done_in_the_stage(tmp_path: Path) -> None:
    text = (
        "FROM a AS b\nRUN conda create -n x\nFROM a\nCOPY --from=b /opt/conda/envs /envs\n"
        "RUN find /envs/x -name '*.pyc' -delete\nCMD x\n"
    )
    assert shown(tmp_path, text, Hidden(4, 5, "/envs", "deletes")) == (
        "FROM a AS b\nRUN conda create -n x \\\n"
        "    && find /opt/conda/envs/x -name '*.pyc' -delete\n"
        "FROM a\nCOPY --from=b /opt/conda/envs /envs\nCMD x\n"
    )


def test_a_copy_over_what_a_run_made_is_the_teams_to_decide(tmp_path: Path) -> None:
    text = "FROM a\nRUN dd of=/data/model.bin\nCOPY data/model.bin /data/model.bin\n"
    assert shown(tmp_path, text, Hidden(2, 3, "/data", "replaces")) is None


def test_a_directory_that_holds_more_than_a_cache_is_not_removed(tmp_path: Path) -> None:
    text = "FROM a\nWORKDIR /app\nRUN npm ci\n"
    assert caches(tmp_path, text, Waste(3, "/app", "npm")) is None
    assert caches(tmp_path, text, Waste(3, "/tmp", "npm")) is None


def test_a_run_that_writes_where_the_mount_would_be_gets_none(tmp_path: Path) -> None:
    text = (
        "FROM a AS b\nRUN true\nFROM a\nCOPY --from=b /w /w\n"
        "RUN chmod +x /w/x && cat /w/x && rm -rf /w\n"
    )
    assert shown(tmp_path, text, Hidden(4, 5, "/w", "deletes")) is None


def test_a_builder_without_mounts_gets_no_mount(tmp_path: Path) -> None:
    text = "FROM a\nCOPY r.txt /r.txt\nRUN pip install -r /r.txt && rm /r.txt\n"
    site = site_of(tmp_path, text, {"r.txt": "x"})
    hidden = [Hidden(2, 3, "/r.txt", "deletes")]
    assert without_hidden(site, hidden).text == (
        "FROM a\nRUN --mount=type=bind,source=r.txt,target=/r.txt pip install -r /r.txt\n"
    )
    assert without_hidden(site, hidden, mounts=False).text is None
