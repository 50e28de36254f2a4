"""Commands beside an install that only settle something: what they hold, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest
from drafts import mended

NODE = {"package.json": "{}\n", "pnpm-lock.yaml": "a: 1\n", "yarn.lock": "#\n"}
RUBY = {"Gemfile": "gem 'rack'\n", "Gemfile.lock": "GEM\n"}
PHP = {"composer.json": "{}\n", "composer.lock": "{}\n"}
GO = {"go.mod": "module a\nrequire b v1.0.0\n", "go.sum": "b v1.0.0 h1:x\n"}
LISTED, SUMS = "package.json pnpm-lock.yaml yarn.lock", "go.mod go.sum"
SOURCE = {"src/main.py": "print(1)\n"}


@pytest.mark.parametrize(
    ("run", "files", "copied"),
    [
        ("corepack enable && pnpm install", NODE, LISTED),
        ("corepack prepare pnpm@9 --activate && pnpm i", NODE, LISTED),
        ("node --version && pnpm i", NODE, LISTED),
        ("pnpm config set store-dir /s && pnpm i", NODE, LISTED),
        ("bundle config set without dev && bundle install", RUBY, "Gemfile Gemfile.lock"),
        ("bundle install && bundle clean --force", RUBY, "Gemfile Gemfile.lock"),
        ("composer config -g a b && composer install --no-autoloader --no-scripts", PHP,
         "composer.json composer.lock"),
        ("go env -w GOPROXY=x && go mod download && go mod verify", GO, SUMS),
        ("git config --global a.b c && go mod download", GO, SUMS),
        ("ssh-keyscan github.com >> /root/.ssh/known_hosts && go mod download", GO, SUMS),
    ],
)  # fmt: skip
def test_a_command_that_settles_something_leaves_the_install_free(
    tmp_path: Path, run: str, files: dict[str, str], copied: str
) -> None:
    found = mended(tmp_path, f"FROM a\nWORKDIR /a\nCOPY . .\nRUN {run}\n", {**files, **SOURCE})
    assert found.text == (f"FROM a\nWORKDIR /a\nCOPY {copied} ./\nRUN {run}\nCOPY . .\n"), (
        found.words
    )


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ("composer config repositories.a path ../a && composer install", PHP),
        ("yarn config set enableTelemetry 0 && yarn install", {**NODE, ".yarnrc.yml": "a: 1\n"}),
        ("bundle config set --local path v && bundle install", {**RUBY, ".bundle/config": "a\n"}),
        ("corepack use pnpm@9 && pnpm install", NODE),
        ("ssh-keyscan -f hosts && go mod download", {**GO, "hosts": "github.com\n"}),
        ("git config a.b c && go mod download", GO),
    ],
)
def test_a_command_that_writes_what_the_copy_brings_stays_below_it(
    tmp_path: Path, run: str, files: dict[str, str]
) -> None:
    found = mended(tmp_path, f"FROM a\nWORKDIR /a\nCOPY . .\nRUN {run}\n", {**files, **SOURCE})
    assert found.text is None
