"""Scripts as other tools write them: dumps with settings and keys of their own, comments within comments, blocks left open."""

from __future__ import annotations

import pytest

from tests.behaviours.support import Place
from tests.servers.fixtures import ENGINES

_NOTE = "what?\nGO\naway; it''s /* no comment"
_ROWS = (
    f"(7, {{n}}'Wien', {{n}}'{_NOTE}')",
    "(9, {n}'São Paulo', NULL)",
)
DUMPS = {
    "mssql": f"""/****** Object:  Table [dbo].[branch]    Script Date: 01.02.2026 ******/
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
CREATE TABLE [dbo].[branch](
\t[id] [int] IDENTITY(1,1) NOT NULL,
\t[name] [nvarchar](50) NOT NULL,
\t[note] [nvarchar](max) NULL,
 CONSTRAINT [PK_branch] PRIMARY KEY CLUSTERED ([id] ASC)
)
GO
SET IDENTITY_INSERT [dbo].[branch] ON
GO
INSERT [dbo].[branch] ([id], [name], [note]) VALUES {_ROWS[0].format(n="N")}
INSERT [dbo].[branch] ([id], [name], [note]) VALUES {_ROWS[1].format(n="N")}
GO
SET IDENTITY_INSERT [dbo].[branch] OFF
GO
ALTER TABLE [dbo].[branch] ADD CONSTRAINT [UQ_branch_name] UNIQUE ([name])
GO
""",
    "postgresql": f"""SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
CREATE TABLE public.branch (
    id integer NOT NULL,
    name text NOT NULL,
    note text
);
CREATE SEQUENCE public.branch_id_seq AS integer START WITH 1 OWNED BY public.branch.id;
ALTER TABLE ONLY public.branch ALTER COLUMN id SET DEFAULT nextval('public.branch_id_seq'::regclass);
INSERT INTO public.branch (id, name, note) VALUES {_ROWS[0].format(n="")}, {_ROWS[1].format(n="")};
SELECT pg_catalog.setval('public.branch_id_seq', 9, true);
ALTER TABLE ONLY public.branch ADD CONSTRAINT branch_pkey PRIMARY KEY (id);
""",
    "sqlite": f"""CREATE TABLE branch (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, note TEXT);
INSERT INTO branch VALUES {_ROWS[0].format(n="")};
INSERT INTO branch VALUES {_ROWS[1].format(n="")};
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('branch', 9);
""",
}
_NESTED = "/* one /* two? */ don't? */"
COMMENTED = {
    "mssql": f"{_NESTED} INSERT INTO said VALUES (N'a?' + N'/* /* ? */') -- why? {_NESTED}",
    "postgresql": f"{_NESTED} INSERT INTO said VALUES ('a?' || '/* /* ? */') -- why? {_NESTED}",
    "sqlite": "/* one? don't */ INSERT INTO said VALUES ('a?' || '/* /* ? */') -- why?",
}
# The block opens in the third line, and is never closed.
OPEN = {
    "mssql": "CREATE TABLE a (x INT)\nGO\nIF 1 = 1\nBEGIN\n  INSERT INTO a VALUES (1)\nGO\nINSERT INTO a VALUES (2)\n",
    "postgresql": "CREATE TABLE a (x INT);\n\nDO $$\nBEGIN\n  INSERT INTO a VALUES (1);\n$$;\nINSERT INTO a VALUES (2);\n",
    "sqlite": "CREATE TABLE a (x INT);\n\nCREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n  SELECT 1;\n\nINSERT INTO a VALUES (2);\n",
}


def test_a_foreign_dump_lands_whole(empty: Place) -> None:
    place = empty
    place.write("0001_branch").write_text("-- custctl: allow=all a dump of another tool\n" + DUMPS[place.engine])
    place.ok("migrate")
    assert [tuple(row) for row in place.sql("SELECT id, name, note FROM branch ORDER BY id")] == [
        (7, "Wien", _NOTE.replace("''", "'")),
        (9, "São Paulo", None),
    ]
    # The key goes on behind what the dump brought, and what it set for its session is gone.
    place.sql(f"INSERT INTO branch (name) VALUES ({place.literal('Graz')})")
    assert place.sql("SELECT MAX(id) FROM branch") == [(10,)]
    place.write("0002_next", "CREATE TABLE next_one (x INTEGER)")
    place.ok("migrate")
    assert place.tables("next_one", "branch") == {"next_one", "branch"}
    place.ok("migrate", "status", "--check")


def test_question_marks_in_strings_and_comments_are_no_parameters(empty: Place) -> None:
    place = empty
    place.write("0001_said", "CREATE TABLE said (text VARCHAR(40))", COMMENTED[place.engine])
    place.ok("migrate")
    assert place.sql("SELECT text FROM said") == [("a?/* /* ? */",)]
    # The script is in the journal as it stands on disk.
    place.ok("migrate", "validate")


def test_a_block_that_is_left_open_is_told_by_its_line_and_leaves_nothing(empty: Place) -> None:
    place = empty
    place.write("0001_open").write_text(OPEN[place.engine])
    error = place.refused(11, "migrate")
    assert "0001_open.sql:" in error["message"]
    assert 3 <= error["details"]["line"] <= 7, error
    assert place.tables("a") == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_there_is_a_foreign_script_for_each_engine(engine: str) -> None:
    kind = engine.rstrip("0123456789")
    assert kind in DUMPS
    assert kind in COMMENTED
    assert kind in OPEN
