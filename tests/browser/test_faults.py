"""The database slow or gone while somebody works: said on the screen, never a freeze, and nothing typed is lost."""

from __future__ import annotations

import time
from pathlib import Path

from tests.browser.support import seated, sit
from tests.browser.test_editing import kept, put
from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.servers import scripted_provider
from tests.servers.fixtures import PostgresqlServers
from tests.servers.oidc import profile
from tests.servers.projects import nodes, on_engine, postgresql_place
from tests.servers.proxy import Proxy


def test_a_database_that_stops_in_the_middle_of_an_edit(
    project: Project, postgresql_servers: PostgresqlServers
) -> None:
    server = postgresql_servers.shared("postgresql17")
    made = on_engine(project, postgresql_place(server))
    with Proxy(server.host, server.port) as proxy:
        made.profile("dev", "development", nodes=nodes(proxy.host, proxy.port))
        inside = Inside(made.path, made.environ)
        assert inside.run("migrate").code == 0
        assert inside.run("customer", "add", *ADA).code == 0

        async def work() -> None:
            async with seated(made, size=(120, 24)) as seat:
                await seat.shows("ada@example.com", "dev (development): postgresql")
                await seat.press("e")
                await seat.shows("edit customer 1")
                await put(seat, "city", "Rome")
                proxy.refuse()
                proxy.drop()
                await seat.press("ctrl+s")
                await seat.shows("! since", "^s tries again")
                # The form still answers, and what was typed is on disk.
                await put(seat, "company", "Engines")
                await seat.press("escape")
                assert "city: Rome" in kept(made)[0].read_text()
                await seat.press("r")
                await seat.shows("! since", "r tries again")
                await seat.press("question_mark")
                await seat.shows("In the list")
                await seat.press("escape")
                proxy.accept()
                await seat.press("r")
                await seat.shows("1 of 1")
                await seat.hides("! since")
                await seat.press("e")
                await seat.shows("is back", "Rome", "Engines")
                await seat.press("ctrl+s")
                await seat.shows("customer 1 was changed")

        sit(work)
    assert made.sql("SELECT city, company FROM customer") == [("Rome", "Engines")]
    assert [action for (action,) in made.sql("SELECT action FROM customer_audit ORDER BY id")] == ["add", "update"]
    assert kept(made) == []
    made.drop()


def test_a_login_that_expires_meanwhile(people: Project, tmp_path: Path) -> None:
    with scripted_provider.running() as provider:
        dev = people.path / "profiles" / "dev.yaml"
        dev.write_text(dev.read_text() + profile(provider.issuer))
        file = tmp_path / "token"
        # So close to its end that it is checked again before each call.
        file.write_text(provider.token(exp=int(time.time()) + 29))
        people.environ["CUSTCTL_TOKEN_FILE"] = str(file)

        async def work() -> None:
            async with seated(people, size=(160, 24)) as seat:
                await seat.shows("ada@example.com")
                file.write_text(provider.token(exp=int(time.time()) - 600))
                await seat.press("r")
                await seat.shows("! since", "r tries again", "the token of `CUSTCTL_TOKEN_FILE` has expired")
                # The screen still answers.
                await seat.press("question_mark")
                await seat.shows("In the list")
                await seat.press("escape")
                file.write_text(provider.token(sub="somebody-else"))
                await seat.press("r")
                await seat.shows("is now another operator's")
                file.write_text(provider.token())
                await seat.press("r")
                await seat.hides("! since")

        sit(work)
