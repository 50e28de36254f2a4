"""The pytest11 entry: options, ini keys, the marker and thin fixtures; the rest is imported late.

Every process of every pytest run in the environment imports this module. The
module therefore needs nothing but pytest, and imports the product only while
the plugin is active. The table of options stands here because a module of its
own takes a tenth of what the whole plugin costs. The module has few names,
because pytest looks at each name for a fixture (30 µs each with pytest 9.2),
and no assert statement (PYTEST_DONT_REWRITE).
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import BuildSpec, Edit
    from .testing import DockerCache

del TYPE_CHECKING, annotations

OFF = "needs --dockercache (builds Docker images)"
"""Why a test of ours is skipped in an ordinary run."""

OPTIONS: tuple[tuple[str, str, str | None, str], ...] = (
    ("", "flag", None, "collect the Dockerfile as tests of its build cache and its image"),
    ("strict", "flag", None, "a check that cannot be verified fails instead of being skipped"),
    ("skip", "list", "ID", "leave out the check with this id (repeatable)"),
    ("keep", "flag", None, "keep the images that were built, and say their names"),
    (
        "timeout",
        "text",
        "SECONDS",
        "cancel a build that takes longer; wait no longer for any answer of the daemon",
    ),
    (
        "report",
        "list",
        "TYPE:PATH",
        "write a report: json, md, html, sarif, codequality or annotations; none turns off what "
        "GitHub Actions shows by default (repeatable; the path - is the standard output)",
    ),
    (
        "engine",
        "text",
        "NAME",
        "what builds: auto (default), buildx, buildkit, classic, or model, which predicts",
    ),
    (
        "builder",
        "text",
        "NAME",
        "a buildx builder (default: the one that your own docker build would use)",
    ),
    (
        "dockerfile",
        "list",
        "PATH[,context=DIR][,target=STAGE]",
        "a Dockerfile to check (repeatable; default: Dockerfile, then Containerfile, in the "
        "invocation directory, then at the root)",
    ),
    (
        "context",
        "text",
        "DIR",
        "the build context (default: what compose, bake or devcontainer.json give to the "
        "Dockerfile; else, of its directory and those above it, the one that holds most of what "
        "it copies)",
    ),
    ("target", "text", "STAGE", "the stage to build (default: the last one)"),
    ("build-arg", "list", "K=V", "a build argument (repeatable)"),
    (
        "build-context",
        "list",
        "NAME=PATH",
        "a named build context, as buildx takes it (repeatable)",
    ),
    (
        "compose",
        "optional",
        "FILE[,target=NAME]",
        "judge what the services of a compose file build (repeatable; without FILE: compose.yaml, "
        "or an old name of it)",
    ),
    (
        "bake",
        "optional",
        "FILE[,target=NAME]",
        "judge what the targets of a bake file build (repeatable; without FILE: docker-bake.hcl or "
        "docker-bake.json)",
    ),
    (
        "fix",
        "text",
        "PATCHFILE",
        "prove the fixes of failing checks by building, and write the proven ones as a patch",
    ),
    (
        "platform",
        "list",
        "P[,P…]",
        "the platform to build for, for example linux/arm64; of several, each is judged for itself "
        "(repeatable)",
    ),
    ("secret", "list", "SPEC", "a secret for the build, as buildx takes it (repeatable)"),
    (
        "ssh",
        "list",
        "SPEC",
        "an ssh agent or key for the build, as buildx takes it (repeatable)",
    ),
    (
        "cache-from",
        "list",
        "SPEC",
        "a cache that builds import, as buildx takes it; the check cache-from says whether an "
        "empty builder gets the environment from it (repeatable)",
    ),
    (
        "cache-to",
        "list",
        "SPEC",
        "where the check cache-from exports the cache to before an empty builder imports it, as "
        "buildx takes it (repeatable)",
    ),
    (
        "buildkit-image",
        "text",
        "REF",
        "the image of the empty builder of the check cache-from (default: buildx's own)",
    ),
    (
        "build-log",
        "text",
        "FILE",
        "judge the build that this log tells of, and build nothing",
    ),
    (
        "since",
        "text",
        "REF",
        "the commit that was built before that build: a changed environment may be installed",
    ),
    (
        "edit",
        "text",
        "PATH",
        "the one source file to judge (default: every one that the image takes)",
    ),
    ("env-step", "text", "REGEX", "RUN instructions that match are environment steps as well"),
    ("environment", "list", "PATH", "an environment file of the build context (repeatable)"),
    ("python", "text", "VERSION", "the Python version that the image must report"),
    ("max-hidden", "text", "SIZE", "bytes that later layers may hide (default: 10MB)"),
    ("max-size", "text", "SIZE", "the largest size that the image may have"),
    ("max-reship", "text", "SIZE", "bytes of layers that a source edit may make anew"),
    ("min-saving", "text", "SHARE", "the share of the build time that a rebuild must avoid"),
    (
        "base-layers",
        "text",
        "ignore|check",
        "whether the base image's layers are judged as well (default: ignore)",
    ),
    (
        "image",
        "list",
        "REF|TAR|OCIDIR",
        "judge this image and build none (repeatable)",
    ),
    (
        "base-image",
        "text",
        "REF|TAR|OCIDIR",
        "what the image named with --dockercache-image was built on",
    ),
    ("baseline", "text", "FILE", "the JSON report of an earlier run, to say what became worse"),
    (
        "max-growth",
        "text",
        "SIZE",
        "bytes by which an image may have grown since that run",
    ),
    (
        "compare",
        "text",
        "REF|TAR|OCIDIR",
        "the image whose environment the judged one must have",
    ),
)
"""The name after ``--dockercache-`` ("" is ``--dockercache`` itself). A ``flag`` takes no value,
a ``list`` may be given several times, a ``text`` once; the value of an ``optional`` may be left
out, and it may be given several times."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register every option, and an ini key for each."""
    group = parser.getgroup("dockercache", "Docker build cache")
    for name, kind, metavar, text in OPTIONS:
        option = f"--dockercache-{name}" if name else "--dockercache"
        key = option[2:].replace("-", "_")
        if kind == "flag":
            parser.addini(key, f"the same as {option}", type="bool", default=False)
        elif kind in ("list", "optional"):
            parser.addini(key, f"the same as {option}, one a line", type="linelist", default=[])
        else:
            parser.addini(key, f"the same as {option}", type="string", default=None)
        # Without dest, pytest 9 compares each option with all that exist.
        if kind == "flag":
            group.addoption(option, dest=key, action="store_true", default=None, help=text)
        elif kind == "optional":
            group.addoption(
                option, dest=key, action="append", nargs="?", const="", metavar=metavar, help=text
            )
        else:
            action = "append" if kind == "list" else "store"
            group.addoption(option, dest=key, action=action, metavar=metavar, help=text)


def is_active(config: pytest.Config) -> bool:
    """Whether ``--dockercache`` is given or ``dockercache`` is set in the ini file."""
    return bool(config.getoption("dockercache") or config.getini("dockercache"))


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the rest of the plugin if ``--dockercache`` asks for it."""
    config.addinivalue_line(
        "markers",
        "dockercache(dockerfile=None, context=None, target=None, build_args=None, edit=None, "
        "engine=None): build an image, edit its context and assert which steps are built again "
        "(needs --dockercache)",
    )
    if is_active(config) and not config.getoption("help", False):
        from ._pytest import activate

        activate(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that options of ours have no effect when the plugin is off."""
    if is_active(config):
        return None
    idle = [
        "--" + key.replace("_", "-")
        for key, value in vars(config.option).items()
        if key.startswith("dockercache_") and value is not None
    ]
    return f"dockercache: off, {', '.join(idle)} without --dockercache" if idle else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the marked tests when the plugin is off."""
    if is_active(config):
        return
    skip = pytest.mark.skip(reason=OFF)
    for item in items:
        if item.get_closest_marker("dockercache") is not None:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def dockercache_engine(pytestconfig: pytest.Config) -> str:
    """The name of the engine that the ``dockercache`` fixture builds with; override it to choose.

    The default is the value of ``--dockercache-engine``. ``engine=`` of a
    test's marker wins over this fixture.
    """
    if not is_active(pytestconfig):
        pytest.skip(OFF)
    from ._pytest import judge_of

    return judge_of(pytestconfig).options.image.settings.engine


@pytest.fixture
def dockercache_spec(request: pytest.FixtureRequest) -> BuildSpec:
    """The build of the ``dockercache`` fixture; override this fixture for another build.

    The default is the Dockerfile of the test's marker, else the nearest one
    above the test's file. Paths in the marker are relative to the rootdir.
    """
    if not is_active(request.config):
        pytest.skip(OFF)
    from ._pytest import marked

    return marked.spec_of(request.node)


@pytest.fixture
def dockercache_edit(request: pytest.FixtureRequest) -> Edit | str | Iterable[Edit | str] | None:
    """The edit between the builds of the ``dockercache`` fixture; override it to make another.

    A path stands for a comment line appended to that file. None, the default
    without ``edit=`` in the marker, stands for the source edit that the header
    names. ``edit=`` of a test's marker wins over this fixture.
    """
    if not is_active(request.config):
        pytest.skip(OFF)
    from ._pytest import marked

    return marked.edit_of(request.node)


@pytest.fixture
def dockercache(
    request: pytest.FixtureRequest,
    dockercache_spec: BuildSpec,
    dockercache_edit: Edit | str | Iterable[Edit | str] | None,
    dockercache_engine: str,
) -> DockerCache:
    """The image built, its context edited, and the image built again.

    Has ``assert_hit``, ``assert_miss``, ``rebuild``, ``steps``, ``first`` and
    ``image``. Without ``--dockercache`` the test is skipped.
    """
    from ._pytest import marked

    return marked.rebuild_of(request.node, dockercache_spec, dockercache_edit, dockercache_engine)
