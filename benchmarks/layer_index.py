"""How soon every layer of a large image is known, from each source, against ``docker save``.

Builds a synthetic image of at least 1 GB and 100,000 files in several layers. Side A is
``docker save | cat >/dev/null``, what tools pay that read the saved image. The other sides are the
plugin's index of this image, each in a process of its own: from the overlay2 directories, from the
same directories mounted into a container, from the save stream, and kept by an earlier run. Peers
that are installed (dive, container-structure-test) are timed once.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from _docker import LABEL, engine_facts
from _measure import Claim, Timing, arguments, interleaved, report

READ = """
import json, resource, sys, time
import docker
from pathlib import Path
from pytest_dockercache.image import LayerStore, open_image
ref, source, store = sys.argv[1:4]
client = docker.from_env(timeout=600)
client.ping()
cache = LayerStore(Path(store)) if store else None
start = time.perf_counter()
image = open_image(ref, client=client, sources=(source,), cache=cache)
read = time.perf_counter()
hidden = sum(file.size for file in image.view.hidden)
print(json.dumps({
    "seconds": read - start,
    "replay": time.perf_counter() - read,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "entries": sum(map(len, image.layers)),
    "bytes": image.size,
    "hidden": hidden,
    "source": image.source,
}))
"""

LIMITS = {
    "index, overlay2 directories": 1 / 8,
    "index, save stream": 1.5,
    "index, kept by an earlier run": 1 / 50,
}
MEMORY = 300e6


def main() -> int:
    """Measure, print, and return 0 if every target is met."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--megabytes", type=int, default=1100, help="of the synthetic image")
    parser.add_argument("--files", type=int, default=102_000, help="of the synthetic image")
    parser.add_argument("--image", metavar="REF", help="measure an image that is there instead")
    options = parser.parse_args()
    made = None
    try:
        if options.image is None:
            made = build(options.megabytes * 1_000_000, options.files)
        return measure(options.image or made, options.rounds, as_json=options.json)
    finally:
        if made is not None:
            subprocess.run(["docker", "image", "rm", "--no-prune", made], stdout=subprocess.DEVNULL)


def measure(ref: str, rounds: int, *, as_json: bool) -> int:
    """Time every side in turns and report."""
    with tempfile.TemporaryDirectory() as store:
        local = os.geteuid() == 0
        Reader(ref, "overlay2" if local else "save", store).read()
        readers = {
            "index, overlay2 directories": Reader(ref, "overlay2"),
            "index, directories mounted": Reader(ref, "mount"),
            "index, save stream": Reader(ref, "save"),
            "index, kept by an earlier run": Reader(ref, "save", store),
        }
        if not local:
            del readers["index, overlay2 directories"]
        for name, reader in list(readers.items()):
            if (reason := reader.refusal()) is not None:
                print(f"  left out: {name}: {reason}", file=sys.stderr)
                del readers[name]
        sides: dict[str, Callable[[], float]] = {"docker save | cat": lambda: save(ref)}
        sides.update({name: reader.read for name, reader in readers.items()})
        timings = list(interleaved(sides, rounds))
    baseline = timings[0].median
    claims = [
        Claim(f"{timing.name} / docker save", timing.median / baseline, LIMITS[timing.name])
        for timing in timings
        if timing.name in LIMITS
    ]
    for name, reader in readers.items():
        claims.append(
            Claim(f"{name}, peak memory", max(reader.of("peak")) / 1e6, MEMORY / 1e6, "MB")
        )
        timings.append(Timing(f"replay after: {name}", reader.of("replay")))
    timings += peers(ref)
    first = next(iter(readers.values())).results[0]
    facts = {key: str(first[key]) for key in ("entries", "bytes", "hidden")}
    about = "every layer of a synthetic image"
    return report(
        "layer_index", about, timings, claims, as_json=as_json, facts=engine_facts() | facts
    )


@dataclass
class Reader:
    """Reads an image in a process of its own; keeps what each reading said."""

    ref: str
    source: str
    store: str = ""
    results: list[dict[str, float]] = field(default_factory=list)

    def read(self) -> float:
        """Read once; return the seconds until every layer was indexed, replay not counted."""
        command = [sys.executable, "-c", READ, self.ref, self.source, self.store]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        self.results.append(json.loads(done.stdout))
        return self.results[-1]["seconds"]

    def refusal(self) -> str | None:
        """Why this source cannot give the image, None if it can."""
        try:
            self.read()
        except subprocess.CalledProcessError as error:
            return str(error.stderr).strip().splitlines()[-1]
        self.results.clear()
        return None

    def of(self, name: str) -> tuple[float, ...]:
        """One figure of every reading."""
        return tuple(result[name] for result in self.results)


def save(ref: str) -> float:
    """Seconds of ``docker save | cat >/dev/null``."""
    start = time.perf_counter()
    subprocess.run(["sh", "-c", 'docker save "$1" | cat >/dev/null', "sh", ref], check=True)
    return time.perf_counter() - start


def build(size: int, files: int) -> str:
    """Build the synthetic image: five layers of files, one that replaces some."""
    token = secrets.token_hex(6)
    tag = f"dockercache-benchmark:{token}"
    layers = 5
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        lines = ["FROM scratch"]
        for number in range(layers):
            fill(root / f"layer{number}", number, files // layers, size // files)
            lines.append(f"COPY layer{number}/ /")
        again = Path("opt/env0/lib/python3.10/site-packages/package_0")
        shutil.copytree(root / "layer0" / again, root / "again" / again)
        (root / "again" / again / "module_1_with_a_longer_name.py").write_text("changed")
        lines.append("COPY again/ /")
        (root / "Dockerfile").write_text("\n".join(lines) + "\n")
        command = ["docker", "buildx", "build", "--quiet", "--label", f"{LABEL}={token}", "-t", tag]
        subprocess.run([*command, directory], check=True, stdout=subprocess.DEVNULL)
    return tag


def fill(top: Path, number: int, files: int, average: int) -> None:
    """Write an environment of packages: most files small, one in fifty with most of the bytes."""
    randomness = random.Random(number)
    pool = randomness.randbytes(1 << 22)
    site = top / f"opt/env{number}/lib/python3.10/site-packages"
    for position in range(files):
        package = site / f"package_{position // 40}"
        if position % 40 == 0:
            package.mkdir(parents=True)
        length = average // 4 if position % 50 else average * 38
        start = randomness.randrange(len(pool) - length)
        (package / f"module_{position}_with_a_longer_name.py").write_bytes(
            pool[start : start + length]
        )


def peers(ref: str) -> list[Timing]:
    """The image given to each installed tool, once."""
    found = []
    if dive := shutil.which("dive"):
        found.append(Timing("dive --ci", (timed([dive, "--ci", ref]),)))
    if tool := shutil.which("container-structure-test"):
        with tempfile.TemporaryDirectory() as directory:
            config = Path(directory) / "test.yaml"
            config.write_text(
                'schemaVersion: "2.0.0"\nfileExistenceTests:\n'
                '- {name: gone, path: "/opt/conda/pkgs", shouldExist: false}\n'
            )
            archive = str(Path(directory) / "image.tar")
            saved = timed(["docker", "save", "-o", archive, ref])
            command = [tool, "test", "--driver", "tar", "--image", archive, "--config", str(config)]
            found.append(Timing("container-structure-test, tar", (saved + timed(command),)))
    return found


def timed(command: list[str]) -> float:
    """Seconds of a command, whatever it says."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
