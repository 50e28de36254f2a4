"""Dockerfiles whose plain fix would break the build or change the image: each was built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended, site_of

from pytest_dockercache.cache import BUILDKIT
from pytest_dockercache.fixing import without_what_changes_by_itself
from pytest_dockercache.fixing.contents import (
    Hidden,
    Waste,
    without_bytecode,
    without_caches,
    without_hidden,
)
from pytest_dockercache.fixing.reinstalling import Rewriting
from pytest_dockercache.model import BuildSpec, Edit
from pytest_dockercache.project import Project, Settings

FILES = {"requirements.txt": "click\n", "src/main.py": "1\n", "data/a.bin": "x", "setup.py": ""}


def shown(directory: Path, text: str, *hidden: Hidden) -> Rewriting:
    return without_hidden(site_of(directory, f"FROM debian\n{text}", FILES), hidden)


def caches(directory: Path, text: str, *waste: Waste) -> Rewriting:
    return without_caches(site_of(directory, f"FROM debian\n{text}", FILES), waste)


def bytecode(directory: Path, text: str, *waste: Waste) -> Rewriting:
    return without_bytecode(site_of(directory, f"FROM debian\n{text}", FILES), waste)


# -- an owner and a mode


@pytest.mark.parametrize(
    ("copy", "change", "copied", "rest"),
    [
        # The base image has /home, and made it for root.
        ("data /home/", "chown -R 7:7 /home", "--chown=7:7 data /home/", "RUN chown 7:7 /home\n"),
        ("data /home/a/", "chown -R 7:7 /home/a", "--chown=7:7 data /home/a/",
         "RUN chown 7:7 /home/a\n"),
        ("data /app/", "chown -R 7:7 /app", "--chown=7:7 data /app/", ""),
        ("data /opt/x", "chown -R 7:7 /opt/x", "--chown=7:7 data /opt/x", ""),
        # COPY --chmod changes what is copied, and no directory that is made for it.
        ("data /app/d", "chmod -R 750 /app", "--chmod=750 data /app/d",
         "RUN chmod 750 /app /app/d\n"),
        ("data/a.bin /app/d", "chmod -R 750 /app", "--chmod=750 data/a.bin /app/d",
         "RUN chmod 750 /app\n"),
        ("data /app/d", "chmod -R 0755 /app", "--chmod=0755 data /app/d", ""),
    ],
)  # fmt: skip
def test_directories_that_a_copy_does_not_change_are_changed_still(
    tmp_path: Path, copy: str, change: str, copied: str, rest: str
) -> None:
    found = shown(tmp_path, f"COPY {copy}\nRUN {change}\n", Hidden(2, 3, "/app", "changes"))
    assert found.text == f"FROM debian\nCOPY {copied}\n{rest}", found.words


@pytest.mark.parametrize(
    ("copy", "change"),
    [
        # The group that belongs to a user is known in the image only.
        ("data /app", "chown -R app: /app"),
        # A linked layer is made without the names of the image below it.
        ("--link data /app", "chown -R app:app /app"),
    ],
)
def test_an_owner_that_a_copy_cannot_be_told_stays_with_the_run(
    tmp_path: Path, copy: str, change: str
) -> None:
    found = shown(tmp_path, f"COPY {copy}\nRUN {change}\n", Hidden(2, 3, "/app", "changes"))
    assert found.text is None, found.text
    assert found.words == ("set the owner while copying, not in line 3",)


# -- mounts


@pytest.mark.parametrize(
    ("above", "run"),
    [
        # Something else lies in the directory that is deleted, or under the mount.
        ("RUN mkdir -p /w/x", "cat /w/d/a.bin > /o && rm -rf /w"),
        ("RUN mkdir -p /w/d && touch /w/d/b", "cat /w/d/a.bin > /o && rm -rf /w/d"),
        ("WORKDIR /w", "cat /w/d/a.bin > /o && rm -rf /w"),
        # A mount is read-only.
        ("RUN true", "tar cf /w/d/b.tar /w/d/a.bin && cp /w/d/b.tar /o && rm -rf /w/d"),
        ("RUN true", "cat /w/d/a.bin > /w/d/b && cp /w/d/b /o && rm -rf /w/d"),
        # A project is built in its directory.
        ("RUN true", "pip install /w/d && rm -rf /w/d"),
        ("RUN true", "pip install '/w/d[all]' && rm -rf /w/d"),
        ("RUN true", "pip install -e /w/d/ && rm -rf /w/d"),
        ("RUN true", "uv pip install --target=/x /w/d/sub && rm -rf /w/d"),
    ],
)
def test_what_a_mount_would_hide_or_refuse_is_not_mounted(
    tmp_path: Path, above: str, run: str
) -> None:
    found = shown(
        tmp_path, f"{above}\nCOPY data /w/d/\nRUN {run}\n", Hidden(3, 4, "/w/d", "deletes")
    )
    assert found.text is None, found.text
    assert found.words == ("line 4 deletes what line 3 copies: leave it out where it comes from",)


def test_a_wheel_is_installed_from_a_mount(tmp_path: Path) -> None:
    found = shown(
        tmp_path, "COPY data /w/\nRUN pip install /w/a.whl && rm -rf /w\n",
        Hidden(2, 3, "/w", "deletes"),
    )  # fmt: skip
    assert found.text == (
        "FROM debian\nRUN --mount=type=bind,source=data,target=/w pip install /w/a.whl\n"
    )


@pytest.mark.parametrize("options", ["target=/s,rw", "readwrite,target=/s"])
def test_a_directory_that_is_mounted_for_writing_stays_one(tmp_path: Path, options: str) -> None:
    found = mended(
        tmp_path,
        f"FROM debian\nRUN --mount=type=bind,{options} pip install -r /s/requirements.txt\n",
        FILES,
    )
    assert found.text is None, found.text
    assert found.words == (
        "line 2 mounts the directory that the edit is in: mount only the files that it reads",
    )


@pytest.mark.parametrize("options", ["target=/s,rw", "readwrite,target=/s"])
def test_a_run_is_not_parted_where_its_mount_is_written_to(tmp_path: Path, options: str) -> None:
    found = mended(
        tmp_path,
        f"FROM debian\nRUN --mount=type=bind,{options} pip install -r /s/requirements.txt "
        "&& touch /s/done && cp /s/done /done\n",
        FILES,
    )
    assert found.text is None, found.text


def test_a_directory_that_the_run_writes_into_is_not_mounted_as_files(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nRUN --mount=type=bind,target=/s pip install -r /s/requirements.txt "
        "-t /s/out\n",
        FILES,
    )
    assert found.text is None, found.text


# -- a command more at the end of a RUN


@pytest.mark.parametrize("end", ["exit 0", "exec true", "true; exit"])
def test_nothing_is_done_behind_the_end_of_a_shell(tmp_path: Path, end: str) -> None:
    found = caches(tmp_path, f"RUN npm ci; {end}\n", Waste(2, "/root/.npm", "npm"))
    assert found.text is None, found.text
    text = f"RUN <<E\nnpm ci\n{end}\nE\n"
    assert caches(tmp_path, text, Waste(2, "/root/.npm", "npm")).text is None


def test_what_a_bind_mount_holds_is_not_deleted(tmp_path: Path) -> None:
    text = "RUN --mount=type=bind,source=src,target=/app/src python -m venv /app/v\n"
    found = bytecode(tmp_path, text, Waste(2, "/app"))
    assert found.text is None, found.text
    assert found.words[0].startswith("line 2 mounts a part of what it would have to clean: ")
    assert bytecode(tmp_path, text, Waste(2, "/app/v")).text is not None


@pytest.mark.parametrize(
    ("later", "kind", "path"),
    [
        ("RUN apt-get install -y gcc", "apt", "/var/lib/apt/lists"),
        ("RUN npm ci --offline", "npm", "/root/.npm"),
        ("RUN npm ci --prefer-offline", "npm", "/root/.npm"),
        ("RUN conda install --offline six", "conda", "/opt/conda/pkgs"),
        ("FROM debian\nCOPY --from=0 /root/.npm/x /x", "npm", "/root/.npm"),
    ],
)
def test_a_cache_that_a_later_step_needs_is_not_removed(
    tmp_path: Path, later: str, kind: str, path: str
) -> None:
    command = {"apt": "apt-get update", "npm": "npm ci", "conda": "conda create -n x"}[kind]
    found = caches(tmp_path, f"RUN {command}\n{later}\n", Waste(2, path, kind))
    line = 4 if later.startswith("FROM") else 3
    assert found.text is None, found.text
    assert found.words == (
        f"line {line} needs what line 2 keeps in {path}: make one RUN of both, which removes it at "
        "its end",
    )


def test_lists_that_a_later_step_fetches_again_are_removed(tmp_path: Path) -> None:
    text = "RUN apt-get update\nRUN apt-get update && apt-get install -y gcc\n"
    found = caches(tmp_path, text, Waste(2, "/var/lib/apt/lists", "apt"))
    assert found.text is not None
    assert "RUN apt-get update \\\n    && rm -rf /var/lib/apt/lists/*\n" in found.text


# -- the stage that files come from


@pytest.mark.parametrize(
    ("stage", "cleaned"),
    [
        # What is made behind the installation is not there when the installation runs.
        ("RUN pip install six\nCOPY src /v\nRUN python tool.py\n", "RUN python tool.py \\\n"),
        ("RUN pip install six\nRUN cp -r /a /v\n", "RUN cp -r /a /v \\\n"),
        ("RUN pip install six\nRUN echo x > /y\n", "RUN pip install six \\\n"),
    ],
)
def test_waste_is_removed_where_nothing_is_written_any_more(
    tmp_path: Path, stage: str, cleaned: str
) -> None:
    text = f"{stage}FROM debian\nCOPY --from=0 /v /v\n"
    found = bytecode(tmp_path, text, Waste(text.count("\n") + 1, "/v"))
    assert found.text is not None, found.words
    assert f"{cleaned}    && find /v -name '*.pyc' -delete\n" in found.text


@pytest.mark.parametrize(
    "stage",
    [
        "RUN pip install six\nCOPY src /v\n",
        "RUN useradd app\nRUN python tool.py\nUSER app\nRUN pip install six\n",
    ],
)
def test_waste_that_comes_last_or_is_another_users_is_left_to_words(
    tmp_path: Path, stage: str
) -> None:
    text = f"{stage}FROM debian\nCOPY --from=0 /v /v\n"
    line = text.count("\n") + 1
    found = bytecode(tmp_path, text, Waste(line, "/v"))
    assert found.text is None, found.text
    assert found.words == (f"remove it in the stage that line {line} copies from",)


def test_a_file_is_deleted_in_its_stage_only_where_it_is_there(tmp_path: Path) -> None:
    text = (
        "RUN pip install six\nRUN dd of=/o/big\nFROM debian\nCOPY --from=0 /o /o\nRUN rm /o/big\n"
    )
    found = shown(tmp_path, text, Hidden(5, 6, "/o", "deletes"))
    assert found.text == (
        "FROM debian\nRUN pip install six\nRUN dd of=/o/big \\\n    && rm /o/big\n"
        "FROM debian\nCOPY --from=0 /o /o\n"
    )


# -- two RUNs made one, and one made two


@pytest.mark.parametrize("told", ["umask 077", "set -f", "export A=b", ". /v/bin/activate"])
def test_what_the_first_shell_was_told_is_not_for_the_second_run(tmp_path: Path, told: str) -> None:
    text = f"RUN {told} && dd of=/big\nRUN rm /big && mkdir /pub\n"
    found = shown(tmp_path, text, Hidden(2, 3, "/big", "deletes"))
    assert found.text is None, found.text
    assert f'whose shell was told "{told}": separate the two parts of line 3' in found.words[0]
    text = f"RUN {told} && dd of=/big\nRUN rm /big\n"
    found = shown(tmp_path, text, Hidden(2, 3, "/big", "deletes"))
    assert found.text == f"FROM debian\nRUN {told} \\\n    && dd of=/big \\\n    && rm /big\n"


def test_a_deletion_does_not_join_a_run_that_mounts_what_is_deleted(tmp_path: Path) -> None:
    found = shown(
        tmp_path,
        "RUN --mount=type=cache,target=/root/.cache/pip dd of=/big\nRUN rm -rf /big ~/.cache\n",
        Hidden(2, 3, "/big", "deletes"),
    )
    assert found.text is None, found.text
    assert "line 3 deletes what line 2 mounts" in found.words[0]


@pytest.mark.parametrize(
    "end",
    [
        "apt-get purge -y gcc",
        "apk del .build",
        "pip uninstall -y wheel",
        "rm -rf /tmp/tool",
    ],
)
def test_a_run_that_removes_its_own_tools_is_not_parted_before_that(
    tmp_path: Path, end: str
) -> None:
    run = "apt-get install -y gcc && dd of=/tmp/tool && pip install -r requirements.txt"
    found = mended(
        tmp_path,
        f"FROM debian\nWORKDIR /app\nCOPY . .\nRUN {run} && pip install -e . && {end}\n",
        FILES,
    )
    assert found.text is None, found.text


def test_a_run_that_removes_what_its_second_half_made_is_parted(tmp_path: Path) -> None:
    found = mended(
        tmp_path,
        "FROM debian\nWORKDIR /app\nCOPY . .\n"
        "RUN pip install -r requirements.txt && pip install -e . && rm -rf build\n",
        FILES,
    )
    assert found.text is not None, found.words
    assert found.text.endswith("RUN pip install -e . \\\n    && rm -rf build\n")


# -- who reads the repository


@pytest.mark.parametrize(
    ("name", "text", "reads"),
    [
        ("tools/version.py", "run(['git', 'describe'])\n", True),
        ("tools/version.py", "open('.git/HEAD')\n", True),
        ("tools/version.py", "from git import Repo\n", True),
        ("package.json", '{"scripts": {"build": "git rev-parse HEAD"}}', True),
        ("tools/version.py", "print('a digit of git')\n", False),
    ],
)
def test_a_program_that_asks_the_repository_keeps_it(
    tmp_path: Path, name: str, text: str, reads: bool
) -> None:
    files = {**FILES, name: text, ".git/HEAD": "x"}
    site_of(tmp_path, "FROM debian\nCOPY . /a\nRUN /a/tool\n", files)
    project = Project.read(BuildSpec(tmp_path / "Dockerfile", tmp_path), Settings(root=tmp_path))
    fix = without_what_changes_by_itself(project, {".git": Edit.append(".git/HEAD")}, BUILDKIT)
    assert fix is not None
    assert (fix.patch is None) is reads
    assert not reads or fix.text.startswith("line 3 may read .git")
