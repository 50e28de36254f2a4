"""How much of an instruction a failure shows: what the terminal has room for."""

from __future__ import annotations

import pytest

from pytest_dockercache.model import Finding, Row, command_first

LONG = "RUN --mount=type=cache,target=/root conda env update --name app --file environment.yml"
SHOWN = "RUN conda env update --name app --file environment.yml [--mount=type=cache,target=/root]"


def rows(width: int, note: str = "94.1 s again on every source edit") -> list[str]:
    found = Finding(
        "env layer was rebuilt",
        rows=(
            Row("contains src/main.py", "8", "COPY src/ src/", "MISS"),
            Row(note, "10", LONG, "MISS"),
            Row("      e.g. /opt/conda/pkgs/a.conda"),
        ),
    )
    return str(found.within(width)).splitlines()[1:]


@pytest.mark.parametrize(
    ("width", "shown"),
    [(60, SHOWN[:19] + "…"), (80, SHOWN[:33] + "…"), (120, SHOWN[:73] + "…"), (200, SHOWN)],
)
def test_a_row_shows_as_much_of_the_command_as_fits(width: int, shown: str) -> None:
    copied, installed, remark = rows(width)
    assert installed == f"  10  {shown} MISS  94.1 s again on every source edit"
    assert copied.index("MISS") == installed.index("MISS")
    assert remark == "      e.g. /opt/conda/pkgs/a.conda"


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_a_row_is_no_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, rows(width))) <= width


def test_a_remark_is_never_cut() -> None:
    note = "takes " + ", ".join(f"package_{number}/__pycache__/" for number in range(6))
    assert rows(80, note)[1] == f"  10  {SHOWN[:29]}… MISS  {note}"


def test_a_finding_without_rows_stays_as_it_is() -> None:
    found = Finding("the image does not build", line=3)
    assert found.within(200) is found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("RUN --network=none uv sync", "RUN uv sync [--network=none]"),
        ("COPY --from=builder /venv /venv", "COPY --from=builder /venv /venv"),
        (
            "COPY --link --from=builder --chown=app:app /venv /venv",
            "COPY --from=builder /venv /venv [--link --chown=app:app]",
        ),
        ("COPY --chown=app src/ src/", "COPY src/ src/ [--chown=app]"),
        ("RUN uv sync --from=there", "RUN uv sync --from=there"),
    ],
)
def test_flags_stand_behind_but_for_the_stage_that_is_copied_from(written: str, shown: str) -> None:
    assert command_first(written) == shown
