"""The driver's and the servers' errors, as pyodbc hands them over, and what a user is told."""

from __future__ import annotations

import pyodbc
import pytest

from custctl.engines.mssql.errors import can_run_again, is_lost, number, translate, words
from custctl.support.errors import ExitCode

DRIVER = "[Microsoft][ODBC Driver 18 for SQL Server]"
WHERE, LOGIN = "node `a` (db.internal:1433)", "`clerk`"
BABELFISH = 33557097


def server(state: str, text: str, code: int, *more: tuple[str, str, int], call: str = "SQLExecDirectW") -> pyodbc.Error:
    """Return an error as the server raised it; several messages may come at once."""
    messages = [f"[{s}] {DRIVER}[SQL Server]{t} ({c})" for s, t, c in [(state, text, code), *more]]
    return pyodbc.ProgrammingError(state, f"{messages[0]} ({call})" + "".join(f"; {m}" for m in messages[1:]))


def driver(state: str, text: str, code: int = 0, call: str = "SQLDriverConnect", source: str = DRIVER) -> pyodbc.Error:
    """Return an error as the driver or the driver manager raised it."""
    return pyodbc.OperationalError(state, f"[{state}] {source}{text} ({code}) ({call})")


ENDED = ("01000", "The statement has been terminated.", 3621)
CASES = {
    "taken by a constraint": (
        server(
            "23000",
            "Violation of UNIQUE KEY constraint 'customer_email_unique'. Cannot insert duplicate key in object"
            " 'dbo.customer'. The duplicate key value is (ada@example.com).",
            2627,
            ENDED,
        ),
        ExitCode.CONFLICT,
        "this email is taken by another row",
    ),
    "taken by an index": (
        server(
            "23000",
            "Cannot insert duplicate key row in object 'dbo.customer_audit' with unique index"
            " 'customer_audit_operation'. The duplicate key value is (6f0e, 0).",
            2601,
            ENDED,
        ),
        ExitCode.CONFLICT,
        "this operation_id is taken by another row",
    ),
    "taken on a compatible server": (
        server(
            "23000",
            'duplicate key value violates unique constraint "customer_email_uniquecustomer4d2af5d8e9ed0c"',
            2627,
        ),
        ExitCode.CONFLICT,
        "this email is taken by another row",
    ),
    "refused login": (
        server("28000", "Login failed for user 'clerk'.", 18456, call="SQLDriverConnect"),
        ExitCode.CREDENTIAL,
        f"{WHERE} refuses the login of {LOGIN}: Login failed for user 'clerk'.",
    ),
    "denied on an object": (
        server(
            "42000",
            "The SELECT permission was denied on the object 'customer_password', database 'shop', schema 'dbo'.",
            229,
        ),
        ExitCode.CREDENTIAL,
        "`clerk` lacks SELECT on `customer_password`",
    ),
    "denied on a compatible server": (
        server("42000", "permission denied for table customer_password", BABELFISH),
        ExitCode.CREDENTIAL,
        "`clerk` lacks DELETE on `customer_password`",
    ),
    "not the owner on a compatible server": (
        server("42000", "must be owner of table customer_status", BABELFISH),
        ExitCode.CREDENTIAL,
        "`clerk` lacks DELETE on `customer_status`",
    ),
    "deadlock": (
        server(
            "40001",
            "Transaction (Process ID 59) was deadlocked on lock resources with another process and has been chosen as"
            " the deadlock victim. Rerun the transaction.",
            1205,
        ),
        ExitCode.UNAVAILABLE,
        "blocked each attempt",
    ),
    "snapshot conflict": (
        server("42000", "Snapshot isolation transaction aborted due to update conflict.", 3960),
        ExitCode.UNAVAILABLE,
        "blocked each attempt",
    ),
    "lock time-out": (
        server("42000", "Lock request time out period exceeded.", 1222),
        ExitCode.UNAVAILABLE,
        f"timed out waiting for a lock at {WHERE}: Lock request time out period exceeded.",
    ),
    "lock time-out on a compatible server": (
        server("42000", "canceling statement due to lock timeout", BABELFISH),
        ExitCode.UNAVAILABLE,
        f"timed out waiting for a lock at {WHERE}",
    ),
    "too long for an index": (
        server(
            "42000",
            "Operation failed. The index entry of length 2000 bytes for the index 'notes' exceeds the maximum length of"
            " 1700 bytes for nonclustered indexes.",
            1946,
        ),
        ExitCode.INVALID,
        "the database refused a value: Operation failed. The index entry of length 2000 bytes",
    ),
    "too long for an index on a compatible server": (
        server("42000", 'index row size 2720 exceeds btree version 4 maximum 2704 for index "notes"', BABELFISH),
        ExitCode.INVALID,
        "the database refused a value: index row size 2720",
    ),
    "missing table": (
        server("42S02", "Invalid object name 'dbo.customer'.", 208),
        ExitCode.PENDING,
        "is missing or too old: Invalid object name 'dbo.customer'.",
    ),
    "missing table on a compatible server": (
        server("42000", 'relation "customer" does not exist', BABELFISH),
        ExitCode.PENDING,
        "is missing or too old",
    ),
    "a trigger of the company's own": (
        server(
            "42000",
            "The target table 'dbo.customer' of the DML statement cannot have any enabled triggers if the statement"
            " contains an OUTPUT clause without INTO clause.",
            334,
        ),
        ExitCode.PENDING,
        f"the schema at {WHERE} has another shape: The target table 'dbo.customer'",
    ),
    "check": (
        server(
            "23000",
            'The INSERT statement conflicted with the CHECK constraint "customer_email_lower_case". The conflict'
            ' occurred in database "shop", table "dbo.customer", column \'email\'.',
            547,
            ENDED,
        ),
        ExitCode.INVALID,
        "`email` breaks a rule of the database (constraint `customer_email_lower_case`)",
    ),
    "too long": (
        server(
            "42000",
            "String or binary data would be truncated in table 'shop.dbo.customer_password', column 'hash'."
            " Truncated value: '$argon2id$v=19$m=65536'.",
            2628,
            ENDED,
        ),
        ExitCode.INVALID,
        "would be truncated in table 'shop.dbo.customer_password', column 'hash'.",
    ),
    "conversion": (
        server("22018", "Conversion failed when converting the nvarchar value '$argon2id$'x' to data type int.", 245),
        ExitCode.INVALID,
        "Conversion failed when converting the nvarchar value to data type int.",
    ),
    "a number that its type cannot hold": (
        server(
            "22003",
            "The conversion of the nvarchar value '$argon2id$'x' overflowed an int column. Maximum integer value exceeded.",
            248,
        ),
        ExitCode.INVALID,
        "the database refused a value: The conversion of the nvarchar value overflowed an int column.",
    ),
    "a day that its type does not know": (
        server(
            "22007",
            "The conversion of a nvarchar data type to a datetime data type resulted in an out-of-range value.",
            242,
            ENDED,
        ),
        ExitCode.INVALID,
        "the database refused a value: The conversion of a nvarchar data type to a datetime data type",
    ),
    "conversion on a compatible server": (
        server("42000", 'invalid input syntax for type integer: "$argon2id$ab"', BABELFISH),
        ExitCode.INVALID,
        "the database refused a value: invalid input syntax for type integer",
    ),
    "a number that its type cannot hold, on a compatible server": (
        server("42000", 'value "$argon2id$" is out of range for type integer', BABELFISH),
        ExitCode.INVALID,
        "the database refused a value: value is out of range for type integer",
    ),
    "no such day, on a compatible server": (
        server("42000", 'date/time field value out of range: "$argon2id$"', BABELFISH),
        ExitCode.INVALID,
        "the database refused a value: date/time field value out of range",
    ),
    "a day that its type does not know, on a compatible server": (
        server("22007", "data out of range for datetime", 517),
        ExitCode.INVALID,
        "the database refused a value: data out of range for datetime",
    ),
    "read-only database": (
        server("25000", 'Failed to update database "shop" because the database is read-only.', 3906),
        ExitCode.REFUSED,
        f"{WHERE} does not accept writes",
    ),
    "secondary that is not read": (
        server("42000", "The target database, 'shop', is participating in an availability group.", 976),
        ExitCode.REFUSED,
        "does not accept writes",
    ),
    "no such database": (
        server(
            "42000",
            'Cannot open database "shop" requested by the login. The login failed.',
            4060,
            ("28000", "Login failed for user 'clerk'.", 18456),
            call="SQLDriverConnect",
        ),
        ExitCode.UNAVAILABLE,
        'Cannot open database "shop" requested by the login.',
    ),
    "kept out by a firewall": (
        server(
            "42000",
            "Cannot open server 'x' requested by the login. Client with IP address '192.0.2.7' is not allowed to access"
            " the server.",
            40615,
            call="SQLDriverConnect",
        ),
        ExitCode.UNAVAILABLE,
        "Client with IP address '192.0.2.7' is not allowed to access the server.",
    ),
    "outside of a transaction alone": (
        server("42000", "ALTER DATABASE statement not allowed within multi-statement transaction.", 226),
        ExitCode.MIGRATION,
        "not allowed within multi-statement transaction",
    ),
    "moving in the cloud": (
        server("HY000", "Database 'shop' on server 'x' is not currently available.", 40613),
        ExitCode.UNAVAILABLE,
        "cannot serve now",
    ),
    "full": (server("42000", "The transaction log for database 'shop' is full.", 9002), ExitCode.UNAVAILABLE, "full"),
    "ended session": (
        server("HY000", "Cannot continue the execution because the session is in the kill state.", 596),
        ExitCode.UNAVAILABLE,
        "cannot serve now",
    ),
    "login time-out": (
        driver("HYT00", "Login timeout expired"),
        ExitCode.UNAVAILABLE,
        f"{WHERE} cannot be reached: Login timeout expired",
    ),
    "statement time-out": (
        driver("HYT00", "Query timeout expired", call="SQLExecDirectW"),
        ExitCode.UNAVAILABLE,
        f"a statement at {WHERE} ran longer than the profile's statement_timeout",
    ),
    "cut connection": (
        driver("08S01", "TCP Provider: Error code 0x68", 104, call="SQLExecDirectW"),
        ExitCode.UNAVAILABLE,
        f"{WHERE} cannot be reached: TCP Provider: Error code 0x68",
    ),
    "unknown certificate": (
        driver(
            "08001",
            "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]",
            -1,
        ),
        ExitCode.UNAVAILABLE,
        f"no trustworthy connection to {WHERE}",
    ),
    "no driver": (
        driver("01000", "Can't open lib 'x' : file not found", source="[unixODBC][Driver Manager]"),
        ExitCode.UNAVAILABLE,
        "the ODBC driver cannot be loaded: Can't open lib 'x' : file not found",
    ),
    "no answer": (
        pyodbc.OperationalError("08S01", "[08S01] no answer within 3 s"),
        ExitCode.UNAVAILABLE,
        f"{WHERE} cannot be reached: no answer within 3 s",
    ),
}
SECRETS = ("ada@example.com", "6f0e", "$argon2id$")


@pytest.mark.parametrize("name", CASES)
def test_an_error_is_told_by_its_number_then_its_state_then_its_words(name: str) -> None:
    error, code, message = CASES[name]
    told = translate(error, WHERE, LOGIN, "DELETE FROM dbo.customer_password WHERE customer_id = ?")
    assert (told.exit_code, message in told.message) == (code, True), told.message
    assert "[SQL Server]" not in told.message
    assert "ODBC Driver" not in told.message


@pytest.mark.parametrize("name", CASES)
def test_values_that_an_error_quotes_are_never_shown(name: str) -> None:
    error = CASES[name][0]
    told = translate(error, WHERE, LOGIN)
    shown = f"{told.message} {told.hint} {told.details} {words(error)}"
    assert not [secret for secret in SECRETS if secret in shown]


def test_the_first_of_several_messages_has_the_number() -> None:
    assert number(CASES["taken by a constraint"][0]) == 2627
    assert number(CASES["no such database"][0]) == 4060


def test_the_drivers_own_errors_have_no_number_of_the_servers() -> None:
    """The driver gives its own ones numbers too: 0, -1, or the system's."""
    assert {number(CASES[name][0]) for name in ("login time-out", "cut connection", "unknown certificate")} == {None}


LOST = {"ended session", "login time-out", "statement time-out", "cut connection", "unknown certificate"}


@pytest.mark.parametrize("name", CASES)
def test_a_connection_is_lost_where_the_driver_says_so_or_the_server_ended_it(name: str) -> None:
    assert is_lost(CASES[name][0]) == (name in LOST | {"no driver", "no answer"})


@pytest.mark.parametrize("name", CASES)
def test_a_transaction_that_was_given_up_for_anothers_sake_can_be_run_again(name: str) -> None:
    assert can_run_again(CASES[name][0]) == (name in {"deadlock", "snapshot conflict"})


@pytest.mark.parametrize(
    "text", ["deadlock detected", "could not serialize access due to concurrent update"], ids=["deadlock", "snapshot"]
)
def test_a_compatible_server_says_so_in_words_alone(text: str) -> None:
    assert can_run_again(server("42000", text, BABELFISH))
