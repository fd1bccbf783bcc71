"""Reads one statement token by token, with as much grammar as a linter needs."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from custctl.engines.postgresql.tokens import Token
from custctl.engines.tokens import FlatReader


class Name(NamedTuple):
    """The name of a table, an index or the like.

    Attributes:
        schema: the schema before it, as PostgreSQL stores it, or None.
        name: the name, as PostgreSQL stores it.
        shown: the name, as the script spells it.
    """

    schema: str | None
    name: str
    shown: str


class Reader(FlatReader[Token]):
    """A cursor over the tokens of one statement, or of a part of one."""

    def phrase(self, *words: str) -> bool:
        """Take the next tokens if they are these keywords, in order; else take none."""
        if any(self.keyword(index) != word for index, word in enumerate(words)):
            return False
        for _ in words:
            self.take()
        return True

    def name(self) -> Name | None:
        """Take a name, with its schema (and database) if given; None if there is no name here."""
        parts: list[str] = []
        shown: list[str] = []
        while True:
            token = self.peek()
            part = token.identifier if token else None
            if token is None or part is None:
                return None
            self.take()
            parts.append(part)
            shown.append(token.text)
            if not self.accept("."):
                return Name(parts[-2] if len(parts) > 1 else None, parts[-1], ".".join(shown))

    def table(self) -> Name | None:
        """Take a table's name in the usual form: `[ONLY] name [*]` or `ONLY (name)`."""
        inside = bool(self.accept("ONLY") and self.accept("("))
        name = self.name()
        self.accept(")" if inside else "*")
        return name

    def tables(self) -> list[Name]:
        """Take a list of table names."""
        names: list[Name] = []
        while (name := self.table()) is not None:
            names.append(name)
            if not self.accept(","):
                break
        return names

    def options(self) -> set[str]:
        """Take options as in `VACUUM (FULL, VERBOSE off)` and return those that are on."""
        chosen: set[str] = set()
        for option in Reader(self.group() or ()).items():
            words = [token.text.strip("'").upper() for token in option]
            if words and not _OFF.intersection(words[1:]):
                chosen.add(words[0])
        return chosen

    def skip_to(self, *words: str) -> str:
        """Take everything through the first of these keywords outside parentheses; return it, or an empty string."""
        while (token := self.top_level()) is not None:
            if token.keyword in words:
                return token.keyword
        return ""

    def items(self) -> list[list[Token]]:
        """Take the rest, split at the commas outside parentheses."""
        items: list[list[Token]] = [[]]
        depth = 0
        while (token := self.take()) is not None:
            depth += (token.mark in ("(", "[")) - (token.mark in (")", "]"))
            if token.mark == "," and not depth:
                items.append([])
            else:
                items[-1].append(token)
        return items


_OFF = frozenset({"FALSE", "OFF", "0"})
# Serial columns use nextval(), which is volatile.
_SERIAL = frozenset({"smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"})
# Words of the grammar that may precede a parenthesis without calling anything volatile, and types with a length.
_GRAMMAR = """
    AND ANY ARRAY AS BETWEEN CASE CAST COALESCE ELSE EXTRACT GREATEST IN IS LEAST LIKE NOT NULLIF OPERATOR OR OVERLAY
    POSITION ROW SOME SUBSTRING THEN TRIM WHEN
    BIT BPCHAR CHAR CHARACTER DEC DECIMAL FLOAT INTERVAL NUMERIC TIME TIMESTAMP TIMESTAMPTZ TIMETZ VARBIT VARCHAR VARYING
    CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP
"""
# Functions that are stable or immutable in every form: PostgreSQL computes such a default only once for all rows.
# Source: pg_proc.provolatile, PostgreSQL 18.
_STABLE = """
    abs age array_append array_cat array_fill array_length array_prepend btrim ceil char_length concat concat_ws
    current_setting date date_part date_trunc decode encode floor format int4range int8range json_build_array
    json_build_object jsonb_build_array jsonb_build_object left length lower lpad ltrim make_date make_interval make_time
    make_timestamp make_timestamptz md5 mod now numrange regexp_replace repeat replace right round row_to_json rpad rtrim
    sha256 split_part sqrt statement_timestamp string_to_array substr timezone to_char to_date to_json to_jsonb to_number
    to_timestamp to_tsvector transaction_timestamp translate trunc tsrange tstzrange upper
"""
# What ends the expression of a default, outside parentheses: the column's next constraint.
_CONSTRAINTS = """
    CHECK COLLATE CONSTRAINT DEFAULT DEFERRABLE ENFORCED GENERATED INITIALLY NO NOT NULL PRIMARY REFERENCES UNIQUE
"""
_NO_CALL = frozenset(_GRAMMAR.split())
STABLE = frozenset(_STABLE.split())
_CONSTRAINT = frozenset(_CONSTRAINTS.split())


class ColumnDefinition:
    """What ALTER TABLE … ADD COLUMN says after the column's name.

    Attributes:
        rewrites: why the table is rewritten, or an empty string.
        checked: the constraint that is checked against every row, or an empty string.
        not_null_without_default: whether existing rows would have no value for a NOT NULL column.
    """

    def __init__(self, reader: Reader) -> None:
        self.rewrites = ""
        self.checked = ""
        not_null = has_default = filled = references = False
        type_ = reader.name()
        generated = type_ is not None and type_.schema is None and type_.name in _SERIAL
        if generated and type_ is not None:
            self.rewrites = f"as `{type_.shown}`"
        while (token := reader.top_level()) is not None:
            word = token.keyword
            if word == "DEFAULT":
                value = _default(reader)
                filled = True
                has_default = not _is_null(value)
                call = _volatile_call(value)
                if call:
                    self.rewrites = f"with a default that calls `{call}`"
            elif word == "NOT":
                if reader.accept("NULL"):
                    not_null = True
                elif reader.accept("ENFORCED"):
                    self.checked = ""
                    references = False
            elif word == "SET":
                # ON DELETE SET NULL or SET DEFAULT says nothing about the column itself.
                reader.accept("NULL", "DEFAULT")
            elif word == "PRIMARY":
                not_null = True
                self.checked = "PRIMARY KEY"
            elif word in ("UNIQUE", "CHECK"):
                self.checked = word
            elif word == "REFERENCES":
                references = True
            elif word == "GENERATED":
                generated = True
                if not reader.accept("ALWAYS"):
                    reader.phrase("BY", "DEFAULT")
                reader.accept("AS")
                if reader.accept("IDENTITY"):
                    self.rewrites = "as an identity"
                else:
                    reader.group()
                    if reader.accept("STORED"):
                        self.rewrites = "as a stored generated one"
        if references and (filled or generated):
            # Without a default all new values are null, and PostgreSQL does not look them up.
            self.checked = "REFERENCES"
        self.not_null_without_default = not_null and not has_default and not generated


def _default(reader: Reader) -> list[Token]:
    """Take the expression after DEFAULT."""
    value: list[Token] = []
    depth = 0
    while (token := reader.peek()) is not None:
        if value and not depth and token.keyword in _CONSTRAINT:
            break
        reader.take()
        depth += (token.mark in ("(", "[")) - (token.mark in (")", "]"))
        value.append(token)
    return value


def _is_null(value: list[Token]) -> bool:
    """Whether a default is NULL, possibly in parentheses or with a cast."""
    inner = [token for token in value if token.mark not in ("(", ")")]
    return not inner or (inner[0].keyword == "NULL" and (len(inner) == 1 or inner[1].mark == ":"))


def _volatile_call(value: list[Token]) -> str:
    """Return the first function in an expression that is or may be volatile; an empty string if there is none."""
    # Outside PostgreSQL's own schema, a function of the same name can be anything.
    schema = before = ""
    for token, following in pairwise(value):
        called = token.identifier
        # What follows `::`, or AS in a CAST, is a type with its length.
        if called is not None and following.mark == "(" and before not in (":", "AS"):
            foreign = before == "." and schema != "PG_CATALOG"
            if foreign or not (called in STABLE or (before != "." and token.keyword in _NO_CALL)):
                return token.text
        if token.mark != ".":
            schema = token.keyword
        before = token.keyword or token.mark
    return ""
