"""What an SQLite script has set or created in its session, and a rerun on a new session lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from custctl.engines.resuming import Lost, Temporary, lost_objects, mentions
from custctl.engines.sqlite.reader import Reader
from custctl.engines.sqlite.tokens import first_word, tokenise
from custctl.engines.tokens import Kind

if TYPE_CHECKING:
    from custctl.engines.scripts import Statement

# The file stores some of these settings, and an older value must not come back; the others act at once.
_LASTING = frozenset({"USER_VERSION", "APPLICATION_ID", "SCHEMA_VERSION", "WAL_CHECKPOINT", "OPTIMIZE"})
_ENDS_WITH_TRANSACTION = "DEFER_FOREIGN_KEYS"
_NOTHING_IN_TRANSACTION = "FOREIGN_KEYS"
_WRITING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"})
_INSERTING = frozenset({"INSERT", "REPLACE", "WITH"})


class _Attached(NamedTuple):
    """A database that a script has attached; the file's name is None if it is not a literal."""

    name: str
    file: str | None

    @property
    def in_memory(self) -> bool:
        return self.file is not None and (self.file in ("", ":memory:") or "mode=memory" in self.file)

    @property
    def is_missing(self) -> bool:
        """Whether the file does not exist, so that attaching it would create an empty one."""
        if self.file is None or self.in_memory:
            return False
        is_uri = self.file.startswith("file:")
        return not Path(unquote(urlsplit(self.file).path) if is_uri else self.file).exists()


def settings(statements: Sequence[Statement]) -> list[int]:
    """Return the indexes of the statements that a new session must run again, without those undone since."""
    kept: dict[int, str] = {}
    in_transaction = False
    for number, statement in enumerate(statements):
        reader = Reader(statement.text)
        match reader.keyword():
            case "BEGIN":
                in_transaction = True
            case "COMMIT" | "END" | "ROLLBACK":
                in_transaction = in_transaction and _is_partial(reader)
            case "PRAGMA":
                reader.take()
                pragma = reader.name()
                if pragma is None or pragma.folded in _LASTING or pragma.folded == _ENDS_WITH_TRANSACTION:
                    continue
                if not (in_transaction and pragma.folded == _NOTHING_IN_TRANSACTION):
                    kept[number] = pragma.schema or ""
            case "ATTACH":
                kept[number] = _attached(statement).name
            case "DETACH":
                gone = _detached(reader)
                kept = {at: schema for at, schema in kept.items() if schema != gone}
    return list(kept)


def lost(applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
    """Return what the remaining statements need first but was lost with the previous session, if anything.

    Args:
        applied: the statements that have run.
        rest: the remaining statements.
    """
    attached = _all_attached(applied)
    for each in attached.values():
        named = any(mentions(one, each.name) for one in applied if first_word(one.text) != "ATTACH")
        if rest and each.is_missing and named:
            return Lost(0, f"the attached file `{each.file}`, which is missing", "put the file back where it was")
    volatile = {"TEMP", *(each.name for each in attached.values() if each.in_memory)}
    found = lost_objects(
        _made(applied, volatile), rest, lambda statement: (_making(statement, volatile) or (None,))[0], _uses
    )
    if found is not None:
        return found
    if any(first_word(statement.text) in _INSERTING for statement in applied):
        for number, statement in enumerate(rest):
            if mentions(statement, "last_insert_rowid"):
                what = "the value of `last_insert_rowid()`"
                return Lost(number, what, "write the value into the script in its place")
            if first_word(statement.text) in _INSERTING:
                break
    return None


def _is_partial(reader: Reader) -> bool:
    """Tell whether this is ROLLBACK TO, which does not end the transaction."""
    reader.take()
    reader.accept("TRANSACTION")
    return bool(reader.accept("TO"))


def _attached(statement: Statement) -> _Attached:
    tokens = list(tokenise(statement.text))
    file = tokens[2 if tokens[1].keyword == "DATABASE" else 1] if len(tokens) > 3 else None
    literal = file.text[1:-1].replace("''", "'") if file is not None and file.kind is Kind.STRING else None
    # A string is the file's name only if it is not part of a longer expression.
    alone = len(tokens) - tokens.index(file) == 3 if file is not None else False
    return _Attached(tokens[-1].identifier or "", literal if alone else None)


def _detached(reader: Reader) -> str | None:
    reader.take()
    reader.accept("DATABASE")
    name = reader.name()
    return name.folded if name else None


def _all_attached(statements: Sequence[Statement]) -> Mapping[str, _Attached]:
    found: dict[str, _Attached] = {}
    for statement in statements:
        match first_word(statement.text):
            case "ATTACH":
                made = _attached(statement)
                found[made.name] = made
            case "DETACH":
                found.pop(_detached(Reader(statement.text)) or "", None)
    return found


def _making(statement: Statement, volatile: set[str]) -> tuple[str, Temporary] | None:
    """Return the temporary object that a statement creates, with its folded name."""
    reader = Reader(statement.text)
    if not reader.accept("CREATE"):
        return None
    temporary = bool(reader.accept("TEMP", "TEMPORARY"))
    reader.accept("VIRTUAL")
    # An index is left out because it does not change results.
    kind = reader.accept("TABLE", "VIEW", "TRIGGER")
    if reader.accept("IF"):
        reader.accept("NOT")
        reader.accept("EXISTS")
    name = reader.name() if kind else None
    if name is None or not (temporary or name.schema in volatile):
        return None
    return name.folded, Temporary(kind.lower(), name.shown, name.folded)


def _made(statements: Sequence[Statement], volatile: set[str]) -> dict[str, Temporary]:
    found: dict[str, Temporary] = {}
    for statement in statements:
        made = _making(statement, volatile)
        if made is not None:
            found[made[0]] = made[1]
        elif first_word(statement.text) == "DROP":
            found.pop(_dropped(statement) or "", None)
        elif first_word(statement.text) == "ALTER":
            _rename(found, statement)
    return found


def _dropped(statement: Statement) -> str | None:
    reader = Reader(statement.text)
    reader.take()
    reader.take()
    if reader.accept("IF"):
        reader.accept("EXISTS")
    name = reader.name()
    return name.folded if name else None


def _rename(found: dict[str, Temporary], statement: Statement) -> None:
    reader = Reader(statement.text)
    reader.take()
    reader.take()
    before = reader.name()
    if before is None or before.folded not in found or not (reader.accept("RENAME") and reader.accept("TO")):
        return
    name = reader.name()
    if name is not None:
        found[name.folded] = Temporary(found.pop(before.folded).kind, name.shown, name.folded)


def _uses(statement: Statement, made: Temporary) -> bool:
    if made.kind == "trigger":
        return first_word(statement.text) in _WRITING
    return mentions(statement, made.name)
