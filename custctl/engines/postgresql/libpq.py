"""What libpq's users have set up for it: authorities to trust, passwords.

Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from psycopg import pq

SYSTEM = "system"
"""What libpq calls the system's authorities."""

_FIELD = re.compile(r"((?:[^\\:]|\\.)*):")


def authorities(named: Path | None) -> str:
    """Return the file of certificates to trust, or `SYSTEM`: the profile's, libpq's own, or the system's."""
    own = Path("~/.postgresql/root.crt").expanduser()
    found = named or os.environ.get("PGSSLROOTCERT") or (own if own.exists() else SYSTEM)
    if found == SYSTEM and not os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}:
        _point_to_system()
    return str(found)


def _point_to_system() -> None:
    """Tell the driver's OpenSSL where the system's authorities are: the one in its wheel looks into a folder of its own."""
    import ssl

    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        os.environ["SSL_CERT_FILE"] = paths.cafile
    if paths.capath:
        os.environ["SSL_CERT_DIR"] = paths.capath


def password_source(servers: Iterable[tuple[str, int]], name: str, user: str | None) -> str | None:
    """Return where libpq finds a password by itself, or None: a variable, a service, its password file."""
    defaults = {option.keyword.decode(): (option.val or b"").decode() for option in pq.Conninfo.get_defaults()}
    if defaults["password"]:
        return "PGPASSWORD" if os.environ.get("PGPASSWORD") else f"service {defaults['service']}"
    path = Path(defaults["passfile"] or _default_file())
    wanted = [(host, str(port), name, user or defaults["user"]) for host, port in servers]
    return str(path) if any(_has_entry(path, each) for each in wanted) else None


def _default_file() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", "")) / "postgresql" / "pgpass.conf"
    return Path("~/.pgpass").expanduser()


def _has_entry(path: Path, wanted: tuple[str, str, str, str]) -> bool:
    """Tell whether a password file, which none but its owner may read, has a line for a login."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or (os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO)):
            return False
        text = path.read_text(errors="surrogateescape")
    except (OSError, ValueError):
        return False
    for line in text.splitlines():
        fields: list[str] = []
        end = 0
        while len(fields) < len(wanted) and (field := _FIELD.match(line, end)):
            fields.append(field[1])
            end = field.end()
        if len(fields) == len(wanted) and not line.startswith("#"):
            values = [None if field == "*" else re.sub(r"\\(.)", r"\1", field) for field in fields]
            if all(value in (None, each) for value, each in zip(values, wanted, strict=True)):
                return True
    return False
