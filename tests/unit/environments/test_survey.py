"""The roles of the context's files for the environment, and the edits that stand for all files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockercache.environments import Choice, Survey
from pytest_dockercache.model import BuildSpec
from pytest_dockercache.project import Project, Settings

ENVIRONMENT = "COPY environment.yml ./\nRUN conda env update -f environment.yml\n"
FILES = ("environment.yml", "src/main.py", "README.md")


class Example:
    """A project that exists as files, and its survey."""

    def __init__(self, root: Path, dockerfile: str, files: tuple[str, ...]) -> None:
        self.root = root
        self.write(**{"Dockerfile": dockerfile})
        for path in files:
            if not (root / path).exists():
                self.write(**{path: "x\n"})

    def write(self, **files: str) -> Example:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        return self

    def survey(self, env_step: str | None = None) -> Survey:
        spec = BuildSpec(self.root / "Dockerfile", self.root, None, ())
        return Project.read(spec, Settings(env_step=env_step)).survey

    def role(self, path: str, env_step: str | None = None) -> str:
        (group,) = (group for group in self.survey(env_step).groups if path in group.paths)
        on = "reinstalls" if group.stands_on else "harmless"
        return f"{group.role}, {on}"


Make = Callable[..., Example]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def example(dockerfile: str, *files: str) -> Example:
        return Example(tmp_path, dockerfile, files or FILES)

    return example


# -- groups


def test_files_that_the_same_steps_take_are_one_group(make: Make) -> None:
    survey = make(
        f"FROM a\n{ENVIRONMENT}COPY src src\nCOPY . .\n", *FILES, "src/b.py", "zoo.py"
    ).survey()
    assert [(group.lines, group.role, group.paths) for group in survey.groups] == [
        ((2, 5), "input", ("environment.yml",)),
        ((4, 5), "source", ("src/b.py", "src/main.py")),
        ((5,), "source", ("README.md", "zoo.py")),
    ]


def test_a_file_that_reaches_the_environment_through_a_stage_is_followed(make: Make) -> None:
    example = make(f"FROM a AS s\nCOPY src /s\nFROM b\nCOPY --from=s /s /s\n{ENVIRONMENT}")
    assert example.role("src/main.py") == "source, reinstalls"
    (group,) = example.survey().source_groups
    assert group.lines == (2, 4)


def test_a_stage_of_which_nothing_reaches_the_environment_is_harmless(make: Make) -> None:
    example = make(
        f"FROM n AS w\nCOPY web web\nRUN build web > /dist/app.js\nFROM a\n{ENVIRONMENT}"
        "COPY --from=w /dist static/\n",
        *FILES,
        "web/app.js",
    )
    assert example.role("web/app.js") == "source, harmless"


def test_the_dockerfile_and_its_ignore_file_are_nobodys_source(make: Make) -> None:
    example = make(f"FROM a\nCOPY . .\n{ENVIRONMENT}", *FILES, ".dockerignore")
    (group,) = example.survey().source_groups
    assert group.paths == ("README.md", "src/main.py")


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit.sample",
        ".venv/bin/activate_this.py",
        "env/lib/python3.10/site.py",
        ".tox/py310/x.py",
        "node_modules/x/index.js",
        "build/lib/a.py",
        "dist/a.whl",
        "src/__pycache__/main.cpython-310.pyc",
        "src/app.egg-info/PKG-INFO",
    ],
)
def test_what_tools_made_is_nobodys_source(make: Make, path: str) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}COPY . .\n", *FILES, path, "env/pyvenv.cfg")
    assert path not in {path for group in example.survey().groups for path in group.paths}


def test_only_what_git_tracks_is_judged_where_there_is_a_repository(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}COPY . .\n", *FILES, "notes.txt")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run([*git, "init", "-q"], cwd=example.root, check=True)
    subprocess.run([*git, "add", "src", "environment.yml"], cwd=example.root, check=True)
    (group,) = example.survey().source_groups
    assert group.paths == ("src/main.py",)


# -- the representative of a group


def choice(example: Example) -> Choice:
    return example.survey().choices[0]


@pytest.mark.parametrize(
    "program",
    [
        'CMD ["python", "src/main.py"]',
        "CMD python src/main.py --port 1",
        'ENTRYPOINT ["python", "-m", "src.main"]',
        'CMD ["uvicorn", "src.main:app"]',
        'CMD ["sh", "-c", "exec python /w/src/main.py"]',
    ],
)
def test_the_program_stands_for_its_group(make: Make, program: str) -> None:
    example = make(f"FROM a\nWORKDIR /w\nCOPY . .\n{ENVIRONMENT}{program}\n", *FILES, "aaa.py")
    why = "line 3 copies it before the environment, as 2 other files"
    assert choice(example) == Choice("src/main.py", why)


def test_what_git_saw_change_most_often_stands_for_a_group_without_a_program(make: Make) -> None:
    example = make(f"FROM a\n{ENVIRONMENT}COPY src src\n", *FILES, "src/aaa.py")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    subprocess.run([*git, "init", "-q"], cwd=example.root, check=True)
    for text in ("1", "2"):
        example.write(**{"src/main.py": text})
        subprocess.run([*git, "add", "."], cwd=example.root, check=True)
        subprocess.run([*git, "commit", "-qm", text], cwd=example.root, check=True)
    assert choice(example).path == "src/main.py"


def test_hidden_files_stand_for_nothing_but_themselves(make: Make) -> None:
    example = make(f"FROM a\nCOPY . .\n{ENVIRONMENT}", "environment.yml", ".github/a.py", "b.txt")
    assert choice(example).path == "b.txt"


def test_source_that_the_environment_stands_on_comes_first(make: Make) -> None:
    example = make(
        f"FROM a\nCOPY tests tests\n{ENVIRONMENT}COPY src src\nCMD python src/main.py\n",
        *FILES,
        "tests/test_a.py",
    )
    assert [found.path for found in example.survey().choices] == ["tests/test_a.py", "src/main.py"]
    assert choice(example).why == "line 2 copies it before the environment"


def test_nothing_to_edit_is_no_choice(make: Make) -> None:
    assert make(f"FROM a\n{ENVIRONMENT}").survey().choices == ()


# -- inputs


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("environment.yml", "dependencies:\n- pip:\n  - -r more.txt\n"),
        ("environment.yml", "dependencies:\n- pip:\n  - -c ./more.txt\n"),
        ("environment.yml", 'dependencies:\n- pip:\n  - "-r more.txt"\n'),
        ("environment.yml", "dependencies:\n- pip:\n  - -r /w/more.txt\n"),
    ],
)
def test_what_an_environment_file_includes_is_an_input(make: Make, path: str, text: str) -> None:
    example = make(f"FROM a\nWORKDIR /w\nCOPY more.txt .\n{ENVIRONMENT}", *FILES, "more.txt")
    assert example.role("more.txt") == "source, reinstalls"
    example.write(**{path: text})
    assert example.role("more.txt") == "input, reinstalls"
    assert example.survey().roles.inputs["more.txt"] == "environment.yml includes it"


def test_includes_are_followed_from_file_to_file(make: Make) -> None:
    example = make(
        "FROM a\nCOPY . .\nRUN pip install -r r/prod.txt\n", "r/prod.txt", "r/base", "x.py"
    ).write(**{"r/prod.txt": "-r mid.in\n", "r/mid.in": "-c base\n"})
    assert example.role("r/base") == "input, reinstalls"
    assert example.role("x.py") == "source, reinstalls"


@pytest.mark.parametrize("line", ["-e ./libs/common", "./libs/common[x]", "c @ file:./libs/common"])
def test_a_local_package_is_an_input_whole(make: Make, line: str) -> None:
    example = make(
        "FROM a\nCOPY libs libs\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        "libs/common/code.py",
        "libs/other/code.py",
    ).write(**{"requirements.txt": f"six\n{line}\n"})
    assert example.role("libs/common/code.py") == "input, reinstalls"
    assert example.role("libs/other/code.py") == "source, reinstalls"


def test_the_project_itself_is_no_input_although_the_requirements_install_it(make: Make) -> None:
    example = make("FROM a\nCOPY . .\nRUN pip install -r requirements.txt\n", "src/a.py").write(
        **{"requirements.txt": "-e .\nsix\n"}
    )
    assert example.role("src/a.py") == "source, reinstalls"


def test_a_lock_brings_the_manifest_that_it_was_made_from(make: Make) -> None:
    example = make(
        "FROM a\nCOPY . .\nRUN uv sync --frozen --no-install-project\n",
        "uv.lock",
        "pyproject.toml",
        "a/pyproject.toml",
    ).write(**{"pyproject.toml": '[tool.uv.workspace]\nmembers = ["a", "p/*"]\n'})
    example.write(**{"p/b/pyproject.toml": "", "p/b/code.py": "", "q/pyproject.toml": ""})
    assert example.role("pyproject.toml") == "input, reinstalls"
    assert example.role("a/pyproject.toml") == "input, reinstalls"
    assert example.role("p/b/pyproject.toml") == "input, reinstalls"
    assert example.role("p/b/code.py") == "source, reinstalls"


def test_metadata_counts_only_where_the_project_is_built(make: Make) -> None:
    project = '[project]\nname = "x"\nreadme = "README.md"\n'
    example = make("", "uv.lock", "README.md", "x.py").write(**{"pyproject.toml": project})
    copies = "FROM a\nCOPY pyproject.toml uv.lock README.md ./\n"
    example.write(Dockerfile=f"{copies}RUN uv sync --frozen\n")
    assert example.role("README.md") == "input, reinstalls"
    example.write(Dockerfile=f"{copies}RUN uv sync --frozen --no-install-project\n")
    assert example.role("README.md") == "source, reinstalls"


def test_what_only_a_type_checker_is_told_of_is_source(make: Make) -> None:
    example = make(
        "FROM a\nCOPY . .\nRUN uv sync --frozen --no-install-project\n", "uv.lock", "src/a.py"
    ).write(**{"pyproject.toml": '[tool.mypy]\nfiles = ["src/"]\n[tool.ruff]\nsrc = ["src"]\n'})
    assert example.role("src/a.py") == "source, reinstalls"


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("npm ci", "package-lock.json"),
        ("conan install .", "conanfile.py"),
        ("cargo fetch", "Cargo.lock"),
        ("go mod download", "go.sum"),
        ('Rscript -e "renv::restore()"', "renv/activate.R"),
        ("bundle install", "Gemfile"),
        ("mvn dependency:go-offline", "pom.xml"),
        ("./gradlew dependencies", "gradle/wrapper/gradle-wrapper.properties"),
    ],
)
def test_files_of_another_package_manager_that_runs_there_are_inputs(
    make: Make, command: str, path: str
) -> None:
    example = make(f"FROM a\nCOPY {path} ./\nRUN {command}\n{ENVIRONMENT}", *FILES, path)
    assert example.role(path) == "input, reinstalls"
    example.write(Dockerfile=f"FROM a\nCOPY {path} ./\n{ENVIRONMENT}")
    assert example.role(path) == "source, reinstalls"


def test_a_script_that_a_package_file_runs_at_every_install_is_an_input(make: Make) -> None:
    example = make("FROM a\nCOPY . .\nRUN npm ci\n", "scripts/post.js", "scripts/other.js").write(
        **{"package.json": '{"scripts": {"postinstall": "node scripts/post.js", "test": "x"}}'}
    )
    assert example.role("scripts/post.js", "npm ci") == "input, reinstalls"
    assert example.role("scripts/other.js", "npm ci") == "source, reinstalls"


@pytest.mark.parametrize(
    ("install", "path"),
    [
        ("uv sync --frozen --no-install-project", ".python-version"),
        ("rye sync", ".python-version"),
        ("pdm sync --no-self", ".python-version"),
        ("pip install -r requirements/prod.txt", "requirements/dev.txt"),
        ("bundle install", "lib/app/version.rb"),
    ],
)
def test_files_that_a_manager_keeps_under_a_name_of_its_own_are_inputs(
    make: Make, install: str, path: str
) -> None:
    example = make(
        f"FROM a\nWORKDIR /w\nCOPY . .\nRUN {install}\n", "requirements/prod.txt", path, "a.py"
    )
    assert example.role(path, "bundle") == "input, reinstalls"
    assert example.role("a.py", "bundle") == "source, reinstalls"


@pytest.mark.parametrize(
    "place",
    [
        "/etc/apt/sources.list",
        "/usr/local/share/ca-certificates/x",
        "/etc/ssl/certs/x.pem",
        "/root/.netrc",
        "/home/me/.ssh/config",
        "/root/.config/pip/pip.conf",
        "/opt/conda/.condarc",
        "/root/.m2/settings.xml",
    ],
)
def test_what_lies_where_installers_look_for_settings_is_an_input(make: Make, place: str) -> None:
    example = make(f"FROM a\nCOPY x {place}\n{ENVIRONMENT}", *FILES, "x")
    assert example.role("x") == "input, reinstalls"


@pytest.mark.parametrize(
    "place", ["/etc/nginx/nginx.conf", "/root/.bashrc", "/etc/cron.d/x", "/etc/ssl/private/k.pem"]
)
def test_settings_of_what_runs_later_are_source(make: Make, place: str) -> None:
    example = make(f"FROM a\nCOPY x {place}\n{ENVIRONMENT}", *FILES, "x")
    assert example.role("x") == "source, reinstalls"


@pytest.mark.parametrize(
    ("variable", "role"), [("PIP_CERT", "input"), ("CONDARC", "input"), ("APP_CONFIG", "source")]
)
def test_a_file_that_a_variable_of_an_installer_names_is_an_input(
    make: Make, variable: str, role: str
) -> None:
    example = make(f"FROM a\nENV {variable}=/etc/app/x\nCOPY x /etc/app/x\n{ENVIRONMENT}", "x")
    example.write(**{"environment.yml": "x\n"})
    assert example.role("x") == f"{role}, reinstalls"


@pytest.mark.parametrize(
    ("before", "command", "line"),
    [
        ("", "pip install -f vendor -r requirements.txt", ""),
        ("ENV PIP_FIND_LINKS=/w/vendor\n", "pip install -r requirements.txt", ""),
        ("", "pip install -r requirements.txt", "--find-links vendor\n"),
    ],
)
def test_packages_in_a_directory_that_the_install_looks_into_are_inputs(
    make: Make, before: str, command: str, line: str
) -> None:
    example = make(f"FROM a\nWORKDIR /w\n{before}COPY . .\nRUN {command}\n", "vendor/six.whl")
    example.write(**{"requirements.txt": f"{line}six\n", "a.py": ""})
    assert example.role("vendor/six.whl") == "input, reinstalls"
    assert example.role("a.py") == "source, reinstalls"


def test_source_in_a_directory_that_the_install_looks_into_stays_source(make: Make) -> None:
    example = make("FROM a\nWORKDIR /w\nCOPY . .\nRUN pip install -f . -r requirements.txt\n")
    example.write(**{"requirements.txt": "six\n", "a.py": ""})
    assert example.role("a.py") == "source, reinstalls"


@pytest.mark.parametrize(
    "package",
    [
        '{"scripts": {"postinstall": "patch-package"}}',
        '{"pnpm": {"patchedDependencies": {"a@1": "patches/a.patch"}}}',
    ],
)
def test_patches_that_an_installation_applies_are_inputs(make: Make, package: str) -> None:
    example = make("FROM a\nCOPY package.json patches ./\nRUN npm ci\n", "patches/a.patch").write(
        **{"package.json": package}
    )
    assert example.role("patches/a.patch", "npm ci") == "input, reinstalls"


def test_what_the_build_of_the_project_looks_for_by_itself_is_an_input(make: Make) -> None:
    project = "[project]\nname = 'x'\ndependencies = ['six']\n"
    example = make("FROM a\nWORKDIR /w\nCOPY pyproject.toml MANIFEST.in ./\nRUN pip install .\n")
    example.write(**{"pyproject.toml": project, "MANIFEST.in": ""})
    assert example.role("MANIFEST.in") == "input, reinstalls"


# -- needed files


@pytest.mark.parametrize("command", ["xargs -a x apt-get install", "make", "pyenv install"])
def test_what_a_command_looks_for_in_its_directory_is_needed(make: Make, command: str) -> None:
    names = {"make": "x.mk", "pyenv install": ".python-version"}
    name = names.get(command, "x")
    example = make(
        f"FROM a\nWORKDIR /w\nCOPY {name} Makefile ./\nRUN {command}\n{ENVIRONMENT}", *FILES, name
    ).write(**{"Makefile": "-include x.mk\nall:\n\tget\n"})
    assert example.role(name) == "needed, reinstalls"


@pytest.mark.parametrize(
    "before",
    [
        "COPY setup.sh /\nRUN /setup.sh\n",
        "COPY setup.sh /i.sh\nRUN sh -e /i.sh\n",
        "COPY setup.sh /d/\nRUN for each in /d/*.sh; do $each; done\n",
        "COPY setup.sh /\nRUN . /setup.sh\n",
        "COPY setup.sh /t/\nRUN cp /t/setup.sh /usr/local/bin/go-on && go-on\n",
        "COPY setup.sh /t/\nRUN mv /t/setup.sh /u\nRUN chmod +x /u && /u\n",
        "RUN --mount=source=setup.sh,target=/s.sh bash /s.sh\n",
        "COPY setup.sh /s\nRUN <<EOT\nset -e\nbash /s\nEOT\n",
        'COPY setup.sh /s.sh\nSHELL ["/s.sh"]\nRUN x\n',
    ],
)
def test_a_file_that_a_command_above_the_install_runs_or_reads_is_needed(
    make: Make, before: str
) -> None:
    example = make(f"FROM a\n{before}{ENVIRONMENT}COPY src src\n", *FILES, "setup.sh")
    assert example.role("setup.sh") == "needed, reinstalls"


@pytest.mark.parametrize(
    "before",
    [
        "COPY packages /packages\nRUN apt-get install $(cat /packages)\n",
        "COPY packages /packages\nRUN xargs -a /packages apt-get install\n",
        "COPY packages /w/Makefile\nRUN make -C /w deps\n",
        "WORKDIR /w\nCOPY packages Makefile\nRUN make deps\n",
        "COPY packages /a.tar\nRUN tar xf /a.tar\n",
    ],
)
def test_what_a_command_above_the_install_reads_is_needed_unless_it_is_code(
    make: Make, before: str
) -> None:
    example = make(f"FROM a\n{before}{ENVIRONMENT}COPY src src\n", *FILES, "packages")
    assert example.role("packages") == "needed, reinstalls"
    compiled = f"FROM a\nCOPY src/main.py /m.py\nRUN cython /m.py\n{ENVIRONMENT}"
    example.write(Dockerfile=compiled)
    assert example.role("src/main.py") == "source, reinstalls"


@pytest.mark.parametrize(
    "command",
    [
        "chmod +x /t/setup.sh",
        "chown -R me /t",
        "mv /t/setup.sh /u",
        "cp -r /t /u",
        "sed -i 's/x/y/' /t/setup.sh",
        "touch /t/setup.sh",
        "ln -s /t/setup.sh /bin/s",
        "ls /t/*",
        "rm -rf /t/*",
        "test -f /t/setup.sh",
        "[ -e /t/setup.sh ]",
        "dos2unix /t/setup.sh",
        "case $X in *) echo other ;; esac",
        "echo '* * * * * root /t/setup.sh' > /etc/cron.d/x",
        "find /t -name '*.sh' -exec chmod +x {} +",
        "rm -rf /var/lib/apt/lists/*",
    ],
)
def test_a_command_that_only_names_a_file_does_not_need_it(make: Make, command: str) -> None:
    example = make(f"FROM a\nCOPY setup.sh /t/\nRUN {command}\n{ENVIRONMENT}", *FILES, "setup.sh")
    assert example.role("setup.sh") == "source, reinstalls"


@pytest.mark.parametrize(
    "line", [". /d/lib.sh", "source ./lib.sh", '. "$(dirname "$0")/lib.sh"', "bash $HERE/lib.sh"]
)
def test_what_a_needed_script_sources_is_needed(make: Make, line: str) -> None:
    example = make(
        f"FROM a\nWORKDIR /d\nCOPY docker /d\nRUN /d/setup.sh\n{ENVIRONMENT}",
        "environment.yml",
        "docker/lib.sh",
        "docker/other.sh",
    ).write(**{"docker/setup.sh": f"#!/bin/sh\n{line}\n"})
    assert example.role("docker/lib.sh") == "needed, reinstalls"
    assert example.role("docker/other.sh") == "source, reinstalls"


def test_a_make_target_needs_what_its_recipe_runs(make: Make) -> None:
    example = make(f"FROM a\nCOPY . .\nRUN make deps\n{ENVIRONMENT}", *FILES, "s.sh").write(
        Makefile="deps:\n\t@bash s.sh\n"
    )
    assert example.role("s.sh") == "needed, reinstalls"


def test_a_program_of_another_language_is_needed_where_it_has_to_do_with_the_install(
    make: Make,
) -> None:
    dockerfile = f"FROM a\nCOPY gen.py /\nRUN python /gen.py\n{ENVIRONMENT}"
    example = make(dockerfile, *FILES, "gen.py")
    assert example.role("gen.py") == "source, reinstalls"
    example.write(**{"gen.py": "open('environment.yml', 'a')"})
    assert example.role("gen.py") == "needed, reinstalls"
    example.write(**{"gen.py": "import subprocess"})
    assert example.role("gen.py") == "needed, reinstalls"


def test_a_program_in_the_install_step_itself_is_needed_with_what_it_imports(make: Make) -> None:
    example = make(
        "FROM a\nCOPY t t\nCOPY r.in .\nRUN python t/gen.py r.in && pip install -r r.in\n",
        "r.in",
        "t/lib.py",
        "t/other.py",
    ).write(**{"t/gen.py": "import os\nfrom lib import x\n"})
    assert example.role("t/gen.py") == "needed, reinstalls"
    assert example.role("t/lib.py") == "needed, reinstalls"
    assert example.role("t/other.py") == "source, reinstalls"


def test_whether_a_script_between_two_installs_is_needed_is_not_known(make: Make) -> None:
    example = make(
        f"FROM a\n{ENVIRONMENT}COPY s.sh /\nRUN sh /s.sh\nRUN pip install six\n", *FILES, "s.sh"
    )
    assert "between the installs of line 3 and line 6" in example.survey().roles.unsettled["s.sh"]
    tools = "FROM a\nRUN pip install -U pip\nCOPY s.sh /\nRUN sh /s.sh\nRUN pip install six\n"
    example.write(Dockerfile=tools)
    assert example.survey().roles.unsettled == {}
    assert example.role("s.sh") == "needed, reinstalls"


# -- build arguments


def arguments(example: Example) -> dict[str, str]:
    found = example.survey().arguments
    said = {name: f"used by {use}" for name, use in found.used.items()}
    for name, lines in found.judged.items():
        said[name] = f"judged for {lines}{', reaching' if name in found.reaching else ''}"
    return said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("ARG X\n", "judged for (4,), reaching"),
        ("ARG X=1\nENV X=$X\n", "judged for (5,), reaching"),
        ("ARG X\nLABEL x=$X\n", "judged for (5,), reaching"),
        ("ARG X\nRUN get $X\n", "used by line 3"),
        ("ARG X\nENV Y=$X\nRUN get ${Y}\n", "used by line 4"),
        ("ARG X\nUSER $X\n", "used by line 3"),
        ("ARG X\nWORKDIR /$X\n", "used by line 3"),
        ("ARG X\nCOPY $X /\n", "used by line 3"),
        ("ARG X\nENV PIP_INDEX_URL=$X\n", "used by line 5"),
        ("ARG X\nENV TORCH_CUDA_ARCH_LIST=$X\n", "used by line 5"),
        ("ARG X\nENV GIT_SHA=$X\n", "judged for (5,), reaching"),
        ("ARG X\nCOPY <<E /etc/pip.conf\nindex-url=$X\nE\n", "used by line 3"),
        ("ARG X\nCOPY <<'E' /etc/pip.conf\nindex-url=$X\nE\n", "judged for (7,), reaching"),
        ("ARG X\nRUN echo $X > /etc/x\n", "used by line 3"),
    ],
)
def test_an_argument_must_not_matter_unless_something_above_the_install_expands_it(
    make: Make, lines: str, expected: str
) -> None:
    assert arguments(make(f"FROM a\n{lines}{ENVIRONMENT}"))["X"] == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pip install six==$X", "used by line 3"),
        ("pip install six && echo $X > /v", "judged for (3,), reaching"),
        ("pip install six; export V=$X", "judged for (3,), reaching"),
        ("export V=$X && pip install six==$V", "used by line 3"),
        ("pip install six && rm $X && pip install click", "used by line 3"),
        ('bash -c "pip install $X"', "used by line 3"),
        ("bash -c 'pip install six && echo $X > /v'", "judged for (3,), reaching"),
        ("bash -c 'pip install six' && echo $X > /v", "judged for (3,), reaching"),
        ("pip install $(test -f a && echo $X)", "used by line 3"),
        ("pip install \"six;python_version<'3'\" $X", "used by line 3"),
        ("while read p; do pip install $p; done < $X", "used by line 3"),
        ("for p in six; do pip install $p; done; echo $X", "judged for (3,), reaching"),
        ("pip install -r /dev/stdin <<E\nsix==$X\nE", "used by line 3"),
        ("pip install $(printenv X)", "used by line 3"),
        ("if [[ -v X ]]; then pip install six; fi", "used by line 3"),
        ("""pip install $(python -c "import os; print(os.environ['X'])")""", "used by line 3"),
    ],
)
def test_in_the_install_step_a_use_counts_up_to_its_last_install_command(
    make: Make, command: str, expected: str
) -> None:
    assert arguments(make(f"FROM a\nARG X\nRUN {command}\n")) == {"X": expected}


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("NODE_ENV", "npm ci", "used by line 3"),
        ("NODE_ENV", "pip install six", "judged for (3,), reaching"),
        ("GOPROXY", "go mod download", "used by line 3"),
        ("GOOGLE_KEY", "go mod download", "judged for (3,), reaching"),
        ("BUNDLE_WITHOUT", "bundle install", "used by line 3"),
    ],
)
def test_a_variable_of_another_manager_counts_where_that_manager_runs(
    make: Make, name: str, command: str, expected: str
) -> None:
    example = make(f"FROM a\nARG {name}\nRUN {command}\n")
    found = example.survey("npm|go mod|bundle").arguments
    said = f"used by {found.used[name]}" if name in found.used else ""
    assert (said or f"judged for {found.judged[name]}, reaching") == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("$(X)", "used by Makefile, which line 4 reads,"), ("$(Y)", "judged")]
)
def test_a_variable_that_a_makefile_expands_is_used(make: Make, word: str, expected: str) -> None:
    example = make("FROM a\nARG X\nCOPY Makefile /\nRUN make\n").write(
        Makefile=f"all:\n\tpip install {word}\n"
    )
    assert arguments(example)["X"].startswith(expected)


def test_an_argument_below_everything_reaches_nothing(make: Make) -> None:
    assert arguments(make(f"FROM a\n{ENVIRONMENT}ARG X\nRUN get $X\n")) == {"X": "judged for (3,)"}


def test_the_words_of_a_comment_behind_an_argument_are_no_arguments(make: Make) -> None:
    example = make(f"FROM a\nARG X=1  # Which set of packages\n{ENVIRONMENT}")
    assert list(arguments(example)) == ["X"]


def test_an_argument_may_matter_to_one_install_and_not_to_another(make: Make) -> None:
    example = make("FROM a\nARG X\nRUN pip install six\nRUN get $X\nRUN pip install click\n")
    assert arguments(example) == {"X": "judged for (3,), reaching"}


def test_what_files_name_is_used(make: Make) -> None:
    example = make(f"FROM a\nARG X\nARG Y\nCOPY i.sh /\nRUN /i.sh\n{ENVIRONMENT}", *FILES)
    example.write(**{"i.sh": "#!/bin/sh\n# $Y\nget ${X:-1}\n"})
    assert arguments(example) == {
        "X": "used by i.sh, which line 5 reads,",
        "Y": "judged for (7,), reaching",
    }
    example.write(**{"environment.yml": 'dependencies:\n- "${Y}"\n'})
    assert arguments(example)["Y"] == "used by environment.yml, which line 7 reads,"


def test_another_stage_counts_if_the_install_stands_on_what_it_makes(make: Make) -> None:
    stage = "FROM a AS s\nARG X\nRUN mkdir /opt/s && get $X\nFROM a\n"
    above = make(f"{stage}COPY --from=s /opt/s /opt/s\n{ENVIRONMENT}")
    assert arguments(above) == {"X": "used by line 3"}
    above.write(Dockerfile=f"{stage}{ENVIRONMENT}COPY --from=s /opt/s /opt/s\n")
    assert arguments(above) == {"X": "judged for (6,)"}


def test_a_value_that_another_stage_only_writes_down_is_no_use(make: Make) -> None:
    stage = "FROM a AS s\nARG X\nRUN echo $X > /sha\nFROM a\n"
    example = make(f"{stage}COPY --from=s /sha /sha\n{ENVIRONMENT}")
    assert arguments(example) == {"X": "judged for (7,), reaching"}
    example.write(Dockerfile=f"{stage}COPY --from=s /sha /sha\nRUN get $(cat /sha)\n{ENVIRONMENT}")
    assert arguments(example) == {"X": "used by line 3"}


def test_a_path_that_nothing_expands_may_be_read_from_the_environment(make: Make) -> None:
    example = make(f"FROM a\nARG XML=/usr/share/units.xml\nARG V=unknown\n{ENVIRONMENT}")
    assert arguments(example) == {"XML": "used by line 2", "V": "judged for (5,), reaching"}


def test_what_a_later_install_needs_may_stand_above_the_install_of_its_tools(make: Make) -> None:
    example = make("FROM a\nARG X\nRUN pip install -U pip\nRUN pip install six==$X\n")
    assert arguments(example) == {"X": "used by line 4"}


def test_a_file_that_keeps_a_copy_from_failing_is_needed(make: Make) -> None:
    example = make(
        "FROM a\nCOPY keep.txt environment.yml* /t/\nRUN conda env update -f /t/environment.yml\n",
        "environment.yml",
        "keep.txt",
        "code.py",
    )
    assert example.role("keep.txt") == "needed, reinstalls"
    example.write(Dockerfile=ENVIRONMENT.join(("FROM a\nCOPY keep.txt code.py* /t/\n", "")))
    assert example.role("keep.txt") == "source, reinstalls"


def test_a_manifest_that_another_dockerfile_beside_it_names_belongs_to_that(make: Make) -> None:
    example = make("FROM a\nRUN pip install six\nCOPY x.py .\n", "requirements.txt", "x.py")
    assert [file.path for file in example.survey().environment_files] == ["requirements.txt"]
    example.write(**{"dev.Dockerfile": "FROM a\nRUN pip install -r requirements.txt\n"})
    assert example.survey().environment_files == ()
