"""A COPY that leaves out what a later RUN deletes, and where there is no such COPY."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from drafts import site_of

from pytest_dockercache.fixing import without_pyc
from pytest_dockercache.fixing.contents import (
    Hidden,
    Waste,
    without_bytecode,
    without_caches,
    without_hidden,
)
from pytest_dockercache.fixing.leaving_out import knows_exclude
from pytest_dockercache.fixing.reinstalling import Rewriting
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Project, Settings

FILES = {
    "src/main.py": "1\n",
    "data/a.bin": "x",
    "docs/a.md": "x",
    "README.md": "x",
    "setup.py": "1\n",
}
LABS = "# syntax=docker/dockerfile:1.7-labs\n"


def revealed(
    directory: Path,
    dockerfile: str,
    *paths: str,
    files: dict[str, str] = FILES,
    mounts: bool = True,
) -> Rewriting:
    """What is offered where the last RUN deletes what the first COPY brings."""
    site = site_of(directory, dockerfile, files)
    copied = next(s.line for s in site.steps if s.instruction.keyword == "COPY")
    deleted = next(s.line for s in site.steps if "rm -" in s.instruction.text)
    hidden = [Hidden(copied, deleted, path, "deletes") for path in paths]
    return without_hidden(site, hidden, mounts=mounts)


@pytest.mark.parametrize(
    ("syntax", "known"),
    [
        ("docker/dockerfile:1.7-labs", True),
        ("docker/dockerfile:1.10.0-labs", True),
        ("docker/dockerfile:1-labs", True),
        ("docker/dockerfile:labs", True),
        ("docker.io/docker/dockerfile:1.19", True),
        ("docker/dockerfile:1.19.0@sha256:" + 64 * "a", True),
        ("docker/dockerfile-upstream:1.20", True),
        ("docker/dockerfile:1", True),
        ("docker/dockerfile", True),
        ("docker/dockerfile:1.6-labs", False),
        ("docker/dockerfile:1.7", False),
        ("docker/dockerfile:1.18.0", False),
        ("docker/dockerfile:0.4", False),
        ("docker/dockerfile:experimental", False),
        ("docker/dockerfile@sha256:" + 64 * "a", False),
        ("mirror.example.org/docker/dockerfile:1", False),
        ("", False),
    ],
)
def test_the_syntax_that_knows_the_option_is_known_by_its_name(
    tmp_path: Path, syntax: str, known: bool
) -> None:
    head = f"# syntax={syntax}\n" if syntax else ""
    site = site_of(tmp_path, f"{head}FROM debian\nCOPY . .\n", FILES)
    assert knows_exclude(site) is known


def test_a_build_argument_stands_above_the_syntax_of_the_dockerfile(tmp_path: Path) -> None:
    site = site_of(tmp_path, f"{LABS}FROM debian\nCOPY . .\n", FILES)
    spec = replace(site.spec, build_args=(("BUILDKIT_SYNTAX", "docker/dockerfile:1.4"),))
    assert knows_exclude(site)
    assert not knows_exclude(replace(site, spec=spec))


def test_a_dockerfile_that_has_the_option_already_may_have_it_again(tmp_path: Path) -> None:
    text = "FROM debian\nCOPY --exclude=x src /src\n"
    assert knows_exclude(site_of(tmp_path, text, FILES))


def test_what_is_deleted_is_excluded(tmp_path: Path) -> None:
    found = revealed(
        tmp_path,
        f"{LABS}FROM debian\nWORKDIR /app\n# All.\nCOPY --chown=7 . .\nRUN rm -rf data docs /x\n"
        "CMD x\n",
        "/app/data",
    )
    assert found.text == (
        f"{LABS}FROM debian\nWORKDIR /app\n# All.\n"
        "COPY --chown=7 --exclude=data --exclude=docs . .\nRUN rm -rf /x\nCMD x\n"
    )
    assert found.words == (
        "give line 5 --exclude=data --exclude=docs instead of deleting it in line 6",
    )


@pytest.mark.parametrize("mounts", [True, False])
def test_without_the_option_the_rest_is_copied_by_name(tmp_path: Path, mounts: bool) -> None:
    found = revealed(
        tmp_path, "FROM debian\nWORKDIR /app\nCOPY . .\nRUN rm -rf data docs && true\n",
        "/app/data", mounts=mounts,
    )  # fmt: skip
    assert found.text == (
        "FROM debian\nWORKDIR /app\nCOPY README.md setup.py ./\nCOPY src/ src/\nRUN true\n"
    )
    assert found.words == (
        "copy README.md, setup.py and src/ by name in line 3 (what is new beside them has to be "
        "named too) instead of deleting it in line 4",
    )


def test_a_whole_context_of_which_one_directory_stays_is_that_directory(tmp_path: Path) -> None:
    found = revealed(
        tmp_path,
        "FROM debian\nCOPY . /app/\nRUN rm -r /app/data /app/docs /app/README.md /app/setup.py\n",
        "/app/data",
    )
    assert found.text == "FROM debian\nCOPY src/ /app/src/\n"


def test_a_source_that_is_deleted_is_left_out(tmp_path: Path) -> None:
    found = revealed(
        tmp_path, "FROM debian\nCOPY README.md setup.py /app/\nRUN rm -f /app/README.md\n",
        "/app/README.md",
    )  # fmt: skip
    assert found.text == "FROM debian\nCOPY setup.py /app/\n"
    assert found.words == ("leave README.md out of line 2 instead of deleting it in line 3",)


@pytest.mark.parametrize(
    "rest",
    [
        # The file is used until it is deleted, or may be.
        "RUN cp data/a.bin /b\nRUN rm -rf data\n",
        "RUN cat data/a.bin > /b && rm -rf data\n",
        "RUN make it\nRUN rm -rf data\n",
        "RUN make it && rm -rf data\n",
        "RUN ls > /list\nRUN rm -rf data\n",
        # Another step makes files there, which are deleted with it.
        "COPY docs data/\nRUN rm -rf data\n",
        "RUN touch data/b\nRUN rm -rf data\n",
        "VOLUME /app/data\nRUN rm -rf data\n",
        # Nobody knows what is deleted.
        "RUN rm -rf d*\n",
        "ARG D=data\nRUN rm -rf $D\n",
        # All that is copied is deleted.
        "RUN rm -rf /app\n",
    ],
)
def test_what_is_used_or_made_by_others_is_not_left_out(tmp_path: Path, rest: str) -> None:
    text = f"{LABS}FROM debian\nWORKDIR /app\nCOPY . .\n{rest}"
    found = revealed(tmp_path, text, "/app/data")
    assert found.text is None, found.text


@pytest.mark.parametrize(
    "above",
    ["RUN mkdir -p data && touch data/x\n", "RUN make it\n", "COPY docs data/\n"],
)
def test_what_lay_there_before_would_not_be_deleted_any_more(tmp_path: Path, above: str) -> None:
    text = f"{LABS}FROM debian\nWORKDIR /app\n{above}COPY . .\nRUN rm -rf data\n"
    site = site_of(tmp_path, text, FILES)
    found = without_hidden(site, [Hidden(5, 6, "/app/data", "deletes")])
    assert found.text is None, found.text


@pytest.mark.parametrize("place", ["/usr/share/x", "/opt/conda/x", "/etc/x"])
def test_a_place_where_the_base_may_have_files_keeps_its_deletion(
    tmp_path: Path, place: str
) -> None:
    text = f"{LABS}FROM debian\nCOPY . {place}\nRUN rm -rf {place}/data\n"
    assert revealed(tmp_path, text, f"{place}/data").text is None


def test_a_directory_with_a_mode_of_its_own_is_not_copied_by_its_name(tmp_path: Path) -> None:
    text = "FROM debian\nWORKDIR /app\nCOPY . .\nRUN rm -rf data docs\n"
    site_of(tmp_path, text, FILES)
    (tmp_path / "src").chmod(0o700)
    found = revealed(tmp_path, text, "/app/data")
    assert found.text is None


@pytest.mark.parametrize("more", [".git/HEAD", "__pycache__/a.pyc", "a/x", "weird name.txt"])
def test_what_nobody_names_or_is_too_much_is_not_copied_by_name(tmp_path: Path, more: str) -> None:
    files = {**FILES, more: "x", "b/x": "x"} if more == "a/x" else {**FILES, more: "x"}
    files |= {"c/x": "x"}
    text = "FROM debian\nWORKDIR /app\nCOPY . .\nRUN rm -rf data\n"
    assert revealed(tmp_path, text, "/app/data", files=files).text is None


def test_a_cache_of_another_image_is_excluded_where_nobody_uses_it(tmp_path: Path) -> None:
    copy = "COPY --from=mambaforge /opt/conda /opt/conda\n"
    waste = [Waste(3, "/opt/conda/pkgs", "conda")]
    site = site_of(tmp_path, f"{LABS}FROM debian\n{copy}CMD x\n", FILES)
    assert without_caches(site, waste).text == (
        f"{LABS}FROM debian\nCOPY --from=mambaforge --exclude=pkgs /opt/conda /opt/conda\nCMD x\n"
    )
    assert without_caches(site, waste, mounts=False).text is None
    offline = f"{LABS}FROM debian\n{copy}RUN conda install --offline numpy\n"
    assert without_caches(site_of(tmp_path, offline, FILES), waste).text is None


def test_bytecode_of_another_image_is_excluded(tmp_path: Path) -> None:
    text = f"{LABS}FROM debian\nCOPY --from=python:3.10 /usr/local/lib /usr/local/lib\n"
    site = site_of(tmp_path, text, FILES)
    waste = [Waste(3, "/usr/local/lib")]
    assert without_bytecode(site, waste).text == (
        f"{LABS}FROM debian\nCOPY --from=python:3.10 --exclude=**/*.pyc /usr/local/lib "
        "/usr/local/lib\n"
    )
    assert without_bytecode(site, waste, mounts=False).text is None


def test_bytecode_of_the_context_is_ignored_and_the_words_say_in_which_file(
    tmp_path: Path,
) -> None:
    text = "FROM debian\nCOPY . /app\nRUN pip install six\n"
    site_of(tmp_path, text, {"src/a.py": "1\n", "src/__pycache__/a.pyc": "x", "b.pyc": "x"})
    (tmp_path / ".dockerignore").unlink()
    project = Project.read(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings(root=tmp_path))
    fix = without_pyc(project, [Waste(2, "/app/src/__pycache__"), Waste(3, "/usr/lib/python3")])
    assert fix is not None
    assert fix.text == (
        'create .dockerignore with the lines **/__pycache__, **/*.pyc, and do "find '
        "/usr/lib/python3 -name '*.pyc' -delete\" at the end of the RUN in line 3"
    )
    assert fix.patch == (
        "--- /dev/null\n+++ b/.dockerignore\n@@ -0,0 +1,2 @@\n+**/__pycache__\n+**/*.pyc\n"
        "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,3 +1,4 @@\n FROM debian\n COPY . /app\n"
        "-RUN pip install six\n+RUN pip install six \\\n"
        "+    && find /usr/lib/python3 -name '*.pyc' -delete\n"
    )


def test_bytecode_that_is_copied_by_its_name_is_no_waste_of_the_context(tmp_path: Path) -> None:
    text = "FROM debian\nCOPY lib/a.pyc /app/\n"
    site_of(tmp_path, text, {"lib/a.pyc": "x"})
    project = Project.read(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings(root=tmp_path))
    assert without_pyc(project, [Waste(2, "/app")]) is None
