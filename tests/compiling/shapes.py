"""Writes `custctl/engines/*/made.py`: what each of the product's scripts makes, as a real database of each engine shows it.

`make shapes`, or `python -m tests.compiling.shapes`. SQL Server's is written where `CUSTCTL_TEST_MSSQL_URL` names one.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.migrations import journal
from custctl.migrations.plan import split_script
from custctl.migrations.scripts import Script, discover
from custctl.schema.shape import CHECK, COLUMN, FUNCTION, INDEX, KINDS, TRIGGER, Delta, Facts, Key
from tests.conftest import REPOSITORY, make_project

if TYPE_CHECKING:
    from custctl.engines.base import Database

ENGINES = REPOSITORY / "custctl" / "engines"
_HEAD = '''"""What each of the product's scripts makes on this engine; `make shapes` writes this file."""

from __future__ import annotations

from custctl.engines.shaping import Made

# One line each.
# fmt: off
MADE: Made = {
'''


def made_by_scripts(database: Database) -> dict[str, Delta]:
    """Apply the product's scripts to an empty database, and return what each of them makes, by its name."""
    found = {}
    scripts = discover(REPOSITORY / "sql", database.engine_name)
    database.create()
    with database.script_session() as session:
        session.begin()
        journal.create(database, session.connection)
        session.commit()
        for script in (*scripts.versioned, *scripts.repeatable):
            delta = Delta()
            for statement in split_script(database, script):
                before = database.read_shape(session.connection)
                if database.runs_alone(statement):
                    session.run(statement)
                else:
                    session.begin()
                    session.run(statement)
                    session.commit()
                after = database.read_shape(session.connection)
                change = Delta.between(before, after)
                named = {key: _remade(key, facts, statement.text, key in before) for key, facts in change.made.items()}
                delta = delta.then(Delta(named, change.removed))
            session.reset()
            found[script.name] = Delta({key: _with_clauses(key, each, script) for key, each in delta.made.items()})
    return found


def _remade(key: Key, facts: Facts, statement: str, was_there: bool) -> Facts:
    """Return facts with the very statement that made a thing."""
    if was_there or key.kind not in (INDEX, TRIGGER, FUNCTION):
        return facts
    return {**facts, "_sql": statement}


def _with_clauses(key: Key, facts: Facts, script: Script) -> Facts:
    """Return facts with the clause that a server tells in words of its own: a check, a default."""
    if key.kind == CHECK and "definition" not in facts:
        at = re.search(rf"CONSTRAINT {key.name} CHECK \(", script.text)
        assert at is not None, key
        clause = f"CHECK ({_balanced(script.text, at.end())}"
        # Rows of several logins pass such a check one by one, but no login can validate them all again.
        kept = {name: fact for name, fact in facts.items() if name != "validated" or "ORIGINAL_LOGIN()" not in clause}
        return {**kept, "_sql": clause}
    if key.kind == COLUMN and facts.get("computed"):
        at = re.search(rf"\b{key.name} AS \(", script.text)
        assert at is not None, key
        return {**facts, "_computed": f"AS ({_balanced(script.text, at.end())} PERSISTED"}
    if key.kind == COLUMN and facts.get("default") == "yes":
        at = re.search(rf"CONSTRAINT ({key.table}_{key.name}_default) DEFAULT (\S+?),?\s", script.text)
        assert at is not None, key
        return {**facts, "_default": at[2], "_default_name": at[1]}
    return facts


def _balanced(text: str, start: int) -> str:
    depth, at = 1, start
    while depth:
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return text[start:at]


def _place(thing: tuple[Key, Facts]) -> tuple[str, int, str]:
    key, _ = thing
    return key.table, KINDS.index(key.kind), "" if key.kind == COLUMN else key.name


def source(made: dict[str, Delta], database: Database) -> str:
    """Return the text of an engine's module."""
    scripts = discover(REPOSITORY / "sql", database.engine_name)
    lines = [_HEAD]
    for script in (*scripts.versioned, *scripts.repeatable):
        # Servers list what they hold in an order of their own; only that of a table's columns means something.
        things = sorted(made[script.name].made.items(), key=_place)
        lines.append(f"    ({script.name!r}, {script.checksum!r}): [\n")
        lines += [f"        {(*key, dict(facts))!r},\n" for key, facts in things]
        lines.append("    ],\n")
    return "".join([*lines, "}\n"])


def main() -> None:
    """Write the file of each engine that is there."""
    from tests.behaviours.support import Place
    from tests.servers.fixtures import PostgresqlServers
    from tests.servers.mssql import named_server
    from tests.servers.projects import mssql_place, on_engine
    from tests.servers.workplace import Workplace

    workplace = Workplace("shapes")
    servers = PostgresqlServers(workplace)
    server = named_server()
    places = {"sqlite": None, "postgresql": servers.place("postgresql18")}
    if server is not None:
        places["mssql"] = mssql_place(server)
    try:
        for engine, place in places.items():
            with tempfile.TemporaryDirectory() as folder:
                project = Place.of(on_engine(make_project(Path(folder)), place))
                database = project.open()
                try:
                    text = source(made_by_scripts(database), database)
                    (ENGINES / engine / "made.py").write_text(text)
                finally:
                    database.close()
                    project.drop()
    finally:
        servers.close()
        workplace.close()


if __name__ == "__main__":
    main()
