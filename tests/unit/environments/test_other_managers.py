"""Command lines of managers of other languages and of the system, and what each of them reads.

A row of a table is a command line, the letter of what it makes of its RUN (as ``kinds`` has it),
and the manifests that it reads, which lie below /app where no path says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from test_recognition import container_files, kinds, runs

from pytest_dockercache.dockerfile import parse_dockerfile, plan
from pytest_dockercache.environments import environment_commands

NODE = """
npm ci                                          | E | package.json package-lock.json
npm ci --omit=dev --ignore-scripts              | E | package.json
npm ci --only=production && npm cache clean -f  | E | package.json
npm clean-install                               | E | package.json
npm install                                     | E | package.json package-lock.json
npm i --no-audit --no-fund                      | E | package.json
npm --prefix web ci                             | E | web/package.json
cd web && npm install --legacy-peer-deps        | E | web/package.json
npm install --prefix /srv/api --omit dev        | E | /srv/api/package.json
NODE_ENV=production npm install                 | E | package.json
npm install --loglevel error                    | E | package.json
npm set progress=false && npm i                 | E | package.json
npm config set registry https://r.example && npm ci | E | package.json
su node -c "npm ci"                             | E | package.json
npm init -y && npm install express@4 left-pad   | E |
npm install ./lib.tgz                           | E | lib.tgz
npm install --save-dev typescript               | E |
npm install -g npm@latest                       | T |
npm i -g pm2 serve@14                           | T |
npm install --global --unsafe-perm @angular/cli | T |
npm run build                                   | - |
npm run install:all                             | - |
npm test                                        | - |
npm start                                       | - |
npm prune --production                          | - |
npm cache clean --force                         | - |
npm rebuild node-sass                           | - |
npm pack                                        | - |
npm --version                                   | - |
npx prisma generate                             | - |
npx tsc -p .                                    | - |
npx yarn@1.22 install                           | E | package.json yarn.lock
npx -y -p yarn@1 yarn install --frozen-lockfile | E | package.json yarn.lock
npx --package=pnpm pnpm i                       | E | package.json pnpm-lock.yaml
npx -c "yarn install"                           | E | package.json yarn.lock
npx install                                     | - |
npm exec -- yarn install                        | E | package.json yarn.lock
pnpm dlx npm@10 ci                              | E | package.json package-lock.json
yarn dlx -p typescript tsc                      | - |
corepack enable                                 | - |
corepack enable && corepack prepare pnpm@9 --activate | T |
corepack install --global yarn@4                | T |
pnpm i -r --force                               | E | package.json
pnpm install --frozen-lockfile || pnpm install  | E | package.json
corepack pnpm install                           | E | package.json pnpm-lock.yaml
yarn                                            | E | package.json yarn.lock
yarn install --frozen-lockfile                  | E | package.json yarn.lock
yarn install --immutable --immutable-cache      | E | package.json yarn.lock
yarn --frozen-lockfile --network-timeout 600000 | E | package.json
yarn --production --pure-lockfile               | E | package.json
yarn --cwd web install                          | E | web/package.json
yarn workspaces focus --production              | E | package.json
yarn add lodash                                 | E |
yarn global add serve                           | T |
yarn build                                      | - |
yarn run test --coverage                        | - |
yarn workspace web build                        | - |
yarn set version berry                          | - |
yarn cache clean                                | - |
yarn config set nodeLinker node-modules         | - |
pnpm install --frozen-lockfile                  | E | package.json pnpm-lock.yaml
pnpm i --prod                                   | E | package.json
pnpm fetch --prod                               | E | pnpm-lock.yaml
pnpm -C web --filter api install                | E | web/package.json
pnpm --dir web install                          | E | web/package.json
pnpm add -g turbo                               | T |
pnpm -r build                                   | - |
pnpm deploy --filter=api --prod /out            | - |
pnpm config set store-dir /pnpm                 | - |
bun install --frozen-lockfile                   | E | package.json bun.lock bun.lockb
bun i                                           | E | package.json
bun install --production --ignore-scripts       | E | package.json
bun add hono                                    | E |
bun run build                                   | - |
bun build ./src/index.ts --outdir dist          | - |
"""
COMPILED = """
go mod download                                 | E | go.mod go.sum
go mod download -x                              | E | go.mod
go mod download && go mod verify                | E | go.mod
cd cmd/api && go mod download                   | E | cmd/api/go.mod
go -C api mod download                          | E | api/go.mod
GOPROXY=direct go mod download                  | E | go.mod
go mod tidy                                     | ? |
go mod verify                                   | - |
go get ./...                                    | ? |
go build -o /bin/app ./cmd/app                  | ? |
CGO_ENABLED=0 go build -ldflags="-s -w" -tags netgo . | ? |
go build -mod=vendor -o app                     | - |
GOFLAGS=-mod=vendor go build                    | - |
go install golang.org/x/tools/cmd/goimports@v0.20.0 | T |
go install -tags x github.com/a/b@latest        | T |
go get -u github.com/a/b                        | T |
go install ./...                                | ? |
go run github.com/a/b@latest                    | T |
go version                                      | - |
go env -w GOPROXY=direct                        | - |
go clean -modcache                              | - |
go fmt ./... && go vet ./...                    | - |
cargo fetch --locked                            | E | Cargo.toml Cargo.lock
cargo fetch --manifest-path api/Cargo.toml      | E | api/Cargo.toml
cargo +nightly fetch                            | E | Cargo.toml
cargo vendor                                    | E | Cargo.toml
cargo chef cook --release --recipe-path r.json  | E | r.json
cargo chef cook                                 | E | recipe.json
cargo chef prepare --recipe-path r.json         | - |
cargo build --release                           | ? |
cargo build --release --offline                 | - |
cargo test                                      | ? |
cargo install cargo-chef --locked               | T |
cargo install --git https://g.example/x --rev 1 | T |
cargo install --path .                          | ? |
cargo clippy                                    | ? |
cargo fmt --check                               | - |
cargo new --bin app                             | - |
cargo init                                      | - |
cargo clean                                     | - |
cargo --version                                 | - |
"""
OTHERS = """
bundle install                                  | E | Gemfile Gemfile.lock
bundle                                          | E | Gemfile
bundle --jobs 4 --retry 3                       | E | Gemfile
bundle config set without test && bundle install -j4 | E | Gemfile
bundle install --gemfile=api/Gemfile            | E | api/Gemfile api/Gemfile.lock
BUNDLE_GEMFILE=g/Gemfile bundle install         | E | g/Gemfile
gem install bundler -v 2.5                      | T |
gem install rails --no-document                 | E |
gem install bundler && bundle install           | E | Gemfile
bundle exec rake assets:precompile              | - |
bundle config set deployment true               | - |
bundle clean --force                            | - |
gem build a.gemspec                             | - |
gem update --system                             | T |
gem update --system 3.5                         | T |
composer install --no-dev --no-scripts          | E | composer.json composer.lock
composer install -d api                         | E | api/composer.json
composer --working-dir=api update               | E | api/composer.json
composer require laravel/framework              | E |
composer create-project a/b .                   | E |
composer global require a/b                     | T |
php composer.phar install                       | E | composer.json
composer dump-autoload --optimize               | - |
composer run-script post-install                | - |
mvn dependency:go-offline -B                    | E | pom.xml
mvn -B -f api/pom.xml dependency:resolve        | E | api/pom.xml
./mvnw dependency:resolve dependency:resolve-plugins | E | pom.xml
mvn de.qaware.maven:go-offline-maven-plugin:1.2:resolve-dependencies | E | pom.xml
mvn clean package -DskipTests                   | ? |
mvn -o package                                  | - |
mvn -q war:war                                  | ? |
mvn versions:display-dependency-updates         | - |
mvn -Pnative spring-boot:build-image            | ? |
mvn clean                                       | - |
mvn --version                                   | - |
gradle dependencies                             | E | build.gradle settings.gradle.kts
./gradlew --no-daemon resolveDependencies       | E | build.gradle
gradle -p api dependencies                      | E | api/build.gradle
gradle clean build -x test                      | ? |
./gradlew :app:bootJar                          | ? |
./gradlew clean nettyBundle                     | ? |
./gradlew clean                                 | - |
./gradlew                                       | - |
gradle wrapper                                  | - |
./gradlew --version                             | - |
dotnet restore                                  | E | *.csproj
dotnet restore api/api.csproj                   | E | api/api.csproj
dotnet restore "src/App.sln" -r linux-x64       | E | src/App.sln
nuget restore App.sln                           | E | App.sln
dotnet publish -c Release -o /out               | ? |
dotnet publish -c Release --no-restore          | - |
dotnet restore /p:PublishAot=true               | E | *.csproj
dotnet build api/api.csproj -c Release          | ? |
dotnet tool install -g dotnet-ef                | T |
dotnet new web                                  | - |
dotnet --info                                   | - |
dotnet api.dll                                  | - |
dotnet dev-certs https                          | - |
mix deps.get --only prod                        | E | mix.exs mix.lock
mix do deps.get, deps.compile                   | E | mix.exs
mix local.hex --force && mix local.rebar --force | T |
mix local.hex --force && mix deps.get           | E | mix.exs
mix compile                                     | - |
mix release                                     | - |
mix assets.deploy                               | - |
Rscript -e 'renv::restore()'                    | E | renv.lock
R -e "options(repos = 'x'); renv::restore(lockfile = 'a/renv.lock')" | E | a/renv.lock
R --slave -e 'install.packages(c("dplyr", "shiny"))' | E |
Rscript -e 'remotes::install_deps()'            | E | DESCRIPTION
Rscript -e 'pak::local_install_deps()'          | E | DESCRIPTION
Rscript -e 'pak::pkg_install("dplyr")'          | E |
Rscript -e 'BiocManager::install("limma")'      | E |
Rscript -e 'remotes::install_github("a/b")'     | E |
install2.r --error --ncpus 4 dplyr shiny        | E |
installGithub.r a/b                             | E |
R CMD INSTALL .                                 | - |
Rscript -e 'devtools::test()'                   | - |
R -e 'shiny::runApp()'                          | - |
julia --project=. -e 'using Pkg; Pkg.instantiate()' | E | Project.toml Manifest.toml
julia --project=/srv -e 'import Pkg; Pkg.instantiate(); Pkg.precompile()' | E | /srv/Project.toml
julia -e 'using Pkg; Pkg.activate("env"); Pkg.instantiate()' | E | env/Project.toml
julia -e 'using Pkg; Pkg.add("Plots")'          | E |
julia -e 'import Pkg; Pkg.activate(@__DIR__); Pkg.precompile()' | E | Project.toml
julia -e 'println(VERSION)'                     | - |
conan install .                                 | E | conanfile.txt conanfile.py conan.lock
conan install conan/conanfile.txt --build=missing -pr:b default | E | conan/conanfile.txt
conan install /deps/ -if build --build missing  | E | /deps/conanfile.txt
conan install . --profile:all=p/linux           | E | conanfile.txt
conan install .. -if build -s build_type=Release | E | /conanfile.txt
conan profile detect                            | - |
conan remote add a https://a.example            | - |
vcpkg install --clean-after-build               | E | vcpkg.json vcpkg-configuration.json
vcpkg install --x-manifest-root=a --triplet x   | E | a/vcpkg.json
/opt/vcpkg/vcpkg install fmt zlib:x64-linux     | E |
./vcpkg integrate install                       | - |
"""
SYSTEM = """
apt-get update && apt-get install -y --no-install-recommends git curl | T |
apt-get -qq -o Dpkg::Use-Pty=0 install -y gcc   | T |
DEBIAN_FRONTEND=noninteractive apt install -y tzdata | T |
apt-get update && apt-get upgrade -y            | T |
aptitude install -y git                         | T |
apt-get install -y ./tool.deb                   | T | tool.deb
apt-get install -t bookworm-backports -y git    | T |
apk add --no-cache git                          | T |
apk --no-cache add --virtual .build gcc         | T |
apk add -X https://e.example/edge -U git        | T |
apk upgrade --no-cache                          | T |
dnf install -y git && dnf clean all             | T |
dnf -y --setopt=install_weak_deps=False update  | T |
microdnf install --nodocs git                   | T |
yum -y groupinstall "Development Tools"         | T |
tdnf install -y git                             | T |
zypper --installroot /root-fs -n in --no-recommends git | T |
zypper -n in git                                | T |
zypper --non-interactive --gpg-auto-import-keys install -y git | T |
pacman -Syu --noconfirm git                     | T |
pacman -S --needed base-devel                   | T |
pacman --noconfirm -S --overwrite "*" git       | T |
pacman -Syyu --noprogressbar                    | T |
apt-get install -s git                          | - |
apt-get update                                  | - |
apt-get clean && rm -rf /var/lib/apt/lists/*    | - |
apt-key add x.gpg                               | - |
apt-cache policy git                            | - |
apk update                                      | - |
apk del .build                                  | - |
dnf clean all                                   | - |
yum makecache                                   | - |
zypper refresh                                  | - |
zypper -n ar https://e.example r                | - |
pacman -Sy                                      | - |
pacman --noconfirm -Syy                         | - |
pacman -Scc --noconfirm                         | - |
apt-get install -y gcc && make && apt-get purge -y gcc | ? |
apk add --virtual .b gcc && make && apk del .b  | ? |
"""


def rows(table: str) -> Iterator[tuple[str, str, list[str]]]:
    for line in table.strip().splitlines():
        command, kind, *read = (part.strip() for part in line.rsplit(" |", 2))
        yield command, kind, read[0].split() if read else []


ROWS = [row for table in (NODE, COMPILED, OTHERS, SYSTEM) for row in rows(table)]


@pytest.mark.parametrize(("command", "kind", "read"), ROWS, ids=[row[0] for row in ROWS])
def test_a_command_line_installs_what_it_says_and_reads_its_manifests(
    command: str, kind: str, read: list[str]
) -> None:
    assert runs("COPY . .", command) == kind
    steps = plan(parse_dockerfile(f"FROM base\nWORKDIR /app\nCOPY . .\nRUN {command}\n"))
    found = environment_commands(steps)[-1]
    wanted = {path if path.startswith("/") else f"/app/{path}" for path in read}
    assert wanted <= set(() if found is None else found.manifests)
    assert bool(read) == bool(found is not None and found.manifests)


@pytest.mark.parametrize(
    "command", [row[0] for row in ROWS if row[1] == "T"], ids=str
)  # fmt: skip
def test_programs_and_system_packages_above_the_context_are_nobodys_environment(
    command: str,
) -> None:
    assert runs(command, "COPY . .") == "-"


REQUIRES = "module a\n\nrequire (\n\tb.example/c v1.0.0\n)\n"
CRATE = '[package]\nname = "a"\n\n[dependencies]\n# none but\nserde = "1"\n'
PACKAGED = '<Project><ItemGroup><PackageReference Include="A" /></ItemGroup></Project>\n'
POM = "<project><artifactId>a</artifactId></project>\n"


@pytest.mark.parametrize(
    ("build", "files", "kind"),
    [
        ("go build", {"go.mod": REQUIRES}, "E"),
        ("go test ./...", {"go.mod": "module a\nrequire b.example/c v1\n"}, "E"),
        ("go build", {"go.mod": "module a\n\ngo 1.22\n"}, "-"),
        ("go build", {"go.mod": "module a\nrequire ()\n"}, "-"),
        ("go build", {"go.mod": REQUIRES, "vendor/modules.txt": "# b.example/c\n"}, "-"),
        ("go mod tidy", {"go.mod": REQUIRES}, "E"),
        ("cd cmd/api && go build", {"go.mod": REQUIRES, "cmd/api/main.go": ""}, "E"),
        ("go build ./...", {"go.work": "use ./a\n", "a/go.mod": REQUIRES}, "E"),
        ("go build hello.go", {"hello.go": ""}, "?"),
        ("--mount=type=cache,target=/go/pkg/mod go build", {"go.mod": REQUIRES}, "-"),
        ("--mount=type=cache,target=/root/.cache/go-build go build", {"go.mod": REQUIRES}, "E"),
        ("cargo build --release", {"Cargo.toml": CRATE}, "E"),
        ("cargo build", {"Cargo.toml": '[package]\nname = "a"\n[dependencies]\n'}, "-"),
        ("cargo build", {"Cargo.toml": "[workspace]\n", "b/Cargo.toml": CRATE}, "E"),
        ("cargo build", {"Cargo.toml": "[dependencies.serde]\nversion = '1'\n"}, "E"),
        ("cargo build", {"Cargo.toml": "[target.'cfg(unix)'.dependencies]\nnix = '1'\n"}, "E"),
        (
            "cargo build",
            {"Cargo.toml": CRATE, ".cargo/config.toml": '[source.x]\nreplace-with = "v"\n'},
            "-",
        ),
        ("mvn package", {"pom.xml": POM}, "E"),
        ("--mount=type=cache,target=/root/.m2 mvn package", {"pom.xml": POM}, "-"),
        ("./gradlew build", {"build.gradle": "plugins {\n  id 'java'\n}\n"}, "E"),
        ("dotnet publish", {"a.csproj": PACKAGED}, "E"),
        ("dotnet publish", {"a.csproj": "<Project />\n"}, "-"),
    ],
)
def test_a_build_fetches_what_the_manifests_of_the_project_declare(
    build: str, files: Mapping[str, str], kind: str
) -> None:
    assert runs("COPY . .", build, files=files) == kind


@pytest.mark.parametrize(
    ("lines", "files", "kind"),
    [
        # The lock comes with the source, and names other versions than the first install took.
        (
            ("COPY package.json ./", "npm install", "COPY . .", "npm install"),
            {"package.json": "{}", "package-lock.json": "{}"},
            "E?",
        ),
        (
            ("COPY package.json ./", "npm install", "COPY . .", "npm install"),
            {"package.json": "{}", "examples/package.json": "{}"},
            "E-",
        ),
        # The other packages of a workspace come with the source.
        (
            ("COPY package.json yarn.lock ./", "yarn", "COPY . .", "yarn"),
            {"package.json": '{"workspaces": ["a"]}', "yarn.lock": "", "a/package.json": "{}"},
            "E?",
        ),
        (
            ("COPY package.json yarn.lock ./", "COPY a a", "yarn", "COPY . .", "yarn"),
            {"package.json": '{"workspaces": ["a"]}', "yarn.lock": "", "a/package.json": "{}"},
            "E-",
        ),
        (
            ("COPY pnpm-lock.yaml ./", "pnpm fetch", "COPY . .", "pnpm install --offline"),
            {"pnpm-lock.yaml": "", "pnpm-workspace.yaml": "", "package.json": "{}"},
            "E-",
        ),
    ],
)
def test_an_install_again_adds_what_manifests_that_came_since_bring(
    lines: tuple[str, ...], files: Mapping[str, str], kind: str
) -> None:
    assert runs(*lines, files=files) == kind


@pytest.mark.parametrize(
    ("first", "second", "files", "kind"),
    [
        ("cargo build", "cargo build", {"Cargo.toml": CRATE}, "E-"),
        ("cargo build -r", "cargo build --release --locked", {"Cargo.toml": CRATE}, "E-"),
        ("cargo build", "cargo build --release", {"Cargo.toml": CRATE}, "EE"),
        ("cargo build -r", "cargo build -r --features x", {"Cargo.toml": CRATE}, "EE"),
        ("cargo fetch", "cargo build --release", {"Cargo.toml": CRATE}, "E-"),
        ("cargo build -p a", "cargo build", {"Cargo.toml": CRATE}, "E?"),
        ("cargo build -p a -p b", "cargo build --package b", {"Cargo.toml": CRATE}, "E-"),
        ("cargo build", "cargo build -p b", {"Cargo.toml": CRATE}, "E-"),
        ("cargo chef cook -p a", "cargo build", {"Cargo.toml": CRATE, "recipe.json": ""}, "E?"),
        ("cargo build -p a", "cargo build --offline", {"Cargo.toml": CRATE}, "E-"),
        ("npm i -w web", "npm i", {"package.json": "{}"}, "E?"),
        ("npm i", "npm i -w web", {"package.json": "{}"}, "E-"),
        ("npm i -w web", "npm i --workspace=web", {"package.json": "{}"}, "E-"),
        ("yarn workspaces focus web", "yarn install", {"package.json": "{}"}, "E?"),
        ("yarn workspaces focus --all", "yarn install", {"package.json": "{}"}, "E-"),
        ("mvn -pl a dependency:go-offline", "mvn package", {"pom.xml": POM}, "E?"),
        ("mvn -pl a,b dependency:go-offline", "mvn package -pl b", {"pom.xml": POM}, "E-"),
        ("pnpm -F web i", "pnpm -F api i", {"package.json": "{}"}, "E?"),
        ("mvn package", "mvn -o package", {"pom.xml": POM}, "E-"),
        ("mvn verify --fail-never", "mvn package -DskipTests", {"pom.xml": POM}, "E-"),
        ("dotnet restore", "dotnet publish -c Release", {"a.csproj": PACKAGED}, "E-"),
    ],
)
def test_the_first_of_two_builds_stands_for_the_dependencies(
    first: str, second: str, files: Mapping[str, str], kind: str
) -> None:
    """The source of the first is made up in the image, as ``mkdir src && echo > src/main.rs``."""
    manifests = " ".join(files)
    assert runs(f"COPY {manifests} ./", first, "COPY . .", second, files=files) == kind


GO = {"go.mod": REQUIRES}


@pytest.mark.parametrize(
    ("copied", "kind"),
    [
        ("COPY --from=deps /go/pkg /go/pkg", "E-"),
        ("COPY --from=deps /app /app", "E-"),
        ("COPY --from=deps /etc/hosts /etc/", "EE"),
    ],
)
def test_what_another_stage_fetched_is_there_if_its_directory_is_copied(
    copied: str, kind: str
) -> None:
    text = (
        "FROM a AS deps\nWORKDIR /app\nCOPY go.mod ./\nRUN go mod download\n"
        f"FROM a\nWORKDIR /app\n{copied}\nCOPY . .\nRUN go build\n"
    )
    assert kinds(text, GO) == kind


def test_the_tools_of_a_manager_change_nothing_for_another_language() -> None:
    assert runs("npm ci", "COPY . .", "pip install .") == "EE"
    assert runs("apt-get install -y python3-numpy", "COPY . .", "pip install numpy") == "-E"


def test_a_python_install_is_the_first_of_a_run_whatever_else_the_run_installs() -> None:
    text = "FROM base\nRUN npm ci && conda install numpy\n"
    command = environment_commands(plan(parse_dockerfile(text)))[-1]
    assert command is not None
    assert (command.tool, command.named) == ("conda", True)


def test_a_manager_knows_its_neighbours_files_by_what_the_run_sees() -> None:
    files = container_files({"go.mod": REQUIRES})
    steps = plan(parse_dockerfile("FROM a\nWORKDIR /app\nRUN go build\n"))
    assert environment_commands(steps, None, files)[-1] is None


@pytest.mark.parametrize("command", ["go generate ./...", "go vet ./...", "go list -m all"])
def test_a_command_that_only_looks_at_the_project_is_no_install(command: str) -> None:
    assert runs("COPY . .", command, files={"go.mod": REQUIRES}) == "-"
