"""Own fields whose names hold what options have a meaning for: each option takes them in double quotes."""

from __future__ import annotations

import pytest

from tests.behaviours.own_fields import quoted, write_script
from tests.behaviours.support import Place

TYPE = {"sqlite": "VARCHAR(20)", "postgresql": "VARCHAR(20)", "mssql": "NVARCHAR(20)"}
NAMES = ("-rank", "rank", " lead", "lead", "a,b", "a=b", "=x", 'q"x', "tail ")


@pytest.fixture
def odd(empty: Place) -> Place:
    add = "ADD" if empty.engine == "mssql" else "ADD COLUMN"
    columns = (f"{quoted(empty, name)} {TYPE[empty.engine]}" for name in NAMES)
    write_script(empty, 1000, "".join(f"ALTER TABLE customer {add} {column};\n" for column in columns))
    empty.ok("migrate")
    for name in ("one", "two"):
        empty.add(email=f"{name}@example.com")
    return empty


def test_each_option_takes_them_in_double_quotes(odd: Place) -> None:
    for name in NAMES:
        option = '"' + name.replace('"', '""') + '"'
        for email, value in (("one", "1"), ("two", "2")):
            row = odd.json("customer", "update", f"{email}@example.com", "--set", f"{option}={value}")
            assert {field: row[field] for field in NAMES if row[field] is not None} == {name: value}
        [held] = odd.items("customer", "list", "--where", f"{option}=2", "--fields", f"email,{option}")
        assert held == {"email": "two@example.com", name: "2"}
        for sign, order in (("", ["1", "2"]), ("-", ["2", "1"])):
            page = odd.json("customer", "list", "--sort", sign + option, "--limit", "1")
            rest = odd.items("customer", "list", "--after", page["next"])
            assert [row[name] for row in (*page["items"], *rest)] == order
        assert odd.items("customer", "list", "--count-by", option) == [{name: n, "count": 1} for n in ("1", "2")]
        (odd.path / "in.csv").write_text("email,first_name,last_name,Column\none@example.com,F,L,3\n")
        odd.ok("customer", "import", "in.csv", "--on-conflict", "update", "--map", f"{option}=Column")
        row = odd.json("customer", "get", "one@example.com")
        assert {field: row[field] for field in NAMES if row[field] is not None} == {name: "3"}
        for email in ("one", "two"):
            odd.ok("customer", "update", f"{email}@example.com", "--unset", option)


def test_a_suggested_name_is_as_the_option_takes_it(odd: Place) -> None:
    for option, name in (("--sort", "a;b"), ("--fields", "a;b"), ("--where", "a;b?"), ("--count-by", "a;b")):
        hint = odd.refused(2, "customer", "list", option, name)["hint"]
        assert hint in ('did you mean `"a,b"`?', 'did you mean `"a=b"`?')
    assert odd.refused(2, "customer", "update", "1", "--set", "tai=1")["hint"] == 'did you mean `"tail "`?'
