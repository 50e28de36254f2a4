"""The names of the packages that a manifest and the files that it includes ask for."""

from __future__ import annotations

from growth import LINEAR, growth
from pytest_dockercache.environments.coverage import names_in


def test_the_names_of_included_files_and_of_pip_sections_are_found() -> None:
    files = {
        "/app/environment.yml": "dependencies: [numpy=1, {pip: [six, '-r more.txt']}]\n",
        "/app/more.txt": "Foo_Bar>=2  # why\n-r deep/more.txt\n",
        "/app/deep/more.txt": "git+https://h/x#egg=egg-x\n--no-index\n",
    }
    assert names_in("/app/environment.yml", files.get) == frozenset(
        ("numpy", "six", "foo-bar", "egg-x")
    )


def test_what_is_not_told_by_a_name_makes_the_names_unknown() -> None:
    for line in ("./local", "-e .", "$NAME", "-r missing.txt", "https://h/x.whl", "-r a.txt"):
        assert names_in("/a.txt", {"/a.txt": f"six\n{line}\n"}.get) is None


def test_each_of_many_names_and_files_is_read_once() -> None:
    """The names were copied at each line: minutes for 50,000 lines."""
    files = {f"/{n}.txt": f"-r {n + 1}.txt\n" * 2 for n in range(19)}

    def name(size: int) -> None:
        asked: list[str] = []
        files["/19.txt"] = "".join(f"a{n}==1\n" for n in range(size))

        def read(path: str) -> str | None:
            asked.append(path)
            return files.get(path)

        names = names_in("/0.txt", read)
        assert names is not None
        assert len(names) == size
        assert len(asked) == 20

    assert growth(name, 2_000) < LINEAR
