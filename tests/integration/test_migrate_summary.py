"""`migrate --summary`: what a CI server shows of a run, whatever became of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Project, Result
from tests.inside import Inside


class Shop(Inside):
    """A project with scripts of its own."""

    __slots__ = ()

    def write(self, name: str, text: str) -> None:
        """Write a script."""
        folder = self.path / "sql/sqlite/migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.sql").write_text(text)

    def summary(self, *arguments: str, code: int = 0) -> str:
        """Migrate with a summary, return it, and see that every line on stderr is JSON with `-o json`."""
        path = self.path / "out" / "summary.md"
        path.parent.mkdir(exist_ok=True)
        result = self.run("migrate", *arguments, "--summary", str(path), "-o", "json")
        assert result.code == code, result.err
        assert_json(result)
        assert [file.name for file in path.parent.iterdir()] == ["summary.md"]
        return path.read_text()


def assert_json(result: Result) -> None:
    """Every line on stderr is an object with one name of the contract."""
    for line in result.err.splitlines():
        assert len(json.loads(line).keys() & {"note", "warning", "announce", "error"}) == 1, line


@pytest.fixture
def shop(project: Project) -> Shop:
    """A project with one script."""
    project.environ.pop("CUSTCTL_SQL_DIR", None)
    made = Shop(project.path, project.environ)
    made.write("0001_a", "CREATE TABLE a (x INTEGER);\nCREATE TABLE b (x INTEGER);\n")
    return made


def test_a_plan_and_what_was_applied(shop: Shop) -> None:
    text = shop.summary("--dry-run")
    assert "# Migration of `dev`: 1 script planned" in text
    assert "| migrations/0001\\_a.sql | pending | expand |" in text
    text = shop.summary()
    assert "# Migration of `dev`: 1 script was applied" in text
    for line in ("| environment | development |", "| from | none |", "| to | 1 |", "| migrations/0001\\_a.sql | 2 | "):
        assert line in text, text
    shop.write("0002_drop", "DROP TABLE a;\n")
    text = shop.summary()
    assert "| from | 1 |\n| to | 2 |" in text
    assert "| migrations/0002\\_drop.sql | 1 | drop-table | contract |" in text
    assert "# Migration of `dev`: nothing to do" in shop.summary()


def test_a_run_that_fails(shop: Shop) -> None:
    shop.write("0002_bad", "INSERT INTO nowhere VALUES ('```');\n")
    shop.write("0003_never", "CREATE TABLE c (x INTEGER);\n")
    text = shop.summary(code=11)
    assert "# Migration of `dev`: failed" in text
    assert "| from | none |\n| to | 1 |" in text
    assert "## Applied" in text
    assert "| migrations/0003\\_never.sql | pending |" in text.split("## Not applied")[1]
    assert "migrations/0002_bad.sql:1" in text.split("## Error")[1]


def test_what_stops_a_run_before_it_begins(shop: Shop) -> None:
    shop.summary("--env", "prod")
    shop.write("0002_drop", "DROP TABLE a;\n")
    text = shop.summary("--env", "prod", code=11)
    assert "| environment | production |" in text
    assert "| migrations/0002\\_drop.sql | 1 | drop-table | contract |" in text.split("## Linter findings")[1]
    (shop.path / "dev.db").write_bytes(b"not a database, nor like one" * 99)
    text = shop.summary(code=3)
    assert "| from | unknown |" in text
    assert "## Error" in text


@pytest.mark.parametrize("place", ["none/summary.md", ".", "dev-null"])
def test_a_file_that_cannot_be_written_stops_the_run_first(shop: Shop, place: str) -> None:
    (shop.path / "dev-null").symlink_to("/dev/null")
    result = shop.run("migrate", "--summary", place, "-o", "json")
    assert result.code == 2, result.err
    assert_json(result)
    assert not (shop.path / "dev.db").exists()
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",), ("doctor", "--check"), ("migrate", "status", "--check"), ("migrate", "validate"),
        ("migrate", "--dry-run"), ("migrate", "-v"), ("migrate", "--phase", "expand"), ("migrate", "--phase", "x"),
        ("migrate", "--env", "nowhere"), ("seed",),
    ],
)  # fmt: skip
def test_every_line_on_stderr_is_json(shop: Shop, arguments: tuple[str, ...]) -> None:
    for script in ("SELECT 1;\nDROP TABLE b;\n", "SELECT 1;\nSELECT x FROM nowhere;\n"):
        assert_json(shop.run(*arguments, "-o", "json"))
        shop.write("0002_more", script)
    assert_json(shop.run(*arguments, "-o", "json"))


def test_a_script_that_is_missing_stops_the_gate(shop: Shop) -> None:
    shop.ok("migrate")
    shop.write("0002_b", "CREATE TABLE c (x INTEGER);\n")
    assert shop.run("migrate", "status", "--check").code == 8
    (shop.path / "sql/sqlite/migrations/0001_a.sql").unlink()
    result = shop.run("migrate", "status", "--check", "-o", "json")
    assert (result.code, result.error["details"]) == (11, {"missing": ["migrations/0001_a.sql"]})


def test_a_file_s_name_may_be_as_long_as_the_system_allows(shop: Shop) -> None:
    path = shop.path / f"{'s' * 252}.md"
    shop.ok("migrate", "--summary", str(path))
    assert "1 script was applied" in path.read_text()
