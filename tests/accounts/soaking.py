"""Thousands of customers at a real SCIM server and at moto: `python -m tests.accounts.soaking [CUSTOMERS] [PROVIDER …]`.

Brings the accounts with `identity sync`, verifies that nothing differs, plants a hundred differences behind custctl's back,
and expects that `identity verify` finds exactly these, that `--fix` and `sync` repair them, and that nothing is left.
Prints the time and the peak memory of each command.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.accounts.conftest import give_provider
from tests.accounts.scim import Directory, new_directory, server
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers import moto
from tests.servers.projects import on_engine

EACH = 20  # differences of each of five kinds
LEAST = 5 * EACH
# In a pool whose users sign in with their email, moto compares a new user with all others, so its time grows squared.
CUSTOMERS = {"scim": 10_000, "moto": 10_000, "moto-email": 1_500}


class Peer(Protocol):
    """The provider behind custctl's back."""

    def delete(self, subject: str) -> None: ...

    def disable(self, subject: str) -> None: ...

    def set_email(self, subject: str, email: str) -> None: ...


class ScimPeer:
    """A directory of `scim2-server`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def delete(self, subject: str) -> None:
        self._directory.ask("DELETE", f"Users/{subject}")

    def disable(self, subject: str) -> None:
        self._directory.patch(subject, "active", False)

    def set_email(self, subject: str, email: str) -> None:
        self._directory.patch(subject, "emails", [{"value": email, "type": "work", "primary": True}])


class MotoPeer:
    """A pool of moto."""

    def __init__(self, server: moto.Moto, pool: str) -> None:
        self._client, self._pool = server.client, pool

    def _named(self, subject: str) -> dict[str, str]:
        [user] = self._client.list_users(UserPoolId=self._pool, Filter=f'sub = "{subject}"')["Users"]
        return {"UserPoolId": self._pool, "Username": user["Username"]}

    def delete(self, subject: str) -> None:
        self._client.admin_delete_user(**self._named(subject))

    def disable(self, subject: str) -> None:
        self._client.admin_disable_user(**self._named(subject))

    def set_email(self, subject: str, email: str) -> None:
        attributes = [{"Name": "email", "Value": email}]
        self._client.admin_update_user_attributes(**self._named(subject), UserAttributes=attributes)


@contextmanager
def scim_peer(place: Place, folder: Path) -> Iterator[Peer]:
    with server(folder / "scim.log") as port:
        directory = new_directory(port)
        give_provider(place, directory.url)
        yield ScimPeer(directory)


@contextmanager
def moto_peer(place: Place, folder: Path, signs_in_with: Sequence[str] = ()) -> Iterator[Peer]:
    with moto.running() as running:
        pool = running.pool(UsernameAttributes=signs_in_with)
        file = place.path / "profiles" / "dev.yaml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith("identity:")]
        identity = f"identity: {{provider: cognito, pool: {pool}, endpoint: '{running.url}', timeout: 60s}}"
        file.write_text("\n".join([*kept, identity, ""]))
        place.environ.update(moto.CREDENTIALS, AWS_EC2_METADATA_DISABLED="true")
        yield MotoPeer(running, pool)


PEERS: dict[str, Callable[[Place, Path], AbstractContextManager[Peer]]] = {
    "scim": scim_peer,
    "moto": moto_peer,
    "moto-email": partial(moto_peer, signs_in_with=["email"]),
}


def measured(place: Place, *arguments: str, codes: tuple[int, ...] = (0,)) -> bytes:
    """Run a command in a process of its own, print what it took, and return its output."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as told:
        process = place.start(*arguments, stdout=output, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds, memory = time.monotonic() - began, usage.ru_maxrss / 1024
        output.seek(0)
        told.seek(0)
        assert process.returncode in codes, (arguments, process.returncode, told.read().decode())
        say(f"  {' '.join(arguments):40} {seconds:8.1f} s {memory:6.0f} MiB peak")
        return output.read()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def verified(place: Place, *more: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(measured(place, "identity", "verify", *more, "-o", "json", codes=(0, 9)))[
        "items"
    ]
    return items


def plant(place: Place, peer: Peer) -> Counter[str]:
    """Make a hundred differences, each with another customer."""
    rows = place.sql("SELECT customer_id, subject FROM customer_account ORDER BY customer_id")
    chosen = iter(rows[:: len(rows) // LEAST][:LEAST])
    for _ in range(EACH):
        peer.delete(next(chosen)[1])
        peer.disable(next(chosen)[1])
        number, subject = next(chosen)
        peer.set_email(subject, f"other{number}@example.com")
        place.sql(f"DELETE FROM customer_account WHERE customer_id = {next(chosen)[0]}")
        place.sql(f"DELETE FROM customer WHERE id = {next(chosen)[0]}")
    return Counter(dict.fromkeys(("missing", "state", "email", "unlinked", "stray"), EACH))


def soak(name: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place.of(on_engine(make_project(Path(folder)), None))
        measured(place, "migrate")
        rows = "".join(f"c{number}@example.com,F,L\n" for number in range(count))
        (Path(folder) / "rows.csv").write_text(f"email,first_name,last_name\n{rows}")
        say(f"{name}: {count} customers")
        with PEERS[name](place, Path(folder)) as peer:
            # What the import itself does not bring in its time, sync brings.
            measured(place, "customer", "import", "../rows.csv", codes=(0, 12))
            measured(place, "identity", "sync")
            assert place.count("customer_account") == count
            assert verified(place) == []
            planted = plant(place, peer)
            assert Counter(each["kind"] for each in verified(place)) == planted
            verified(place, "--fix", "--yes")
            measured(place, "identity", "sync")
            assert verified(place) == []
            say(f"  {planted.total()} differences planted, found and repaired; none left")


def _main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else None
    for name in sys.argv[2:] or CUSTOMERS:
        soak(name, count or CUSTOMERS[name])


if __name__ == "__main__":
    _main()
