"""Remembers for a few minutes who is logged in, so that most commands need not load `keyring` and ask its service.

The file contains the checked claims and their expiry, but no token. Like the claims in the keyring, it proves nothing to
anybody else: its user can write it, and can also edit the profile that gives the claims their role. Where the database
checks tokens, the login always comes from the keyring.
"""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.identity.login.keeping import Kept
from custctl.support.files import open_regular
from custctl.support.paths import user_state_dir
from custctl.support.state import write_whole

if TYPE_CHECKING:
    from custctl.profiles.model import Login

REMEMBERED_FOR = 900.0
"""Seconds after which the keyring is asked again, so that a login deleted or locked there ends here, too."""


def file_of(login: Login, environ: Mapping[str, str]) -> Path:
    """Return the file for an issuer and client; it may not exist. Whoever writes or deletes it holds its lock."""
    name = f"login-{zlib.crc32(f'{login.issuer} {login.client_id}'.encode()):08x}"
    return user_state_dir(environ) / "logins" / f"{name}.json"


def recall(login: Login, environ: Mapping[str, str]) -> Kept | None:
    """Return the remembered login without its tokens; None if there is none, or it is too old or not this user's."""
    try:
        with open(open_regular(file_of(login, environ)), encoding="utf-8") as stream:
            if not _is_private(os.fstat(stream.fileno())):
                return None
            held = json.load(stream)
        kept = Kept(claims=dict(held["claims"]), expires_at=float(held["expires_at"]))
        age = time.time() - float(held["read_at"])
        # The file's name is only a checksum of these.
        is_same = (held["issuer"], held["client_id"]) == (login.issuer, login.client_id)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return kept if is_same and isinstance(kept.claims.get("sub"), str) and 0 <= age < REMEMBERED_FOR else None


def remember(login: Login, kept: Kept, environ: Mapping[str, str]) -> None:
    """Write the file, readable only by its owner; a folder that cannot be written does no harm."""
    held = {
        "issuer": login.issuer,
        "client_id": login.client_id,
        "claims": kept.claims,
        "expires_at": kept.expires_at,
        "read_at": time.time(),
    }
    with suppress(OSError):
        write_whole(file_of(login, environ), json.dumps(held))


def _is_private(found: os.stat_result) -> bool:
    """Return whether only this user can have written the file."""
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077)
