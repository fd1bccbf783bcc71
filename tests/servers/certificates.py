"""Certificates for the servers that tests run against: an authority, what it signs, and a foreign one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of a folder, all PEM.

    Attributes:
        ca: the authority's certificate, which clients and servers trust.
        foreign_ca: the certificate of an authority that signed nothing here.
        server: the server's certificate, for `localhost` and 127.0.0.1, and its key.
        client: a client's certificate, in the name of `certuser`.
        client_key: its key.
    """

    ca: Path
    foreign_ca: Path
    server: Path
    client: Path
    client_key: Path

    @classmethod
    def of(cls, folder: Path) -> Certificates:
        """Name the files of a folder."""
        names = ("ca.pem", "foreign-ca.pem", "server.pem", "client.pem", "client.key")
        return cls(*(folder / name for name in names))

    def make(self, client: str) -> None:
        """Make the authorities and certificates.

        Args:
            client: the name in the client's certificate.
        """
        import trustme

        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        trustme.CA().cert_pem.write_to_path(self.foreign_ca)
        server = authority.issue_cert("localhost", "127.0.0.1")
        write_secret(self.server, server.private_key_and_cert_chain_pem.bytes())
        user = authority.issue_cert(common_name=client)
        self.client.write_bytes(b"".join(blob.bytes() for blob in user.cert_chain_pems))
        write_secret(self.client_key, user.private_key_pem.bytes())


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read: servers and libpq refuse a key that others can."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
