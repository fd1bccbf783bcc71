"""Hooks of a profile as an administrator would write them: commands that stop a node and bring one back as a standby.

The servers belong to the tests' process, which does what the commands ask of it. Run as a program, this file is such a
command.
"""

from __future__ import annotations

import secrets
import sys
import threading
from multiprocessing.connection import Client, Listener
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.servers.cluster import Cluster


class Hooks:
    """The hooks `fence` and `rejoin` of a cluster's profile.

    with Hooks(cluster) as hooks:
        cluster.profile(project, hooks=hooks.commands)

    Attributes:
        calls: what was asked, in order: `("fence", "a")`, `("rejoin", "a", "b")`.
        failing: the hooks that do nothing and end with an error.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.failing: set[str] = set()
        self._cluster = cluster
        self._token = secrets.token_hex(8)
        self._listener = Listener(("127.0.0.1", 0), authkey=self._token.encode())
        self._thread = threading.Thread(target=self._serve, name="hooks")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ask(self._address, self._token, "end")
        self._thread.join()
        self._listener.close()

    @property
    def _address(self) -> str:
        host, port = self._listener.address
        return f"{host}:{port}"

    @property
    def commands(self) -> dict[str, list[str]]:
        """The profile's `hooks`."""
        program = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), self._address, self._token]
        return {"fence": [*program, "fence", "{node}"], "rejoin": [*program, "rejoin", "{node}", "{primary}"]}

    def _serve(self) -> None:
        while True:
            with self._listener.accept() as asked:
                words = tuple(asked.recv())
                if words == ("end",):
                    asked.send(None)
                    return
                asked.send(self._answer(words))

    def _answer(self, words: tuple[str, ...]) -> str | None:
        """Do what is asked, and return what went wrong, or None."""
        self.calls.append(words)
        verb, *nodes = words
        if verb in self.failing:
            return f"{verb} {' '.join(nodes)}: fails on purpose"
        try:
            (self._cluster.stop if verb == "fence" else self._cluster.rejoin)(*nodes)
        except Exception as error:  # noqa: BLE001 - the command tells it
            return f"{verb} {' '.join(nodes)}: {error!r}"
        return None


def ask(address: str, token: str, *words: str) -> str | None:
    """Ask the tests' process to do something, and return what went wrong, or None."""
    host, port = address.split(":")
    with Client((host, int(port)), authkey=token.encode()) as connection:
        connection.send(words)
        return connection.recv()


if __name__ == "__main__":
    _, _address, _token, *_words = sys.argv
    sys.exit(ask(_address, _token, *_words))
