"""The lock file beside an SQLite database: whoever may write to the database can take the lock."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from custctl.engines.model import LockHolder
from custctl.engines.sqlite.lock import file_lock
from custctl.support.errors import CredentialError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def lock(database: Path) -> None:
    def nobody(holder: LockHolder | None) -> None:
        pytest.fail(f"held by {holder}")

    with file_lock(database, 0, nobody):
        pass


@pytest.mark.parametrize(
    ("mode", "wanted"), [(0o600, 0o600), (0o660, 0o660), (0o666, 0o666), (0o640, 0o640), (0o400, 0o600), (0, 0o600)]
)
def test_the_lock_file_is_open_to_whom_the_database_is(tmp_path: Path, mode: int, wanted: int) -> None:
    database, beside = tmp_path / "x.db", tmp_path / "x.db.lock"
    lock(database)
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600, "before there is a database, it is its maker's alone"
    database.touch()
    database.chmod(mode)
    lock(database)
    assert stat.S_IMODE(beside.stat().st_mode) == wanted


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_the_lock_file_has_the_group_and_under_root_the_owner_of_the_database(tmp_path: Path) -> None:
    database, beside = tmp_path / "x.db", tmp_path / "x.db.lock"
    lock(database)
    database.touch(0o660)
    os.chown(database, 1234, 2345)
    lock(database)
    assert (beside.stat().st_uid, beside.stat().st_gid) == (1234, 2345)
    # What is another user's is left as it is.
    os.chown(database, 0, 0)
    lock(database)
    assert (beside.stat().st_uid, beside.stat().st_gid) == (1234, 2345)


def test_a_file_with_another_name_keeps_its_mode(tmp_path: Path) -> None:
    precious, database = tmp_path / "precious", tmp_path / "x.db"
    precious.touch(0o600)
    (tmp_path / "x.db.lock").hardlink_to(precious)
    database.touch()
    database.chmod(0o666)
    lock(database)
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


def test_a_symbolic_link_is_no_lock_file(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "x.db.lock").symlink_to(precious)
    with pytest.raises(CredentialError, match=r"the lock file .* cannot be opened"):
        lock(tmp_path / "x.db")
    assert precious.read_text() == "mine"
