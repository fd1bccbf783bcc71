"""Providers to test against: moto's Cognito, and stand-ins for Cognito and Auth0."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from custctl.identity.accounts.auth0 import Auth0
from custctl.identity.accounts.auth0_tenant import Tenant
from custctl.identity.accounts.cognito import Cognito
from custctl.identity.accounts.provider import ProviderUnavailableError
from custctl.identity.accounts.sigv4 import Keys
from tests.servers import moto as moto_server
from tests.servers.auth0 import CLIENT, CONNECTION, DOMAIN, Auth0StandIn
from tests.servers.auth0 import SECRET as AUTH0_SECRET
from tests.servers.moto import Moto
from tests.servers.pools import ACCESS, POOL, SECRET, TOKEN, Pool, PoolStandIn

TIMEOUT = 60.0


def impatient(seconds: float) -> None:
    """Fail where custctl would wait."""
    raise ProviderUnavailableError(f"asked to wait for {seconds} seconds")


class Given:
    """A credential that is given, in place of AWS's chain."""

    def __init__(self, access: str, secret: str, token: str | None = None) -> None:
        self._keys = Keys(access, secret, token)

    def keys(self) -> Keys:
        return self._keys


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """moto's server, one a worker."""
    with moto_server.running() as server:
        yield server


@pytest.fixture
def pool() -> Iterator[PoolStandIn]:
    """The stand-in for Cognito: sign-in by email, names folded, with the attribute for the reference."""
    with PoolStandIn(Pool()) as server:
        yield server


@pytest.fixture
def auth0_standin() -> Iterator[Auth0StandIn]:
    """The stand-in for Auth0."""
    with Auth0StandIn() as server:
        yield server


@pytest.fixture
def cognito() -> Iterator[Callable[[PoolStandIn], Cognito]]:
    """Open the provider on a stand-in."""
    made: list[Cognito] = []

    def opened(server: PoolStandIn, timeout: float = TIMEOUT) -> Cognito:
        made.append(Cognito(POOL, endpoint=server.url, timeout=timeout, chain=Given(ACCESS, SECRET, TOKEN)))
        return made[-1]

    yield opened
    for each in made:
        each.close()


@pytest.fixture
def auth0() -> Iterator[Callable[..., Auth0]]:
    """Open the provider on the stand-in."""
    made: list[Auth0] = []

    def opened(server: Auth0StandIn, timeout: float = TIMEOUT, secret: str = AUTH0_SECRET) -> Auth0:
        tenant = Tenant(DOMAIN, CONNECTION, client_id=CLIENT, secret=secret, endpoint=server.url, timeout=timeout)
        made.append(Auth0(tenant))
        return made[-1]

    yield opened
    for each in made:
        each.close()
