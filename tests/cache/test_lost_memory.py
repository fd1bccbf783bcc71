"""A write that neither the cache is told nor the machine remembers: the operator is not shown what was before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.cache.conftest import Shop
from tests.cache.test_health import PASSWORD, rights


def folder(shop: Shop) -> Path:
    return Path(shop.ada.environ["HOME"], ".local", "state")


@contextmanager
def deleted(shop: Shop) -> Iterator[None]:
    yield
    shutil.rmtree(folder(shop))


@contextmanager
def restored(shop: Shop) -> Iterator[None]:
    kept = folder(shop).with_name("kept")
    shutil.copytree(folder(shop), kept, copy_function=shutil.copy2)
    yield
    shutil.rmtree(folder(shop))
    shutil.copytree(kept, folder(shop), copy_function=shutil.copy2)
    shutil.rmtree(kept)


@contextmanager
def moved(shop: Shop) -> Iterator[None]:
    """Another folder is there for a while: what it was told, the one that comes back lacks."""
    kept = folder(shop).with_name("kept")
    folder(shop).rename(kept)
    yield
    shutil.rmtree(folder(shop))
    kept.rename(folder(shop))


@contextmanager
def copied_back(shop: Shop) -> Iterator[None]:
    [path] = folder(shop).glob("custctl/dev-*/cache.json")
    text = path.read_bytes()
    yield
    path.write_bytes(text)


@contextmanager
def not_writable(shop: Shop) -> Iterator[None]:
    """A file is in the folder's place: root may write to any folder."""
    kept = folder(shop).with_name("kept")
    folder(shop).rename(kept)
    folder(shop).touch()
    yield
    folder(shop).unlink()
    kept.rename(folder(shop))


@contextmanager
def damaged(shop: Shop) -> Iterator[None]:
    yield
    [path] = folder(shop).glob("custctl/dev-*/cache.json")
    os.truncate(path, 20)


Loss = Callable[[Shop], AbstractContextManager[None]]
LOSSES: list[Loss] = [deleted, restored, moved, copied_back, not_writable, damaged]


def refused_write(shop: Shop, lose: Loss, phone: str) -> str:
    """Write what the cache is not told and the memory loses; return what was said."""
    with lose(shop):
        shop.server.call("ACL", "SETUSER", "shop", "-@scripting")
        said = shop.update(phone).err
        shop.server.call("ACL", "SETUSER", "shop", "+@scripting")
    return said


@pytest.fixture
def guarded(shop: Shop) -> Iterator[Shop]:
    """The shop, by a login of which rights can be taken away; both operators are shown what the cache holds."""
    with rights(shop, "~custctl:*", "+@all", "-@admin"):
        for operator in (shop.ada, shop.bob):
            for _ in range(2):
                found = shop.get(by=operator)
            assert (found["source"], found["phone"]) == ("cache", "0")
        yield shop


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_ones_own_write_is_read_whatever_becomes_of_the_memory(
    guarded: Shop,
    lose: Loss,
) -> None:
    for phone in ("1", "2", "3"):
        said = refused_write(guarded, lose, phone)
        assert "the cache was not updated: the login lacks a privilege: NOPERM " in said
        found = guarded.get(by=guarded.ada)
        assert (found["phone"], found["source"]) == (phone, "primary")
    # It is filled anew by that, and used again.
    found = guarded.get(by=guarded.ada)
    assert (found["phone"], found["source"]) == ("3", "cache")


def test_a_write_that_is_not_remembered_says_so(guarded: Shop) -> None:
    said = refused_write(guarded, not_writable, "1")
    assert said.count('{"warning": ') == 1
    assert "cache.json` (not a directory): until this is fixed, your own reads do not use the cache" in said


def test_while_nothing_can_be_remembered_no_cache_is_asked(guarded: Shop) -> None:
    with not_writable(guarded):
        guarded.update("1")
        for _ in range(3):
            found = guarded.get(by=guarded.ada)
            assert (found["phone"], found["source"]) == ("1", "primary")
        told = guarded.ada.run("doctor", "-o", "json")
        [state] = [each for each in json.loads(told.out)["items"] if each["check"] == "state"]
        assert told.code == 3
        assert state["state"] == "fault"
        assert "(not a directory): " in state["value"]
        assert "XDG_STATE_HOME" in state["hint"]


def test_the_cache_itself_is_shown_and_cleared_without_a_memory(guarded: Shop) -> None:
    with not_writable(guarded):
        assert guarded.ada.ok("cache", "status", "-o", "json").json["entries"] == 1
        assert guarded.ada.ok("customer", "export", "--who", "1").json["cache"] == {"entry": True}
        guarded.ada.ok("cache", "clear", "--yes")
        assert guarded.ada.ok("cache", "warm", "-o", "json").json["filled"] == 1
        assert guarded.ada.ok("cache", "status", "-o", "json").json["entries"] == 1


def test_without_a_place_for_its_seal_no_memory_is_trusted(guarded: Shop) -> None:
    guarded.ada.environ["XDG_RUNTIME_DIR"] = str(folder(guarded) / "missing")
    for phone in ("1", "2"):
        guarded.server.call("ACL", "SETUSER", "shop", "-@scripting")
        guarded.update(phone)
        guarded.server.call("ACL", "SETUSER", "shop", "+@scripting")
        for _ in range(2):
            assert guarded.get(by=guarded.ada)["phone"] == phone


def test_a_memory_that_began_a_moment_ago_learns_from_the_primary(guarded: Shop) -> None:
    """Another's write is read all the same, and an entry that others have filled is used when its row was seen."""
    shutil.rmtree(folder(guarded))
    assert [guarded.get(by=guarded.ada)["source"] for _ in range(3)] == ["primary", "cache", "cache"]
    guarded.bob.ok("customer", "update", "1", "--phone", "7")
    found = guarded.get(by=guarded.ada)
    assert (found["phone"], found["source"]) == ("7", "cache")


def test_a_user_without_a_home_folder_does_without_the_cache(guarded: Shop) -> None:
    guarded.ada.environ.pop("HOME")
    guarded.ada.environ["XDG_STATE_HOME"] = "/proc/nowhere"
    assert PASSWORD not in guarded.update("1").err
    for _ in range(2):
        found = guarded.get(by=guarded.ada)
        assert (found["phone"], found["source"]) == ("1", "primary")


def test_a_loop_of_many_writes_is_remembered_from_the_oldest_that_is_known(
    guarded: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custctl.cache import memory

    monkeypatch.setattr(memory, "_KEPT", 1)
    guarded.ada.ok("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "B")
    guarded.server.call("ACL", "SETUSER", "shop", "-@scripting")
    guarded.update("1")
    guarded.ada.ok("customer", "update", "b@example.com", "--phone", "1")
    guarded.server.call("ACL", "SETUSER", "shop", "+@scripting")
    # Of two in doubt, each is one too many: all are.
    assert json.loads(guarded.memory(guarded.ada).read_text())["doubt"].keys() == {"-1"}
    for who in ("1", "b@example.com"):
        for _ in range(2):
            assert guarded.get(who, by=guarded.ada)["phone"] == "1"
