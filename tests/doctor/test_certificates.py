"""The certificate that a server shows, by itself and inside of TDS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

import pytest
import trustme

from custctl.engines.certificates import Shown, look
from custctl.engines.model import Check, Node
from custctl.engines.mssql.handshake import shake_hands
from tests.doctor.standins import tls_stand_in
from tests.servers import ports

AUTHORITY = trustme.CA()


def certificate(folder: Path, until: datetime) -> Path:
    """Write a server's certificate and key."""
    made = AUTHORITY.issue_cert("db.internal", common_name="db", not_after=until)
    path = folder / "server.pem"
    path.write_bytes(made.private_key_and_cert_chain_pem.bytes())
    return path


def over(port: int, *, strict: bool) -> tuple[list[Check], list[Shown]]:
    """Look at the certificate of a port."""
    shown = []

    def shake(context: SSLContext) -> Shown:
        shown.append(shake_hands(Node("a", "127.0.0.1", port), 5, context, strict=strict))
        return shown[-1]

    return list(look(shake)), shown


@pytest.mark.parametrize("tds", [True, False])
def test_a_certificate_is_told_though_nobody_trusts_it(tmp_path: Path, tds: bool) -> None:
    with tls_stand_in(certificate(tmp_path, datetime(2999, 5, 17, tzinfo=UTC)), tds=tds) as port:
        (check,), shown = over(port, strict=not tds)
    assert check.ok
    assert check.value.startswith("db, for db.internal, by ")
    assert check.value.endswith(", until 2999-05-17")
    assert check.hint is None
    assert shown[0].protocol.startswith("TLSv1.")
    assert shown[0].cipher.startswith(("TLS_", "ECDHE"))


def test_a_certificate_that_ends_soon_is_told_with_the_days(tmp_path: Path) -> None:
    with tls_stand_in(certificate(tmp_path, datetime.now(UTC) + timedelta(days=9, hours=1)), tds=True) as port:
        (check,), _ = over(port, strict=False)
    assert check.ok
    assert check.hint == "it expires in 9 days: renew it"


def test_a_certificate_that_has_expired_is_a_fault(tmp_path: Path) -> None:
    with tls_stand_in(certificate(tmp_path, datetime.now(UTC) - timedelta(days=1)), tds=True) as port:
        (check,), _ = over(port, strict=False)
    assert (check.ok, check.value) == (False, "it has expired")
    assert check.hint


@pytest.mark.parametrize("faulty", [ports.refused, ports.garbage, ports.closing])
def test_a_port_that_shows_none_is_no_fault_of_its_own(faulty: Callable[[], AbstractContextManager[int]]) -> None:
    with faulty() as port:
        (check,), _ = over(port, strict=False)
    assert check.ok
    assert check.value.startswith("not shown: ")


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with ports.silent() as port, pytest.raises(TimeoutError):
        shake_hands(Node("a", "127.0.0.1", port), 0.2, SSLContext(ssl.PROTOCOL_TLS_CLIENT), strict=False)
