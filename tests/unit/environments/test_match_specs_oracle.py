"""Match specs against py-rattler's reading: a table of spellings, and generated ones.

Left out is what py-rattler cannot read (patterns inside a version, ``^…$``) or
reads otherwise than conda (``>1.2.*``, of which conda ignores the star; a build
behind a blank and a ``=``).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockercache.environments.match_specs import compare, parse_spec
from pytest_dockercache.errors import ConfigError

rattler = pytest.importorskip("rattler", reason="no wheel of py-rattler for this Python")

VERSIONS = [
    "3.10.4",
    "3.10",
    "3.1",
    "3.1.4",
    "3.11.0",
    "3.9.18",
    "2.7",
    "3.10.4rc1",
    "3.10.4.post1",
    "3",
    "4.0",
    "1!2.0",
    "3.10.4+cuda.1",
    "3.10.40",
    "2024a",
    "1.1.1w",
    "3.10_1",
]
BUILDS = ("h12debd9_0_cpython", "py310h_1", "0")

SPELLINGS = """\
python
PYTHON >=3
python *
python=3.10
python = 3.10
python= 3.10
python =3.10
python  =  3.10
python=3.10.4
python=3.10.*
python=3.10*
python 3.10
python 3.10.*
python 3.10*
python 3.*
python=3.1
python=3
python==3.10
python == 3.10.4
python ==3.10.*
python>=3.10
python >= 3.10
python >= 3.10, < 3.11
python >=3.10 , <3.11
python>=3.10.0a0,<3.11.0a0
python>=3.10,<3.11|2.7
python >=3.10|<2,>=1
python=3.10|3.9
python 3.10|3.9
python 3.10|3.9.*
python=3.10,<3.11
python 3.10.*,!=3.10.4
python !=3.10
python !=3.10.*
python !=3.10*
python ~=3.10
python ~=3.10.0
python ~=3.10.4
python~=3
python (>=3.10)
python (>=3.9,<3.11)|2.7
python (3.10|3.9)
python (3.10.*)
python ((>=3.10),<3.11)
python=3.10=py310*
python 3.10.4 py310h_1
python=3.10.4=py310h_1
python==3.10.4=py310h_1
python = 3.10.4 py310h_1
python =3.10.4=h1*
python >=3.10 h1*
python * py310*
python=*=py310*
python=3.10.*=*_cpython
python 3.10.4=0
python[version=3.10]
python[version="=3.10"]
python[version='>=3.10,<3.11', build=py310*]
python[version="=3.10|=3.9"]
python=3.10[build=py310h_1]
python=3.9[version='3.10.*']
conda-forge::python=3.10
conda-forge/linux-64::python = 3.10
conda-forge:ns:python >=3.10
python = 3.10 # a remark
python >=3.10.4_
python 3.10.4+cuda
python =3.10.4+cuda
python 0!3.10.4
python 1!2
python 3.10_1
python <3.10.*
python <=3.10.*
python >=3.10.*
python>=3.10|
python |3
python ()
python (3.10
python "3.10"
python =
python >=
python =>3.10
python >==3
python ===3.10
python 3.10,
python[version=3.10
python[colour=red]
python 3.10.4 - h
pyt!hon
""".splitlines()


def record(version: str, build: str) -> Any:
    return rattler.PackageRecord(
        name="python",
        version=version,
        build=rattler.BuildString(build),
        build_number=0,
        subdir="linux-64",
    )


def theirs(spec: str) -> list[tuple[str, str]] | None:
    """Which of the packages fit, None if the spec is none."""
    try:
        read = rattler.MatchSpec(spec)
    except Exception:  # its classes of errors differ from version to version
        return None
    return [(v, b) for v in VERSIONS for b in BUILDS if read.matches(record(v, b))]


def ours(spec: str) -> list[tuple[str, str]] | None:
    try:
        read = parse_spec(spec)
    except ConfigError:
        return None
    return [(v, b) for v in VERSIONS for b in BUILDS if read.matches(v, b)]


@pytest.mark.parametrize("spec", SPELLINGS)
def test_a_spelling_means_what_rattler_reads(spec: str) -> None:
    assert ours(spec) == theirs(spec)


blanks = st.sampled_from(["", "", " "])
numbers = st.sampled_from(
    [
        "0",
        "1",
        "2",
        "3",
        "3.1",
        "3.9",
        "3.10",
        "3.10.4",
        "3.10.4rc1",
        "3.11.0",
        "3.10.4.post1",
        "2024a",
        "1.1.1w",
        "1!2.0",
    ]
)


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """One comparison: an operator, a version, and a star where conda and rattler agree on it."""
    operator = draw(st.sampled_from(["", "", "=", "==", "!=", ">=", "<=", ">", "<", "~="]))
    star = draw(st.sampled_from(["", "", ".*"])) if operator in ("", "=", "!=") else ""
    return f"{operator}{draw(blanks) if operator else ''}{draw(numbers)}{star}"


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    separators = st.sampled_from([",", "|", " , ", ", ", " | "])

    @st.composite
    def join(draw: st.DrawFn) -> str:
        text = draw(parts)
        for _ in range(draw(st.integers(0, 2))):
            text += draw(separators) + draw(parts)
        return text

    return join()


versions = joined(st.one_of(conditions(), joined(conditions()).map(lambda inner: f"({inner})")))


# The first example imports a compiled module; on a busy machine that takes its time.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(versions, st.sampled_from(["", "", " h1*", " py310h_1", " *_cpython"]), blanks)
def test_a_generated_spec_means_what_rattler_reads(version: str, build: str, blank: str) -> None:
    separator = blank if version[0] in "=<>!~" else " "
    spec = f"python{separator}{version}{build}"
    assert ours(spec) == theirs(spec)


PARTS = r"(\.([0-9]{1,2}|[ab]|rc[0-9]|dev|post|[0-9][a-z])){0,3}"
EPOCH, LOCAL = r"([01]!)?", r"(\+[0-9a-z]{1,3})?"
some_version = st.from_regex(f"{EPOCH}[0-9]{{1,2}}{PARTS}{LOCAL}", fullmatch=True)


@unhurried
@given(some_version, some_version)
def test_generated_versions_are_ordered_as_rattler_orders_them(one: str, other: str) -> None:
    try:
        left, right = rattler.Version(one), rattler.Version(other)
    except Exception:
        return
    assert (compare(one, other) > 0, compare(one, other) < 0) == (left > right, left < right)
