"""The cost of many images: 30 of one repository, predicted and built, against the builds by hand.

Each image has a Dockerfile of its own and the repository's root as context; ``compose.yaml``
defines them. Sides M1 and M30 are the processor time of whole runs of pytest with the model, on one
image and on 30: what 30 cost beyond one is judging, since pytest, the plugin and the context are
loaded and read in both. Side A is the warm gate (``pytest --dockercache`` with the cache checks,
every step known to the builder), side B an empty pytest run and the same builds with the docker CLI
alone: as it is, after an edit of a source file, after an edit of the requirements (stopped when the
install begins), and after changes in ignored paths.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from _docker import Cli, base_image, engine_facts, pytest_run, workshop
from _measure import Claim, Timing, arguments, interleaved, report

IMAGES, FILES = 30, 20
CACHE_CHECKS = "builds or layer-cached or change-rebuilds or dockerignore"
COPY_MANIFEST, INSTALL, COPY_SOURCE = (
    "requirements.txt ./",
    "pip install --no-cache-dir",
    "/src/ src/",
)

DOCKERFILE = """\
ARG BASE=python:3.12
FROM ${{BASE}}
WORKDIR /opt/app
COPY services/{name}/requirements.txt ./
RUN pip install --no-cache-dir --no-compile -r requirements.txt
COPY services/{name}/src/ src/
CMD ["python", "src/module0.py"]
"""
"""All services ask for the same packages: the builder installs them once, as for a shared base."""


def repository(root: Path, images: int) -> Path:
    """A repository with some services, each of them one image."""
    services = []
    for number in range(images):
        name = f"s{number:02}"
        place = root / "services" / name
        (place / "src").mkdir(parents=True)
        (place / "requirements.txt").write_text("six==1.17.0\n")
        for module in range(FILES):
            (place / "src" / f"module{module}.py").write_text(f"print('{name}', {module})\n")
        (place / "Dockerfile").write_text(DOCKERFILE.format(name=name))
        services.append(
            f"  {name}: {{build: {{context: ., dockerfile: services/{name}/Dockerfile}}}}\n"
        )
    (root / "compose.yaml").write_text("services:\n" + "".join(services))
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / ".dockerignore").write_text(".git\n.pytest_cache\n**/__pycache__\n")
    return root


def main() -> int:
    """Measure, print, and return 0 if the targets are met."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--base", metavar="IMAGE", help="the base image (default: the stand-in)")
    parser.add_argument("--only-model", action="store_true", help="build nothing")
    options = parser.parse_args()
    base = "python:3.12" if options.only_model else options.base or base_image()
    cli = Cli({"BASE": base})
    with workshop(cli.token, (COPY_MANIFEST, INSTALL, COPY_SOURCE)) as directory:
        one = repository(directory / "one", 1)
        many = repository(directory / "many", IMAGES)
        cache = {"XDG_CACHE_HOME": str(directory / "cache")}

        def predicted(root: Path, images: int) -> float:
            asked = ["--dockercache", "--dockercache-engine=model", "-k", CACHE_CHECKS]
            return _processor_time(lambda: pytest_run(root, asked, cache, passed=3 * images))

        models = interleaved(
            {"M1": lambda: predicted(one, 1), f"M{IMAGES}": lambda: predicted(many, IMAGES)},
            options.rounds + 2,
            unit="CPU s",
        )
        judging = models[1].median - models[0].median
        claims = [Claim(f"the model, {IMAGES} images beyond one", judging, 1.0, "CPU s")]
        timings: list[Timing] = list(models)
        facts = {"images": str(IMAGES), "files of the context": str(IMAGES * (FILES + 2))}
        if not options.only_model:
            gates = _gates(one, many, cli, base, cache, options.rounds)
            timings += gates
            a1, a, b = (timing.median for timing in gates)
            claims += [
                Claim("A / B, ratio of medians", a / b, 1.3),
                Claim(f"A for {IMAGES} images / {IMAGES} times A for one", a / (IMAGES * a1), 1.0),
            ]
            facts |= engine_facts()
    about = f"{IMAGES} images of one repository"
    return report("monorepo", about, timings, claims, as_json=options.json, facts=facts)


def _processor_time(run: Callable[[], object]) -> float:
    """The processor time of the processes that a call starts and waits for, in seconds."""
    before = os.times()
    run()
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def _gates(
    one: Path, many: Path, cli: Cli, base: str, cache: dict[str, str], rounds: int
) -> tuple[Timing, ...]:
    """The warm gate on one image and on all, and the builds of all by hand."""
    empty = many.parent / "empty"
    empty.mkdir()
    (empty / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    asked = ["--dockercache", f"--dockercache-build-arg=BASE={base}", "-k", CACHE_CHECKS]
    names = sorted(place.name for place in (many / "services").iterdir())

    def by_hand() -> float:
        seconds = pytest_run(empty, [], {}, passed=1)
        return seconds + sum(_built(many, name, cli) for name in names)

    sides = {
        "A1 pytest --dockercache, one image": lambda: pytest_run(one, asked, cache, passed=4),
        f"A  pytest --dockercache, {IMAGES} images": lambda: pytest_run(
            many, asked, cache, passed=4 * IMAGES
        ),
        f"B  empty pytest run + {IMAGES} images by hand": by_hand,
    }
    for warm_up in sides.values():
        warm_up()
    return interleaved(sides, rounds)


def _built(root: Path, name: str, cli: Cli) -> float:
    """The builds of one image by hand, in seconds until the last docker process is gone."""
    place = root / "services" / name
    dockerfile = place / "Dockerfile"
    seconds = cli.build(root, dockerfile=dockerfile).gone
    for path, running in (("src/module0.py", None), ("requirements.txt", INSTALL)):
        file = place / path
        before = file.read_text()
        file.write_text(f"{before}# {secrets.token_hex(6)}\n")
        try:
            if running is None:
                built = cli.build(root, lambda seen: seen.runs(COPY_SOURCE), dockerfile=dockerfile)
            else:
                built = cli.build(
                    root, lambda seen: seen.runs(INSTALL), running, dockerfile=dockerfile
                )
            seconds += built.gone
        finally:
            file.write_text(before)
    probe = root / ".pytest_cache" / "probe"
    probe.parent.mkdir(exist_ok=True)
    probe.write_text(secrets.token_hex(6))
    try:
        return seconds + cli.build(root, dockerfile=dockerfile).gone
    finally:
        shutil.rmtree(probe.parent)


if __name__ == "__main__":
    sys.exit(main())
