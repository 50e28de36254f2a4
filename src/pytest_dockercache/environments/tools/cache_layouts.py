"""The layouts of the package caches of tools that people run in a Dockerfile.

The layouts of pip, uv, poetry, pdm, pipenv, npm 11, yarn 1.22 and 4.18, pnpm 12 and cargo 1.95 were
read from caches that these tools made, the layouts of conda, libmamba and rattler from their
sources, the layouts of Go and apt from their documentation. Another version of a tool may lay its
cache out otherwise: then no proof is found, and the cache is not seen. A proof is a path, and no
content: files of a project that lie at such a path are taken for a cache.
"""

from __future__ import annotations

from ...image import CacheKind, CachePart, CacheProof

__all__ = ["LAYOUTS"]

_HEX = "[0-9a-f]"
_BYTE = f"{_HEX}{{2}}"
_HASHED = f"{_HEX}/{_HEX}/{_HEX}/{_HEX}/{_HEX}/{_HEX}{{56}}"
"""Where CacheControl's file cache keeps an answer: five letters of its SHA-224, then all."""
_SPLIT = f"{_BYTE}/{_BYTE}/{_BYTE}/{_HEX}{{50,58}}"
"""Where pip, pdm and poetry keep a wheel: a digest, cut after two, four and six letters."""

# --- conda, mamba, micromamba, pixi -----------------------------------------------------------

_PLATFORM = r"(?:noarch|(?:linux|osx|win|freebsd|zos|emscripten|wasi)-\w+)"
_PACKAGE = r"[^/]+-[^/-]+-[^/-]+"
"""name-version-build"""

# libmamba 2.6 (mamba-org/mamba#4163) lays packages out by the URL that they come from:
# pkgs/https/conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py310h_0.conda. The URL of a
# channel may have a part "pkgs" too: repo.anaconda.com/pkgs/main.
_FROM_URL = rf"(?:https?|file|ftp|oci|s3)/(?:[^/]+/)+?{_PLATFORM}"
_FROM_CHANNEL = rf"(?:(?!pkgs/)[^/]+/)+?{_PLATFORM}"
_CONDA = rf"(?P<place>.*?)(?:/{_FROM_URL}|(?<=/pkgs)/{_FROM_CHANNEL})?"
_BELOW = rf"(?:(?:{_FROM_URL}|{_FROM_CHANNEL})/)?"
_REPODATA = rf"(?P<place>.*)/cache/{_HEX}{{8}}\."
_NOTED = ("urls", "urls.txt")
"""conda and mamba write down in these which archives a cache was filled from."""
_CONDAS = ("urls", "../conda-meta", "../condabin")
"""Only conda makes the first; its own ``pkgs`` lies in its base environment.

Many download scripts have a ``urls.txt``.
"""
_CHANNEL = ("repodata.json", "repodata.json.zst", "repodata.json.bz2", "current_repodata.json")
"""A platform's directory with an index of its own is a channel that somebody serves."""

_CONDA_KIND = CacheKind(
    tool="conda",
    proofs=(
        CacheProof(
            "/info/repodata_record.json\0", rf"{_CONDA}/{_PACKAGE}/info/repodata_record\.json"
        ),
        # Every package has these lists of its files; a project's info/index.json has not.
        CacheProof(
            "/info/index.json\0",
            rf"{_CONDA}/{_PACKAGE}/info/index\.json",
            along=("paths.json", "files"),
        ),
        CacheProof(
            "/info/index.json\0",
            rf"{_CONDA}/{_PACKAGE}/info/index\.json",
            beside=(*_CONDAS, "../envs"),
        ),
        CacheProof("/cache/", rf"{_REPODATA}(?:info\.json|state\.json|solv)"),
        CacheProof("/cache/", rf"{_REPODATA}json", beside=_CONDAS),
        CacheProof(".conda\0", rf"{_CONDA}/[^/]+\.conda", beside=_NOTED, without=_CHANNEL),
        CacheProof(
            ".conda\0",
            rf"(?P<place>.*?)(?:/{_FROM_URL}|(?<=/pkgs)/{_FROM_CHANNEL})/[^/]+\.conda",
            without=_CHANNEL,
        ),
        CacheProof(".conda\0", r"(?P<place>.*?/pkgs)/[^/]+\.conda", without=_CHANNEL),
        CacheProof(
            ".tar.bz2\0",
            rf"(?P<place>.*?/pkgs)/{_PACKAGE}\.tar\.bz2",
            beside=(*_NOTED, *_CONDAS),
            without=_CHANNEL,
        ),
        CacheProof(
            ".tar.bz2\0",
            rf"{_CONDA}/{_PACKAGE}\.tar\.bz2",
            beside=_CONDAS,
            without=_CHANNEL,
        ),
    ),
    parts=(
        CachePart("conda-index", "conda's index cache", "cache/"),
        CachePart("conda-packages", "extracted packages", rf"(?P<unit>{_BELOW}{_PACKAGE})/"),
        CachePart(
            "conda-archives",
            "package archives",
            rf"{_BELOW}[^/]+\.(?:conda|tar\.bz2)(?:\.partial)?\Z",
        ),
        CachePart(
            "record",
            "conda's notes",
            rf"{_BELOW}(?:urls|urls\.txt|[^/]+\.lock|[^/]+\.json)\Z",
            fails=False,
        ),
    ),
    avoid="conda clean -afy",
    clean="conda clean -afy",
)

_RATTLER = CacheKind(
    tool="pixi",
    proofs=(CacheProof("/repodata/", rf"(?P<place>.*)/repodata/{_HEX}{{8}}\.(?:info\.)?json"),),
    parts=(CachePart("pixi", "pixi's index cache", "(?:repodata|run_exports_cache)/"),),
    avoid="pixi clean cache --yes",
    clean="pixi clean cache --yes",
)

# --- pip and the tools that use its cache
# ----------------------------------------------------------------

_PIP_PROOFS = (
    CacheProof("/http-v2/", rf"(?P<place>.*?)/http-v2/{_HASHED}(?:\.body)?"),
    CacheProof("/pip/http-v2/", rf"(?P<place>.*?/pip)/http-v2/{_HEX}/.+"),
    CacheProof("/http/", rf"(?P<place>.*?)/http/{_HASHED}"),
    CacheProof("/selfcheck/", rf"(?P<place>.*?)/selfcheck/{_HEX}{{56}}(?:\.json)?"),
    CacheProof("/wheels/", rf"(?P<place>.*?)/wheels/{_SPLIT}/(?:[^/]+\.whl|origin\.json)"),
)

_PIP = CacheKind(
    tool="pip",
    proofs=_PIP_PROOFS,
    parts=(CachePart("pip", "pip's cache", f"(?:http/{_HEX}|http-v2|selfcheck|wheels/{_BYTE})/"),),
    avoid="pip install --no-cache-dir (or ENV PIP_NO_CACHE_DIR=1)",
    clean="pip cache purge",
)

_PIPENV = CacheKind(
    tool="pipenv",
    proofs=(
        *(
            CacheProof(
                "/pipenv" + proof.literal,
                proof.path.replace("(?P<place>.*?)", "(?P<place>.*?/pipenv)"),
            )
            for proof in _PIP_PROOFS
            if "/pip)" not in proof.path
        ),
        CacheProof("/pipenv-manifests/", "(?P<place>.*?)/pipenv-manifests/.+"),
    ),
    parts=(
        CachePart(
            "pipenv",
            "pipenv's cache",
            f"(?:http/{_HEX}|http-v2|selfcheck|wheels/{_BYTE}|pipenv-manifests|hash-cache)/"
            r"|depcache-[^/]+\.json\Z",
        ),
    ),
    avoid="PIPENV_CACHE_DIR=/tmp/pipenv pipenv install --deploy && rm -r /tmp/pipenv, or a cache "
    "mount for it",
)

_UV = CacheKind(
    tool="uv",
    proofs=(
        CacheProof(".rkyv\0", r"(?P<place>.*?)/(?:simple|flat-index)-v\d+/.+\.rkyv"),
        CacheProof(
            ".msgpack\0",
            r"(?P<place>.*?)/(?:wheels|built-wheels|sdists|interpreter)-v\d+/.+\.msgpack",
        ),
        CacheProof(".dist-info/", r"(?P<place>.*?)/archive-v\d+/[^/]+/[^/]+\.dist-info/[A-Z]+"),
    ),
    parts=(
        CachePart("uv", "uv's cache", r"(?P<unit>archive-v\d+/[^/]+)/"),
        CachePart("uv", "uv's cache", r"[a-z-]+-v\d+/|(?:CACHEDIR\.TAG|\.lock|\.gitignore)\Z"),
    ),
    avoid="--no-cache in that command (or ENV UV_NO_CACHE=1)",
    clean="uv cache clean",
)

_POETRY = CacheKind(
    tool="poetry",
    proofs=(
        CacheProof(
            "/artifacts/", rf"(?P<place>.*?)/artifacts/{_SPLIT}/[^/]+\.(?:whl|zip|tar\.\w+|tgz)"
        ),
        CacheProof(
            "/cache/repositories/", rf"(?P<place>.*?)/cache/repositories/[^/]+/_http/{_HEX}/.+"
        ),
        CacheProof("/pypoetry/cache/", r"(?P<place>.*?/pypoetry)/cache/repositories/[^/]+/.+"),
    ),
    # Beside them stands virtualenvs/, which is no cache.
    parts=(CachePart("poetry", "poetry's cache", "(?:artifacts|cache)/"),),
    avoid="poetry install --no-cache (or POETRY_CACHE_DIR=/tmp/poetry, removed in the same RUN)",
)

_PDM = CacheKind(
    tool="pdm",
    proofs=(
        CacheProof("/http-cache.db\0", r"(?P<place>.*?)/http/http-cache\.db"),
        CacheProof(".whl.cache/", r"(?P<place>.*?)/packages/[^/]+\.whl\.cache/.+"),
        CacheProof("/hashes/", rf"(?P<place>.*?)/hashes/{_SPLIT}"),
        CacheProof("/pdm/http/", rf"(?P<place>.*?/pdm)/http/{_HASHED}"),
        CacheProof("/pdm/wheels/", rf"(?P<place>.*?/pdm)/wheels/{_SPLIT}/.+"),
    ),
    parts=(
        CachePart("pdm", "pdm's cache", r"(?P<unit>packages/[^/]+\.whl\.cache)/"),
        CachePart("pdm", "pdm's cache", f"(?:http|hashes|metadata|wheels/{_BYTE})/"),
    ),
    avoid="--no-cache in that command (pdm install --no-cache)",
    clean="pdm cache clear",
)

# --- other managers ---------------------------------------------------------------------------

_NPM = CacheKind(
    tool="npm",
    proofs=(
        CacheProof(
            "/_cacache/", rf"(?P<place>.*?)/_cacache/(?:content-v2/\w+|index-v5)/{_BYTE}/.+"
        ),
    ),
    parts=(CachePart("npm", "npm's cache", "(?:_cacache|_logs|_npx)/"),),
    avoid="npm cache clean --force",
    clean="npm cache clean --force",
)

_YARN = CacheKind(
    tool="yarn",
    proofs=(
        CacheProof(
            "/.yarn-metadata.json\0", rf"(?P<place>.*?)/v\d+/npm-[^/]+-{_HEX}{{40}}[^/]*/.+"
        ),
    ),
    parts=(CachePart("yarn", "yarn's cache", r"v\d+/(?:npm-|\.tmp/)"),),
    avoid="yarn cache clean",
    clean="yarn cache clean",
)

_YARN_BERRY = CacheKind(
    tool="yarn",
    proofs=(
        CacheProof("/metadata/npm/", rf"(?P<place>.*?)/metadata/npm/{_HEX}{{6}}/[^/]+/.+\.json"),
    ),
    parts=(
        CachePart("yarn", "yarn's index cache", "metadata/"),
        # With Plug'n'Play the program is read from these.
        CachePart("yarn-archives", "yarn's archives", r"cache/[^/]+\.zip\Z", fails=False),
    ),
    avoid="yarn cache clean --all where nodeLinker is node-modules",
)

_PNPM = CacheKind(
    tool="pnpm",
    proofs=(
        CacheProof("/files/", rf"(?P<place>.*?)/v\d+/files/{_BYTE}/{_HEX}{{126}}(?:-\w[\w.]*)?"),
    ),
    parts=(CachePart("pnpm", "pnpm's store", r"(?P<unit>v\d+/files)/"),),
    avoid="a cache mount for pnpm's store",
)

_GO = CacheKind(
    tool="go",
    proofs=(
        CacheProof(
            "/cache/download/",
            r"(?P<place>.*?)/cache/download/.+/@v/[^/]+\.(?:zip|mod|info|ziphash)",
        ),
        CacheProof("-a\0", rf"(?P<place>.*?)/{_BYTE}/{_HEX}{{64}}-a"),
    ),
    parts=(
        CachePart(
            "go",
            "Go's cache",
            rf"cache/(?:download|vcs|lock)|.+@v\d[^/]*/|{_BYTE}/{_HEX}{{64}}-[ad]\Z",
        ),
    ),
    avoid="a last stage that copies only what was built, or cache mounts",
    clean="go clean -cache -modcache",
)

_CARGO = CacheKind(
    tool="cargo",
    proofs=(
        CacheProof(".crate\0", rf"(?P<place>.*?)/registry/cache/[^/]+-{_HEX}{{16}}/[^/]+\.crate"),
        CacheProof(
            "/.cargo-ok\0", rf"(?P<place>.*?)/registry/src/[^/]+-{_HEX}{{16}}/[^/]+/\.cargo-ok"
        ),
        CacheProof(
            "/.cargo-ok\0",
            rf"(?P<place>.*?)/git/checkouts/[^/]+-{_HEX}{{16}}/{_HEX}{{7,}}/\.cargo-ok",
        ),
    ),
    parts=(
        CachePart("cargo", "cargo's cache", "registry/(?:cache|src|index)/|git/(?:db|checkouts)/"),
    ),
    avoid="a last stage that copies only what was built, or cache mounts",
)

_APT_CLEAN = "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/* /var/cache/apt/*.bin"

_APT = CacheKind(
    tool="apt",
    proofs=(
        CacheProof("_InRelease\0", "(?P<place>/var/lib/apt/lists)/.+"),
        CacheProof("_Release\0", "(?P<place>/var/lib/apt/lists)/.+"),
        CacheProof("_Packages", "(?P<place>/var/lib/apt/lists)/.+"),
        CacheProof(".deb\0", "(?P<place>/var/cache/apt)/archives/.+"),
        CacheProof("pkgcache.bin\0", r"(?P<place>/var/cache/apt)/(?:src)?pkgcache\.bin"),
    ),
    parts=(
        CachePart("apt", "apt's lists", r"[^/]+_(?:InRelease|Release|Packages|Translation)[^/]*\Z"),
        CachePart("apt", "apt's archives", r"archives/.+\.deb\Z|(?:src)?pkgcache\.bin\Z"),
    ),
    avoid=_APT_CLEAN,
    clean=_APT_CLEAN,
)

LAYOUTS: tuple[CacheKind, ...] = (
    _CONDA_KIND,
    _RATTLER,
    _UV,
    _POETRY,
    _PDM,
    _PIPENV,
    _PIP,
    _NPM,
    _YARN,
    _YARN_BERRY,
    _PNPM,
    _GO,
    _CARGO,
    _APT,
)
