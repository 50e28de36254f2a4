"""Managers of other languages: known by name, so that their installs are seen and not judged."""

from __future__ import annotations

from ...regexes import regex
from .table import Tool, known_layouts

__all__ = ["TOOLS"]


_BUILDS = {
    "go": "build test vet generate run",
    "cargo": "build test run check",
    "maven": "compile package install verify test deploy",
    "gradle": "build assemble bootJar jar war",
    "dotnet": "build publish test run",
}
"""Subcommands that install only the dependencies that are not there yet, on the way to something
else."""


_NODE_VARIABLES = (
    r"(?i:npm_config_\w+)|(NODE|YARN|PNPM|COREPACK|BUN|SASS|SHARP|PUPPETEER|PLAYWRIGHT|CYPRESS"
    r"|ELECTRON)_\w+|ADBLOCK|HUSKY|CI"
)
_VARIABLES = {
    "npm": _NODE_VARIABLES,
    "yarn": _NODE_VARIABLES,
    "pnpm": _NODE_VARIABLES,
    "bun": _NODE_VARIABLES,
    "go": r"GO(PROXY|PRIVATE|NOPROXY|NOSUMDB|SUMDB|FLAGS|OS|ARCH|ARM|AMD64|PATH|ROOT|BIN|CACHE"
    r"|MODCACHE|TOOLCHAIN|INSECURE|VCS|AUTH|WORK|EXPERIMENT|TMPDIR|111MODULE)|GO111MODULE|CGO_\w+",
    "cargo": r"(CARGO|RUST|RUSTUP|SCCACHE)_\w+|RUSTFLAGS",
    "bundler": r"(BUNDLE|BUNDLER|GEM|RUBY|NOKOGIRI)_\w+|RUBYOPT",
    "composer": r"COMPOSER(_\w*)?",
    "conan": r"CONAN_\w+",
    "vcpkg": r"(VCPKG|X_VCPKG)_\w+",
    "maven": r"(MAVEN|MVNW|M2|JAVA)_\w+|JDK_JAVA_OPTIONS",
    "gradle": r"(GRADLE|ORG_GRADLE|JAVA)_\w+|JDK_JAVA_OPTIONS",
    "dotnet": r"(NUGET|DOTNET|VSS_NUGET|MSBUILD)_\w+|NuGetPackageSourceCredentials_\w+",
    "mix": r"(MIX|HEX|ELIXIR|ERL)_\w+",
    "R": r"(R|RENV|RSPM|PAK|PKG|CRAN|BIOCONDUCTOR|BIOC)_\w+|CRAN|RSPM|GITHUB_PAT",
    "julia": r"JULIA_\w+",
    "stack": r"(STACK|CABAL)_\w+",
    "apt": r"(APT|DEBIAN)_\w+",
    "brew": r"HOMEBREW_\w+",
    "tox": r"(TOX|NOX)_\w+|FORCE_PYTHON",
}
"""Variables that these managers, and the programs that they run to install, read by themselves."""


def _tool(name: str, programs: str, installs: str, manifests: str = "", kept: str = "") -> Tool:
    return Tool(
        name=name,
        programs=regex(programs),
        installs=frozenset(installs.split(" ") if installs else ()),
        builds=frozenset(_BUILDS.get(name, "").split()),
        manifests=regex(manifests or r"(?!)"),
        kept=regex(kept or r"(?!)"),
        variables=regex(_VARIABLES.get(name, r"(?!)")),
        foreign=True,
        caches=known_layouts(name),
    )


_NODE = (
    r"package(-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-(lock|workspace)\.yaml|"
    r"bun\.lockb?|\.npmrc|\.yarnrc(\.yml)?|lerna\.json|nx\.json|turbo\.json|\.nvmrc|"
    r"\.node-version"
)
_YARN = r"(.*/)?\.yarn/(releases|plugins|patches)/.*"
_DOTNET = (
    r".*\.(cs|fs|vb)proj|.*\.slnx?|nuget\.config|packages\.lock\.json|global\.json|"
    r"directory\.(build|packages)\.(props|targets)"
)
_GRADLE = r"(build|settings)\.gradle(\.kts)?|gradle\.(properties|lockfile)|gradlew"
_APT = "install upgrade dist-upgrade full-upgrade build-dep"

TOOLS = (
    _tool("npm", "npm|npx|corepack", "ci clean-install install i add update", _NODE),
    _tool("yarn", "yarn(pkg)?|berry", " install add", _NODE, _YARN),
    _tool("pnpm", "pnpm", "install i add fetch", _NODE),
    _tool("bun", "bun", "install i add ci", _NODE),
    _tool("go", "go", "get install download", r"go\.(mod|sum|work|work\.sum)"),
    _tool(
        "cargo",
        "cargo",
        "fetch install add chef",
        r"cargo\.(toml|lock)|rust-toolchain(\.toml)?",
        r"(.*/)?\.cargo/config(\.toml)?",
    ),
    _tool(
        "bundler",
        "bundler?|gem",
        " install update",
        r"gemfile(\.lock)?|.*\.gemspec|\.ruby-version",
        r"(.*/)?\.bundle/config|(.*/)?lib/(.*/)?version\.rb",
    ),
    _tool(
        "composer",
        r"composer(\.phar)?",
        "install update require",
        r"composer\.(json|lock)|auth\.json",
    ),
    _tool("conan", "conan", "install", r"conanfile\.(py|txt)|conan\.lock|conanprofile.*"),
    _tool("vcpkg", "vcpkg", "install", r"vcpkg(-configuration)?\.json"),
    _tool(
        "maven",
        r"mvnw?",
        "dependency:go-offline dependency:resolve",
        r"pom\.xml|mvnw",
        r"(.*/)?\.mvn/.*",
    ),
    _tool(
        "gradle",
        r"gradlew?",
        "dependencies",
        _GRADLE,
        r"(.*/)?gradle/(wrapper/)?[^/]*",
    ),
    _tool("dotnet", "dotnet|nuget", "restore", _DOTNET),
    _tool("mix", "mix", "deps.get deps.compile", r"mix\.(exs|lock)"),
    _tool(
        "R",
        r"R|Rscript|install2\.r|installGithub\.r|renv|pak",
        "",
        r"renv\.lock|\.rprofile|description|install\.r",
        r"(.*/)?renv/(activate\.r|settings\.(json|dcf))|(.*/)?packrat/packrat\.lock",
    ),
    _tool("julia", "julia", "", r"(julia)?(project|manifest)\.toml"),
    _tool("stack", "stack|cabal", "build install", r"stack\.yaml(\.lock)?|.*\.cabal|package\.yaml"),
    _tool("apt", r"apt|apt-get|aptitude", _APT),
    _tool("apk", "apk", "add upgrade"),
    _tool("dnf", r"dnf|microdnf|yum|zypper|tdnf", "install in update upgrade groupinstall"),
    _tool("brew", "brew", "install bundle", "brewfile(\\.lock\\.json)?"),
    _tool("pacman", "pacman", "-S -Sy -Syu -Syyu"),
    _tool("perl", "cpanm?|carton|cpm", " install --installdeps", r"cpanfile(\.snapshot)?"),
    _tool("deno", "deno", "cache install", r"deno\.(jsonc?|lock)|import_map\.json"),
    _tool("leiningen", "lein", "deps", r"project\.clj|profiles\.clj"),
    _tool("sbt", "sbt", "update", r".*\.sbt", r"(.*/)?project/build\.properties"),
    _tool("rebar", "rebar3?", "get-deps", r"rebar\.(config|lock)"),
    _tool("dart", "dart|flutter", "get upgrade", r"pubspec\.(yaml|lock)"),
    _tool("swift", "swift", "resolve", r"package\.(swift|resolved)"),
    _tool("meson", "meson", "download", r"meson\.build|meson(_|\.)options(\.txt)?"),
    _tool(
        "nix", "nix(-build|-shell|-env)?", " build develop shell -i -iA -f", r".*\.nix|flake\.lock"
    ),
    _tool("tox", "tox|nox", " run r devenv", r"tox\.(ini|toml)|noxfile\.py"),
)
