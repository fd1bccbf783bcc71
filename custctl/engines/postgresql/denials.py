"""A privilege that a login lacks: what it is for, and the next step to get it.

The server's message is in the server's language, and no separate field names the object. So we search the message for
the names of our tables, and query the server for the rest: which roles exist, who is a member, who owns what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from custctl.engines.postgresql.names import quoted
from custctl.engines.postgresql.tokens import first_word
from custctl.engines.roles import ADMIN, RIGHTS, SUPPORT, ask_for, least_role
from custctl.support.errors import CredentialError
from custctl.support.text import visible

if TYPE_CHECKING:
    from psycopg import Error

    from custctl.engines.postgresql.connection import LimitedConnection

_OURS = frozenset(table for rights in RIGHTS.values() for table in rights)
_NAMED = re.compile(r"permission denied for (table|view|relation|sequence|schema|database) (.+)")
_OWNED = re.compile(r"must be owner of (?:table|relation|view|sequence|index) (.+)")
_SYSTEM = re.compile(r"\s*ALTER\s+SYSTEM\b", re.IGNORECASE)
# Of these rights, the message alone says that they cannot be granted.
_NEVER_GRANTED = re.compile(r"must be superuser|is a system trigger|permission denied for language ")
# The server's function that makes the schema of a session's temporary tables; only its name says what was refused.
_TEMPORARY = "InitTempTableNamespace"
_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "COPY")
_DATA = _ROWS[:4]

_FACTS: LiteralString = """
SELECT current_user::text,
       EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %(role)s),
       EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %(role)s AND pg_has_role(oid, 'USAGE')),
       (SELECT pg_get_userbyid(c.relowner)::text
          FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = %(schema)s AND c.relname = %(table)s),
       current_database()::text,
       has_schema_privilege(to_regnamespace(quote_ident(%(schema)s))::oid, 'USAGE'),
       coalesce(has_schema_privilege(to_regnamespace(quote_ident(%(schema)s))::oid, 'CREATE'), false)
"""


@dataclass(frozen=True, slots=True)
class Denial:
    """The privilege and the object that were refused.

    Attributes:
        privilege: SELECT, INSERT, …; `ownership` if only the owner may; None if unknown.
        kind: table (or view), sequence, schema or database; None if the object is unknown.
        name: the object's name.
    """

    privilege: str | None
    kind: str | None = None
    name: str | None = None

    @classmethod
    def read(cls, text: str, statement: str | None) -> Denial:
        """Parse the server's message about a refused statement.

        Args:
            text: the message, in any language.
            statement: the statement, if known.
        """
        verb = "ALTER SYSTEM" if _SYSTEM.match(statement or "") else first_word(statement or "")
        if owned := _OWNED.search(text):
            return cls("ownership", "table", owned[1].strip('"'))
        if named := _NAMED.search(text):
            kind, name = named[1], named[2].strip('"')
            if kind in ("schema", "database"):
                return cls("CREATE" if verb == "CREATE" or kind == "database" else "USAGE", kind, name)
            if kind == "sequence":
                # `nextval` requires it, whatever the statement that calls it.
                return cls("USAGE", kind, name)
            # Of other statements, like DO or WITH, the first word is no privilege.
            return cls(verb if verb in _ROWS else None, "table", name)
        ours = sorted(_OURS & set(re.findall(r"\w+", text)), key=text.rindex)
        if not ours:
            return cls(verb or None)
        return cls(verb if verb in _ROWS or not verb else "ownership", "table", ours[-1])

    @property
    def role(self) -> str:
        """The least of our roles that has the privilege."""
        if self.kind == "schema":
            return SUPPORT if self.privilege == "USAGE" else ADMIN
        return least_role(self.privilege or "", self.name or "")

    def error(self, text: str, where: str, login: str) -> CredentialError:
        """Return the error, with the role to ask for; see `next_step` for a hint from the server's data."""
        details = {"privilege": self.privilege, "object": self.name}
        if self.kind is None:
            lacks = f"{self.privilege or 'a privilege'} at {where}: {text}"
            return CredentialError(f"{login} lacks {lacks}", hint=None, details=details)
        what = f"`{self.name}`" if self.kind == "table" else f"the {self.kind} `{self.name}`"
        joint = "of" if self.privilege == "ownership" else "on"
        return CredentialError(
            f"{login} lacks {self.privilege or 'a privilege'} {joint} {what}",
            hint=ask_for(self.privilege or "", self.name or ""),
            details=details,
        )


def next_step(driver: LimitedConnection, denial: Denial, schema: str, error: Error) -> str:
    """Return the hint for how a login gets the privilege that it lacks, or who has it.

    Args:
        driver: a connection of that login, outside any transaction.
        denial: the refused privilege.
        schema: the profile's schema.
        error: the server's error.

    Raises:
        psycopg.Error: the server does not report it.
    """
    values = {"role": denial.role, "schema": schema, "table": denial.name or ""}
    row = driver.execute(_FACTS, values).fetchone()
    assert row is not None
    login, exists, member, owner, database, uses, creates = row
    if error.diag.source_function == _TEMPORARY:
        return _ask(grant_temporary(database, login))
    if denial.kind is None and uses is False:
        # Its name may be in another language's message, which we cannot read.
        return next_step(driver, Denial("USAGE", "schema", schema), schema, error)
    if denial.kind is None:
        if denial.privilege == "CREATE" and uses is None:
            return _ask(f"GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(login)}")
        if denial.privilege == "CREATE" and not creates:
            return _ask(f"GRANT USAGE, CREATE ON SCHEMA {quoted(schema)} TO {quoted(login)}")
        return _superuser(error, login, "ALTER SYSTEM" if denial.privilege == "ALTER SYSTEM" else "SET")
    name = denial.name or ""
    if denial.kind == "schema" and name == schema and exists and not member:
        return _ask(f"GRANT {denial.role} TO {quoted(login)}")
    if denial.kind != "table":
        return _ask(f"GRANT {denial.privilege} ON {denial.kind.upper()} {quoted(name)} TO {quoted(login)}")
    if name not in _OURS and not (member and denial.privilege == "ownership"):
        return _of_owner(denial.privilege, owner, name, login)
    if not exists:
        return f"the role `{denial.role}` does not exist: `custctl doctor` prints the command that creates it"
    if not member:
        return _ask(f"GRANT {denial.role} TO {quoted(login)}")
    if denial.privilege == "ownership" and owner not in (None, ADMIN):
        return _ask(f"ALTER TABLE {quoted(schema)}.{quoted(name)} OWNER TO {ADMIN}")
    return f"`{denial.role}` lacks it: `custctl doctor` prints the command that grants it"


def grant_temporary(database: str, login: str) -> str:
    """Return the statement that lets a login create temporary tables."""
    return f"GRANT TEMPORARY ON DATABASE {quoted(database)} TO {quoted(login)}"


def _ask(statement: str) -> str:
    return f"ask an administrator to run `{statement}`"


def _of_owner(privilege: str | None, owner: str | None, name: str, login: str) -> str:
    """Return the hint for a table that is not one of ours: only its owner can do everything with it."""
    who = f"its owner, `{owner}`," if owner else "its owner"
    if privilege == "ownership":
        return f"only {who} or a superuser can do this"
    if privilege in _DATA:
        return f"let {who} run `GRANT {privilege} ON {quoted(name)} TO {quoted(login)}`"
    return f"{who} can do this, or grant the right to do it"


def _superuser(error: Error, login: str, privilege: str) -> str:
    """Return the hint for a right that none of our roles has: a GRANT for a parameter, else the server's own words."""
    message = error.diag.message_primary or ""
    parameter = re.search(r'parameter "([\w.]+)"', message)
    if parameter is not None:
        return _ask(f"GRANT {privilege} ON PARAMETER {parameter[1]} TO {quoted(login)}")
    told = error.diag.message_detail or error.diag.message_hint
    if told:
        return visible(told).rstrip(".")
    if _NEVER_GRANTED.search(message):
        return "only a superuser can do this"
    return "a superuser can do this, or grant the right to do it"
