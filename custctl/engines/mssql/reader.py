"""Splits a batch into statements, and reads as much of a statement's grammar as the linter needs.

T-SQL needs no semicolon between statements: a new one begins at a reserved word that starts a statement and does not
belong to the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from custctl.engines.mssql.tokens import Token, tokenise
from custctl.engines.tokens import Kind, TokenReader


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# All are reserved words: none can be a name without quotes or brackets.
_STARTERS = _words(
    "ALTER BACKUP BEGIN BREAK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE DENY DROP"
    " ELSE END EXEC EXECUTE GOTO GRANT IF INSERT KILL MERGE OPEN PRINT RAISERROR RECONFIGURE RESTORE RETURN REVERT"
    " REVOKE ROLLBACK SAVE SELECT SET SHUTDOWN TRUNCATE UPDATE USE WAITFOR WHILE"
)
# After these words comes a permission, an option, an event or a clause; after the marks an operand or a name.
_NOT_BEHIND = _words("ADD AS COLUMN FOR OF THEN WITH")
_OPERATORS = frozenset(".,=+-*/%<>&|^~!")
_NOT_BEFORE = frozenset(".,=)")
# The words after a DROP that starts a statement, unlike the one in ALTER TABLE … DROP COLUMN.
_DROPPED = _words(
    "AGGREGATE APPLICATION ASSEMBLY ASYMMETRIC AVAILABILITY BROKER CERTIFICATE CONTRACT CRYPTOGRAPHIC DATABASE"
    " DEFAULT ENDPOINT EVENT EXTERNAL FULLTEXT FUNCTION INDEX LOGIN MASTER MESSAGE PARTITION PROC PROCEDURE QUEUE"
    " REMOTE RESOURCE ROLE ROUTE RULE SCHEMA SEARCH SECURITY SEQUENCE SERVER SERVICE STATISTICS SYMMETRIC SYNONYM"
    " TABLE TRIGGER TYPE USER VIEW WORKLOAD XML"
)
_SET_IN_ALTER = frozenset({"DATABASE", "FULLTEXT", "SERVER", "EXTERNAL"})
_MODULES = frozenset({"PROC", "PROCEDURE", "FUNCTION", "TRIGGER", "VIEW"})
_NO_BLOCK = frozenset({"TRAN", "TRANSACTION", "DISTRIBUTED", "DIALOG", "CONVERSATION"})
# Enough for CREATE OR ALTER TRIGGER and a name of three parts.
_HEAD = 9


class Code(NamedTuple):
    """One statement of a batch.

    Attributes:
        keyword: its first word in upper case.
        tokens: its tokens; for a module (a procedure, function, trigger or view) only the head.
        conditional: whether it is inside an IF, ELSE, WHILE or CATCH.
    """

    keyword: str
    tokens: list[Token]
    conditional: bool

    @property
    def start(self) -> int:
        """Offset of its first character in the batch."""
        return self.tokens[0].start


def statements(text: str) -> Iterator[Code]:
    """Yield the statements of a batch in order, including those in blocks; BEGIN, END, IF, ELSE and WHILE come alone.

    The body of a module is skipped: it runs later, or elsewhere.
    """
    head = list(islice(tokenise(text), _HEAD))
    if _is_module(head):
        yield Code(head[0].keyword, head, conditional=False)
        return
    blocks: list[bool] = []
    pending = False
    for part in _parts(list(tokenise(text))):
        keyword, second = part[0].keyword, part[1].keyword if len(part) > 1 else ""
        yield Code(keyword, part, conditional=pending or any(blocks))
        if keyword == "BEGIN" and second not in _NO_BLOCK:
            blocks.append(pending or second == "CATCH")
        elif keyword == "END" and blocks and second != "CONVERSATION":
            blocks.pop()
        pending = keyword in ("IF", "ELSE", "WHILE") or (pending and keyword == "WITH")


def _is_module(head: Sequence[Token]) -> bool:
    words = [token.keyword for token in head if token.text != ";"]
    if words[:1] == ["CREATE"] and words[1:3] == ["OR", "ALTER"]:
        words = words[2:]
    return words[:1] in (["CREATE"], ["ALTER"]) and words[1:2] != [] and words[1] in _MODULES


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    cases = 0  # how many CASE … END are open
    for at, token in enumerate(tokens):
        if token.text == ";":
            if part:
                yield part
            part, cases = [], 0
            continue
        word = token.keyword
        if part and not (cases and word in ("ELSE", "END")) and _begins(tokens, at, part):
            yield part
            part, cases = [], 0
        elif word == "CASE":
            cases += 1
        elif word == "END" and cases:
            cases -= 1
        part.append(token)
    if part:
        yield part


def _begins(tokens: Sequence[Token], at: int, part: Sequence[Token]) -> bool:
    """Whether the token begins a statement, after `part` of another one."""
    word = tokens[at].keyword
    before, after = tokens[at - 1], tokens[at + 1] if at + 1 < len(tokens) else None
    if word == "WITH":
        return _is_common_table(tokens[at + 1 : at + 4])
    if word not in _STARTERS or before.text in _OPERATORS or before.keyword in _NOT_BEHIND:
        return False
    if after is not None and after.text in _NOT_BEFORE:
        return False
    next_word = after.keyword if after else ""
    grouped = after is not None and after.kind is Kind.GROUP
    first = part[0].keyword
    # MERGE ends at a semicolon, which it requires.
    if first == "MERGE" or (first in ("GRANT", "DENY", "REVOKE") and not _has(part, "TO", "FROM")):
        return False
    match word:
        case "SET":
            of_alter = first == "ALTER" and len(part) > 1 and part[1].keyword in _SET_IN_ALTER
            own = (first == "UPDATE" or of_alter) and not _has(part, "SET")
            return not (own or grouped or next_word in ("NULL", "DEFAULT"))
        case "ALTER":
            return next_word != "COLUMN"
        case "DROP":
            return next_word in _DROPPED
        case "UPDATE" | "DELETE":
            referential = before.keyword == "ON" and next_word in ("NO", "CASCADE", "SET")
            policy = before.keyword in ("AFTER", "BEFORE")
            return not (first in ("ALTER", "CREATE") and (referential or policy))
        case "IF":
            checked = at + 2 < len(tokens) and tokens[at + 2].kind is Kind.GROUP
            return next_word != "EXISTS" or checked
        case "MERGE":
            return next_word not in ("JOIN", "UNION", "RANGE")
    return True


def _is_common_table(tokens: Sequence[Token]) -> bool:
    """Whether `name AS (…)` or `name (…) AS …` follows a WITH; no option looks like that."""
    if len(tokens) < 3 or tokens[0].identifier is None:
        return False
    if tokens[1].kind is Kind.GROUP:
        return tokens[2].keyword == "AS"
    return tokens[1].keyword == "AS" and tokens[2].kind is Kind.GROUP


def _has(part: Sequence[Token], *words: str) -> bool:
    return any(token.keyword in words for token in part)


class Name(NamedTuple):
    """The name of a table, an index or another object.

    Attributes:
        key: database (empty for the current one), schema and name, folded.
        shown: as spelled in the script.
    """

    key: tuple[str, str, str]
    shown: str

    @property
    def is_plain(self) -> bool:
        """Whether it has no database or schema before it."""
        return self.key[:2] == ("", "")

    @property
    def is_temporary(self) -> bool:
        """Whether it names a temporary table or a table variable."""
        return self.key[2].startswith(("#", "@"))


class Reader(TokenReader[Token]):
    """A cursor over the tokens of one statement."""

    def group(self) -> str | None:
        """Take a parenthesised group and return its content; None if the next token is not a group."""
        token = self.peek()
        if token is None or token.kind is not Kind.GROUP:
            return None
        self.take()
        return token.inside

    def name(self) -> Name | None:
        """Take a name, including schema, database and server before it; None if the next token is not a name."""
        first = self.peek()
        if first is None or first.identifier is None:
            return None
        self.take()
        parts, shown = [first.identifier], first.text
        while self.accept("."):
            shown += "."
            token = self.peek()
            part = token.identifier if token else None
            if token is not None and part is not None:
                shown += token.text
                self.take()
            parts.append(part or "")  # empty between two dots: the default schema
        last = ["", "", *parts][-3:]
        return Name((last[0], last[1], last[2]), shown)

    def rest(self) -> list[Token]:
        """Take all remaining tokens."""
        return list(iter(self.take, None))


def is_on(tokens: Sequence[Token], option: str) -> bool:
    """Whether a `WITH (…)` among the tokens contains `option = ON`."""
    for before, token in pairwise(tokens):
        if before.keyword == "WITH" and token.kind is Kind.GROUP:
            words = [part.keyword or part.text for part in tokenise(token.inside)]
            if any(words[at : at + 3] == [option, "=", "ON"] for at in range(len(words))):
                return True
    return False


def by_comma(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the parts between commas, without empty ones."""
    part: list[Token] = []
    for token in tokens:
        if token.kind is Kind.MARK and token.text == ",":
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


class Source(NamedTuple):
    """What a FROM clause reads from.

    Attributes:
        alias: its name in the statement, folded; empty if it has none.
        table: the table, or None for a derived one.
        query: the text of a derived table, or an empty string.
    """

    alias: str
    table: Name | None
    query: str


class Scope:
    """Which rows a query, UPDATE or DELETE affects.

    Attributes:
        sources: the items of its FROM clause.
        has_where: whether it has its own WHERE, not only one in a subquery.
        has_inner_join: whether an inner join keeps only the rows that match.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.sources: list[Source] = []
        self.has_where = self.has_inner_join = self._has_top = self._has_order = False
        reader, before, in_from = Reader(tokens), ["", ""], False
        while (token := reader.take()) is not None:
            word = token.keyword
            if word in ("WHERE", "HAVING"):
                self.has_where, in_from = True, False
            elif word in ("TOP", "OFFSET"):
                self._has_top = True
            elif word in ("ORDER", "GROUP", "OPTION", "UNION"):
                self._has_order |= word == "ORDER"
                in_from = False
            elif word == "JOIN":
                hinted = before[1] in ("LOOP", "HASH", "MERGE", "REMOTE")
                kind = before[0] if hinted else before[1]
                self.has_inner_join |= kind not in ("LEFT", "RIGHT", "FULL", "OUTER", "CROSS")
            if word == "FROM" or (in_from and (word in ("JOIN", "APPLY") or token.text == ",")):
                in_from = True
                self._read_source(reader)
            before = [before[1], word]

    @property
    def is_narrowed(self) -> bool:
        """Whether a condition, an inner join, or TOP with ORDER BY selects the rows."""
        return self.has_where or self.has_inner_join or (self._has_top and self._has_order)

    def _read_source(self, reader: Reader) -> None:
        query = reader.group()
        table = None if query is not None else reader.name()
        if query is None and table is None:
            return
        named = reader.accept("AS")
        token = reader.peek()
        alias = token.identifier if token is not None else None
        if token is not None and alias is not None and (named or token.keyword not in _NO_ALIAS):
            reader.take()
        else:
            alias = table.key[2] if table else ""
        self.sources.append(Source(alias, table, query or ""))


_NO_ALIAS = _words(
    "CROSS FOR FULL GROUP HASH HAVING INNER JOIN LEFT LOOP MERGE ON OPTION ORDER OUTER PIVOT REMOTE RIGHT"
    " TABLESAMPLE UNION UNPIVOT WHERE WITH"
)
_PER_ROW = frozenset({"NEWID", "NEWSEQUENTIALID", "NEXT"})


class ColumnDefinition:
    """A column's definition in ALTER TABLE … ADD, starting at its name.

    Attributes:
        not_null_without_default: whether existing rows would have no value.
        rewrites: why every existing row must get its own value, or an empty string.
        indexed: whether it includes a primary key or unique constraint.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        reader = Reader(tokens)
        reader.take()
        computed = bool(reader.accept("AS"))
        kind = None if computed else reader.name()
        counted = kind is not None and kind.key[2] in ("rowversion", "timestamp")
        not_null = with_values = has_default = per_row = persisted = False
        self.indexed = False
        while (token := reader.take()) is not None:
            word = token.keyword
            if word == "DEFAULT":
                value = reader.take()
                words = {part.keyword or part.text for part in tokenise(value.text, flat=True)} if value else set()
                has_default = bool(words - {"NULL", "(", ")"})
                per_row |= bool(words & _PER_ROW)
            elif word == "NOT" and reader.accept("NULL"):
                not_null = True
            elif word == "SET":
                reader.accept("NULL", "DEFAULT")  # the action of a foreign key
            elif word == "WITH" and reader.accept("VALUES"):
                with_values = True
            elif word in ("PRIMARY", "UNIQUE"):
                self.indexed = True
                not_null |= word == "PRIMARY"
            elif word == "IDENTITY":
                counted = True
            elif word == "PERSISTED":
                persisted = computed
        self.not_null_without_default = not_null and not (has_default or counted or computed)
        self.rewrites = ""
        if counted:
            self.rewrites = "that counts"
        elif persisted:
            self.rewrites = "that is computed and persisted"
        elif per_row and (not_null or with_values):
            self.rewrites = "whose default differs from row to row"
