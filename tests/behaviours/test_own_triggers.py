"""A company's own triggers: what they refuse is told in their words, and what they drop in silence is not lost in it.

Likewise what its policies and its indexes refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.behaviours.own_fields import write_script
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

LAST = ("--last-name", "L")
IN_SILENCE = "the database did not write the row and reported no error: a trigger or a row security policy prevents it"

# The product's scripts allow no trigger on the tables of SQL Server.
TRIGGERS = {
    "sqlite": """
CREATE TRIGGER own_{verb} BEFORE {verb} ON customer WHEN {value} IN ('Refused', 'Dropped')
BEGIN
  SELECT CASE {value} WHEN 'Dropped' THEN RAISE(IGNORE) ELSE RAISE(ABORT, 'not here') END;
END;
""",
    "postgresql": """
CREATE FUNCTION own_{verb}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {value} = 'Refused' THEN RAISE EXCEPTION 'not here'; END IF;
  RETURN CASE WHEN {value} <> 'Dropped' THEN {row} END;
END
$$;
CREATE TRIGGER own_{verb} BEFORE {verb} ON customer FOR EACH ROW EXECUTE FUNCTION own_{verb}();
""",
}


@pytest.fixture(scope="module", params=[name for name in ENGINES if name != "mssql"])
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose triggers refuse customers with one name, and drop what is done with those of another."""
    made = on_engine(make_project(tmp_path_factory.mktemp("triggered")), place(request))
    try:
        found = Place.of(made)
        verbs = (
            ("INSERT", "NEW", "NEW.first_name"),
            ("UPDATE", "NEW", "NEW.first_name"),
            ("DELETE", "OLD", "OLD.last_name"),
        )
        trigger = TRIGGERS[found.engine]
        write_script(
            found, 1000, "".join(trigger.format(verb=verb, row=row, value=value) for verb, row, value in verbs)
        )
        found.ok("migrate")
        yield found
    finally:
        made.drop()


@pytest.mark.parametrize(("first", "told"), [("Refused", "not here"), ("Dropped", IN_SILENCE)])
def test_a_write_that_a_trigger_stops_is_told(company: Place, first: str, told: str) -> None:
    email = f"{first}@example.com"
    error = company.refused(9, "customer", "add", "--email", email, "--first-name", first, *LAST)
    assert told in error["message"]
    row = company.add(email=email)
    error = company.refused(9, "customer", "update", email, "--first-name", first, "--retries", "3")
    assert told in error["message"]
    assert company.json("customer", "get", email) == row
    kept = company.add(email=f"kept-{email}", last_name=first)
    error = company.refused(9, "customer", "delete", str(kept["id"]), "--yes")
    assert told in error["message"]
    assert company.json("customer", "get", str(kept["id"])) == kept


def test_an_import_rejects_those_rows_alone(company: Place) -> None:
    company.add(email="i1@example.com", first_name="Before")
    rows = [
        f"i{number}@example.com,{first},L" for number, first in enumerate(("A", "Dropped", "B", "Refused", "Dropped"))
    ]
    (company.path / "in.csv").write_text("\n".join(["email,first_name,last_name", *rows, ""]))
    done = company.run(
        "customer", "import", "in.csv", "--rejects", "rejects.csv", "--on-conflict", "update", "-o", "json"
    )
    assert done.code == 10, done.err
    assert (done.json["rows"], done.json["inserted"], done.json["updated"], done.json["rejected"]) == (5, 2, 0, 3)
    told = (company.path / "rejects.csv").read_text().splitlines()[1:]
    for line, (email, reason) in zip(told, [("i1", IN_SILENCE), ("i3", "not here"), ("i4", IN_SILENCE)], strict=True):
        assert line.startswith(f"{email}@example.com,")
        assert reason in line
    assert company.json("customer", "get", "i1@example.com")["first_name"] == "Before"


def test_a_rule_in_place_of_a_write_is_another_shape(company: Place) -> None:
    if company.engine != "postgresql":
        return  # only PostgreSQL has rules
    row = company.add(email="ruled@example.com")
    company.sql("CREATE RULE nothing AS ON UPDATE TO customer DO INSTEAD NOTHING")
    try:
        error = company.refused(8, "customer", "update", str(row["id"]), "--phone", "123456")
    finally:
        company.sql("DROP RULE nothing ON customer")
    assert "differs from its scripts" in error["message"]


# What stops one row on PostgreSQL, by the row's company. RAISE may give any SQLSTATE: the company's own, and those by which
# the server says that a privilege or an object is missing.
OWN_STATES = ("CU001", "45000", "55000", "42501", "42704")
OWN_RULES = """
CREATE FUNCTION own_states() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'not here' USING ERRCODE = NEW.company;
END
$$;
CREATE TRIGGER own_states BEFORE INSERT OR UPDATE ON customer FOR EACH ROW WHEN (NEW.city = 'State')
EXECUTE FUNCTION own_states();
ALTER TABLE customer ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_policy ON customer USING (true) WITH CHECK (city IS DISTINCT FROM 'Elsewhere');
ALTER TABLE customer ADD own_text text;
CREATE INDEX own_index ON customer (own_text);
"""


def test_whatever_refuses_a_row_costs_that_row_alone(company: Place) -> None:
    if company.engine != "postgresql":
        return  # the others have neither
    write_script(company, 1001, OWN_RULES)
    company.ok("migrate")
    # An entry of an index has a page at most; a text of one letter would be compressed.
    long = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(20000))
    rows = [f"s{state}@example.com,State,{state}," for state in OWN_STATES]
    rows += ["policy@example.com,Elsewhere,,", f"index@example.com,,,{long}", "good@example.com,,,short"]
    lines = [
        "email,city,company,own_text,first_name,last_name",
        *(f"{row},F,L" for row in rows),
    ]
    company.ok("customer", "add", "--email", "kept@example.com", "--first-name", "F", *LAST)
    done = company.run("customer", "import", "-", "-o", "json", stdin="\n".join([*lines, ""]))
    assert done.code == 10, done.err
    assert (done.json["inserted"], done.json["rejected"]) == (1, len(rows) - 1)
    reasons = [note for note in done.told if note.startswith("line ")]
    assert reasons[: len(OWN_STATES)] == [
        f"line {at}: the database refused a value: not here" for at in range(2, 2 + len(OWN_STATES))
    ]
    assert "row-level security" in reasons[-2]
    assert "index row" in reasons[-1]
    for changes in (("--city", "State", "--company", "42501"), ("--city", "Elsewhere"), ("--set", f"own_text={long}")):
        error = company.refused(9, "customer", "update", "kept@example.com", *changes)
        assert error["message"].startswith("the database refused a value: ")
