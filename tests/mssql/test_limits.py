"""All T-SQL there is, held to what every server of the dialect has, and to what SQL Server does not forgive.

The compiled statements, those that the program puts together (collected on a stand-in), the bundled scripts, and the
batches that stand in the engine's modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pyodbc
import pytest

from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.engines.mssql.driver import Driver, connection_string
from custctl.engines.mssql.script import split
from custctl.engines.mssql.session import session_lock
from custctl.engines.mssql.statements import STATEMENTS
from custctl.engines.mssql.supervised import Connection
from tests.conftest import REPOSITORY
from tests.mssql.conftest import SCRIPTS, script_files
from tests.mssql.stand_in import Server
from tests.mssql.test_statements import EXPECTED

_BEGINS = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|IF|DECLARE|EXEC|SET|CREATE|ALTER|DROP|BEGIN|COMMIT|ROLLBACK|USE|GRANT|REVOKE"
    r"|DENY|MERGE) "
)
# These speak of what scripts may hold, and the last one of what an administrator may run.
_READERS = {"lint.py", "reader.py", "script.py", "tokens.py", "statements.py", "fixes.py"}
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_MOST_PARAMETERS = 2_100


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module, with their lines; what is put into one is `x`."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in ast.walk(node)} - {id(node)}
            parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


@cache
def everything() -> dict[str, str]:
    """Return all T-SQL, by where it is from."""
    found = {f"statements.py {name}": text for name, (text, _) in STATEMENTS.items()}
    for path in sorted(EXPECTED.parent.glob("*.sql")):
        found.update({f"{path.name}:{each.line}": each.text for each in split(path.read_text())})
    for path in script_files():
        found.update({f"{path.relative_to(SCRIPTS)}:{each.line}": each.text for each in split(path.read_text())})
    for path in sorted((REPOSITORY / "custctl" / "engines" / "mssql").glob("*.py")):
        if path.name not in _READERS:
            literals = _literals(ast.parse(path.read_text()))
            found.update({f"{path.name}:{line}": text for line, text in literals if _BEGINS.match(text)})
    return {where: _COMMENT.sub(" ", text) for where, text in found.items()}


def test_there_is_t_sql_of_every_kind() -> None:
    """What follows would be true of nothing, too."""
    counts = {"statements.py ": 30, "statements.sql:": 50, "migrations/": 8, "repeatable/": 5, "session.py:": 10}
    for where, least in counts.items():
        assert sum(name.startswith(where) for name in everything()) >= least, where


# Each with where it stands nevertheless, and why that is well.
ABSENT: dict[str, tuple[str, str]] = {
    # What a compatible server lacks.
    "MERGE": (r"\bMERGE\b", ""),
    "CREATE OR ALTER": (r"\bCREATE\s+OR\s+ALTER\b", ""),
    "DENY": (r"\bDENY\b", ""),
    "columns before ON in a GRANT": (r"\bGRANT\b[^;]*?\)[^;]*?\bON\b", ""),
    "EXECUTE on a procedure": (r"\b(?:GRANT|REVOKE)\s+EXEC", ""),
    "WAITFOR": (r"\bWAITFOR\b", ""),
    # For availability groups alone, which that server does not have.
    "ALTER DATABASE": (r"\bALTER\s+DATABASE\b(?! (?:x|\[shop\]) SET HADR )", ""),
    "full text": (r"\bFULLTEXT\b|\b(?:CONTAINS|FREETEXT)(?:TABLE)?\s*\(", ""),
    "temporal tables": (r"\bSYSTEM_VERSIONING\b|\bPERIOD\s+FOR\b|\bFOR\s+SYSTEM_TIME\b", ""),
    "MIN_ACTIVE_ROWVERSION": (r"\bMIN_ACTIVE_ROWVERSION\b", ""),
    "fn_my_permissions": (r"\bfn_my_permissions\b", ""),
    "EXECUTE AS": (r"\bEXEC(?:UTE)?\s+AS\b|\bREVERT\b", ""),
    "table-valued parameters": (r"\bREADONLY\b|\bCREATE\s+TYPE\b", ""),
    "ALTER COLUMN": (r"\bALTER\s+COLUMN\b", ""),
    "dropping a default": (r"\bDROP\s+CONSTRAINT\b", ""),
    "READPAST": (r"\bREADPAST\b", ""),
    # Where it locks nothing, the count of the rows written tells (see `bulk.merge`).
    "UPDLOCK": (r"\bUPDLOCK\b(?!\) ON held\.)", r"bulk\.py"),
    "views of locks and requests": (r"\bdm_tran_locks\b|\bdm_exec_requests\b", ""),
    "fn_hadr_is_primary_replica": (r"\bfn_hadr_is_primary_replica\b", ""),
    # Asked where there is a group, or done without.
    "views of availability groups": (r"\bdm_hadr_", r"availability\.sql|member\.py|freshness\.py"),
    "string_agg": (r"\bSTRING_AGG\b", ""),
    "DATETIMEOFFSET": (r"\bDATETIMEOFFSET\b|\bSYSDATETIMEOFFSET\b", ""),
    # What it has in another form.
    "an escape in LIKE": (r"\bESCAPE\b", ""),
    "OUTPUT of what is selected": (r"\bINSERT\b(?:(?!\bVALUES\b).)*\bOUTPUT\b(?:(?!\bVALUES\b).)*\bSELECT\b", ""),
    "OUTPUT of both states": (r"\bOUTPUT\b.*\b(?:inserted\..*\bdeleted\.|deleted\..*\binserted\.)", ""),
    "a bare SERVERPROPERTY": (
        r"(?<!CAST\()(?<!\bIF )\b(?:SERVERPROPERTY|DATABASEPROPERTYEX|SESSION_CONTEXT|CONNECTIONPROPERTY)\s*\(", ""
    ),
    "a rollback of nothing": (r"(?<!IF @@TRANCOUNT > 0 )\bROLLBACK\b", ""),
    "a lock without a database": (r"\bsp_(?:get|release)applock (?!@Resource = @name\b)", ""),
    "a time-out of zero": (r"@LockTimeout = 0\b", ""),
    "a temporary table": (r"(?<!\w)#\w", ""),
    # What SQL Server does not forgive.
    "a trigger": (r"\bTRIGGER\b", ""),
    "READ UNCOMMITTED": (r"\bNOLOCK\b|\bREAD\s*UNCOMMITTED\b", ""),
    "ids in an order of their own": (r"\bINSERT INTO \S*\[customer\] [^;]*\bSELECT\b(?!.*ORDER BY s\.\[position\]$)", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", ABSENT)
def test_nothing_needs(what: str) -> None:
    pattern, but = ABSENT[what]
    found = {
        where: text
        for where, text in everything().items()
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL) and not (but and re.match(but, where))
    }
    assert not found


def test_each_thing_that_nothing_needs_would_be_found() -> None:
    """A rule that finds nothing wherever it is looked for says nothing."""
    examples = {
        "MERGE": "MERGE INTO t USING s ON 1 = 1",
        "CREATE OR ALTER": "CREATE OR ALTER VIEW v AS SELECT 1",
        "DENY": "DENY SELECT ON t TO r",
        "columns before ON in a GRANT": "GRANT SELECT (a, b) ON t TO r",
        "EXECUTE on a procedure": "GRANT EXECUTE ON p TO r",
        "WAITFOR": "WAITFOR DELAY '0:0:1'",
        "ALTER DATABASE": "ALTER DATABASE x SET READ_COMMITTED_SNAPSHOT ON",
        "full text": "SELECT 1 WHERE CONTAINS (a, N'b')",
        "temporal tables": "SELECT 1 FROM t FOR SYSTEM_TIME ALL",
        "MIN_ACTIVE_ROWVERSION": "SELECT MIN_ACTIVE_ROWVERSION()",
        "fn_my_permissions": "SELECT * FROM sys.fn_my_permissions(NULL, N'DATABASE')",
        "EXECUTE AS": "CREATE PROCEDURE p WITH EXECUTE AS OWNER AS SELECT 1",
        "table-valued parameters": "CREATE PROCEDURE p @t x READONLY AS SELECT 1",
        "ALTER COLUMN": "ALTER TABLE t ALTER COLUMN a INT NULL",
        "dropping a default": "ALTER TABLE t DROP CONSTRAINT d",
        "READPAST": "SELECT 1 FROM t WITH (READPAST)",
        "UPDLOCK": "SELECT 1 FROM t WITH (UPDLOCK)",
        "views of locks and requests": "SELECT 1 FROM sys.dm_tran_locks",
        "fn_hadr_is_primary_replica": "SELECT sys.fn_hadr_is_primary_replica(N'd')",
        "views of availability groups": "SELECT 1 FROM sys.dm_hadr_cluster",
        "string_agg": "SELECT STRING_AGG(a, N',') FROM t",
        "DATETIMEOFFSET": "SELECT SYSDATETIMEOFFSET()",
        "an escape in LIKE": "SELECT 1 WHERE a LIKE N'%/%%' ESCAPE N'/'",
        "OUTPUT of what is selected": "INSERT INTO t (a)\nOUTPUT inserted.a SELECT a FROM s ORDER BY a",
        "OUTPUT of both states": "UPDATE t SET a = 1 OUTPUT deleted.a, inserted.a",
        "a bare SERVERPROPERTY": "SELECT SERVERPROPERTY('Edition')",
        "a rollback of nothing": "ROLLBACK TRANSACTION",
        "a lock without a database": "EXEC sp_getapplock @Resource = N'custctl', @LockTimeout = 100",
        "a time-out of zero": "EXEC sp_getapplock @Resource = @name, @LockTimeout = 0",
        "a temporary table": "SELECT 1 FROM #t",
        "a trigger": "CREATE TRIGGER g ON t AFTER UPDATE AS SELECT 1",
        "READ UNCOMMITTED": "SELECT 1 FROM t WITH (NOLOCK)",
        "ids in an order of their own": "INSERT INTO [dbo].[customer] ([a]) SELECT s.[a] FROM s",
    }
    assert examples.keys() == ABSENT.keys()
    for what, example in examples.items():
        assert re.search(ABSENT[what][0], example, re.IGNORECASE | re.DOTALL), what


def test_what_is_named_as_an_exception_is_there() -> None:
    for pattern, but in ABSENT.values():
        for each in but.split("|") if but else ():
            assert any(
                re.match(each, where) and re.search(pattern, text, re.IGNORECASE | re.DOTALL)
                for where, text in everything().items()
            ), (pattern, each)


def test_no_compiled_statement_has_too_many_parameters() -> None:
    assert max(len(parameters) for _, parameters in STATEMENTS.values()) <= _MOST_PARAMETERS


def test_every_text_that_is_to_equal_a_parameter_has_the_same_length() -> None:
    """`=` pads the shorter one with blanks."""
    compared = 0
    for name, (text, parameters) in STATEMENTS.items():
        kinds = iter(parameters)
        for before in re.split(r"\?", text)[:-1]:
            kind = next(kinds).partition(":")[2]
            if kind in ("text", "long") and (column := re.search(r"([\w.{}\[\]]+) = $", before)):
                compared += 1
                is_set = re.search(r"\bSET [^?]*$", before) and " WHERE " not in before
                assert is_set or f"DATALENGTH({column[1]}) = DATALENGTH(?)" in text, name
    assert compared > 5


def test_no_connection_is_pooled_or_has_several_result_sets_at_once() -> None:
    """A pooled one keeps its database from being dropped, and hands an identity on."""
    assert not pyodbc.pooling
    settings = EngineSettings(location="shop", name="shop", schema="dbo", user="ada", auth="password")
    text = connection_string(Driver("d", "x"), settings, Node("a", "h", 1433), "secret")
    assert "mars" not in text.lower()
    assert "MultipleActiveResultSets" not in text


def test_a_lock_that_is_gone_is_no_error_when_it_is_released() -> None:
    server = Server()
    answer = server.answer

    def refuse(statement: str, parameters: object) -> object:
        if "sp_releaseapplock" in statement:
            raise pyodbc.ProgrammingError(
                "42000", "[42000] [x][SQL Server]the lock is not held (1223) (SQLExecDirectW)"
            )
        return answer(statement, parameters)  # type: ignore[arg-type]

    server.answer = refuse  # type: ignore[assignment, method-assign]
    with session_lock(Connection(server.connect, 5), "custctl:x", 1, lambda _: None):
        pass
