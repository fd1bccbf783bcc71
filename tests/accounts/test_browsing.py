"""The account of a customer in `custctl browse`, at a real SCIM server."""

from __future__ import annotations

from tests.accounts.peer import whole
from tests.accounts.scim import Directory, Front
from tests.behaviours.support import Place
from tests.browser.support import seated, sit


def test_an_account_is_shown_as_the_provider_has_it(local: Place, directory: Directory) -> None:
    local.add(email="ada@example.com", first_name="Ada", last_name="Lovelace")
    [account] = directory.accounts()

    async def work() -> None:
        async with seated(local) as seat:
            await seat.press("i")
            await seat.shows("account of customer 1", str(account["id"]), "account_enabled  true")
            local.ok("customer", "update", "1", "--status", "suspended")
            await seat.press("r")
            await seat.shows("account_enabled  false")
            directory.ask("DELETE", f"Users/{account['id']}")
            await seat.press("escape", "enter", "i")
            await seat.shows("the provider has no such account")

    sit(work)


def test_an_account_that_is_not_made_yet_is_named_as_such(local: Place, facade: Front) -> None:
    facade.fault = lambda _: whole("503 No")
    local.run("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")

    async def work() -> None:
        async with seated(local) as seat:
            seat.desk.carry = lambda text: text.replace("custctl", "custctl --env dev")
            await seat.press("i")
            await seat.shows("no account at the provider: `custctl --env dev identity sync` makes it")

    sit(work)


def test_a_provider_that_is_down_stops_no_screen(local: Place, facade: Front) -> None:
    local.add(email="ada@example.com", first_name="Ada", last_name="Lovelace")

    async def work() -> None:
        async with seated(local) as seat:
            facade.fault = lambda _: whole("503 No")
            await seat.press("i")
            await seat.shows("! ")
            facade.fault = lambda _: None
            await seat.press("r")
            await seat.shows("account_enabled  true")

    sit(work)


def test_without_a_provider_there_is_no_account(local: Place) -> None:
    local.add(email="ada@example.com", first_name="Ada", last_name="Lovelace")
    file = local.path / "profiles" / "dev.yaml"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("identity:")))

    async def work() -> None:
        async with seated(local) as seat:
            await seat.press("i")
            await seat.shows("this profile has no identity provider")

    sit(work)
