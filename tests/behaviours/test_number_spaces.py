"""Scripts of the product beside scripts of the company: a new release does not collide with a project."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from custctl.migrations import release, spaces
from custctl.schema import standing
from custctl.schema.names import PRODUCT_SCRIPTS
from custctl.schema.standing import REQUIRED_SCHEMA
from tests.behaviours.support import Place
from tests.conftest import REPOSITORY

NEXT = REQUIRED_SCHEMA + 1
NEW = f"migrations/{NEXT:04}_create_more.sql"
OURS = f"{NEXT:04}_loyalty"


def publish(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a release whose newest script is `NEW`."""
    shutil.copytree(REPOSITORY / "sql", folder)
    for engine in ("sqlite", "postgresql", "mssql"):
        (folder / engine / NEW).write_text("CREATE TABLE more (x INTEGER);\n")
    for module in (spaces, release):
        monkeypatch.setattr(module, "PRODUCT_SCRIPTS", (*PRODUCT_SCRIPTS, NEW))
    monkeypatch.setattr(release, "bundled", lambda _: folder)
    monkeypatch.setattr(standing, "REQUIRED_SCHEMA", NEXT)


def table(place: Place) -> dict[str, tuple[int, str, str]]:
    """Return number, space and state of the versioned scripts after the first ones, in the order shown."""
    found = [item for item in place.items("migrate", "status") if (item["version"] or 0) >= NEXT]
    return {
        item["script"].removeprefix("migrations/"): (item["version"], item["space"], item["state"]) for item in found
    }


def test_a_release_with_a_number_that_the_project_uses(
    empty: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = empty
    place.copy_scripts()
    ours = place.write(OURS, "CREATE TABLE loyalty (x INTEGER)")
    place.write("1000_ours", "CREATE TABLE ours (x INTEGER)")
    assert place.json("migrate")["to"] == 1000
    assert table(place) == {
        f"{OURS}.sql": (NEXT, "company", "applied"),
        "1000_ours.sql": (1000, "company", "applied"),
    }

    # The release brings a script that the folder lacks: the run says so, and how to copy it.
    publish(place, tmp_path / "release", monkeypatch)
    result = place.ok("migrate")
    assert f"lacks scripts of this release: `{NEW}`" in result.err
    assert f"the schema of custctl is at version {REQUIRED_SCHEMA}, but version {NEXT} is required" in result.err
    command = re.search(r"copy them: `(.*)`", result.err)
    assert command is not None
    assert f"`{NEW}`" in place.ok("migrate", "status").err
    subprocess.run(command[1], shell=True, check=True, cwd=place.path)
    assert all((place.path / "sql" / engine / NEW).is_file() for engine in ("sqlite", "postgresql", "mssql"))

    # It is not late, although higher numbers of the company are applied, and it runs beside the same number.
    with_same_number = place.refused(2, "migrate", "--target", str(NEXT))
    assert with_same_number["message"] == f"two scripts have number {NEXT}: `{NEW}` and `migrations/{OURS}.sql`"
    done = place.ok("migrate", "-o", "json")
    assert [step["script"] for step in done.json["applied"]] == [NEW]
    assert "required" not in done.err
    assert "lacks" not in done.err
    assert table(place) == {
        Path(NEW).name: (NEXT, "product", "applied"),
        f"{OURS}.sql": (NEXT, "company", "applied"),
        "1000_ours.sql": (1000, "company", "applied"),
    }
    assert list(table(place)) == [Path(NEW).name, f"{OURS}.sql", "1000_ours.sql"]
    place.ok("migrate", "status", "--check")

    # A change of either is seen and accepted for that one alone.
    for path, name in ((ours, f"{OURS}.sql"), (place.path / "sql" / place.engine / NEW, Path(NEW).name)):
        path.write_text(path.read_text() + "-- reworded\n")
        assert {script for script, (_, _, state) in table(place).items() if state == "drifted"} == {name}
        place.ok("migrate", "repair", "--yes")
        assert {state for _, _, state in table(place).values()} == {"applied"}

    # Renamed, it is still the same script, until its row must be changed.
    renamed = ours.rename(ours.with_name(f"{NEXT:04}_tiers.sql"))
    assert table(place)[f"{NEXT:04}_tiers.sql"] == (NEXT, "company", "applied")
    renamed.write_text(renamed.read_text() + "-- again\n")
    error = place.refused(11, "migrate", "repair", "--yes")
    assert error["hint"] == f"rename it back to `migrations/{OURS}.sql`"


def test_an_empty_database_gets_the_products_scripts_first(
    empty: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = empty
    publish(place, tmp_path / "release", monkeypatch)
    shutil.copytree(tmp_path / "release", place.path / "sql")
    place.write(OURS, "CREATE TABLE loyalty (x INTEGER)")
    place.write("1003_ours", "CREATE TABLE ours (x INTEGER)")
    place.json("migrate", "--target", "1003")
    assert list(table(place).values()) == [
        (NEXT, "product", "applied"),
        (NEXT, "company", "applied"),
        (1003, "company", "applied"),
    ]
    place.write("1001_late", "CREATE TABLE late (x INTEGER)")
    error = place.refused(11, "migrate")
    assert error["message"] == "`migrations/1001_late.sql` is pending below 1003, which is applied"


def test_numbers_of_the_company_do_not_make_the_schema_new_enough(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    for name in PRODUCT_SCRIPTS:
        if name > "migrations/0003":
            (place.path / "sql" / place.engine / name).unlink(missing_ok=True)
    place.write("1003_ours", "CREATE TABLE ours (x INTEGER)")
    result = place.ok("migrate")
    assert "lacks scripts of this release" in result.err
    assert f"the schema of custctl is at version 2, but version {REQUIRED_SCHEMA} is required" in result.err
    error = place.refused(8, "customer", "list")
    assert f"{REQUIRED_SCHEMA} is required" in error["message"]
