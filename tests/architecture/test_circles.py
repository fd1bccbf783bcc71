"""No file of the program imports, by way of others, a file that imports it: at the top, in a function, for types alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

Imports = Mapping[str, frozenset[str]]

_NAMED = re.compile(r"[\w.]+(?=:\w+$)|[\w.]+$")


def imports_of(root: Path) -> dict[str, frozenset[str]]:
    """Return which modules of a package each of its modules imports, wherever in its text it does.

    A module counts where an import names it, or a string that is loaded by name, as `package.module:attribute`.
    """
    files = {_name(root, path): path for path in root.rglob("*.py")}
    return {name: frozenset(_named(name, path, files)) - {name} for name, path in files.items()}


def _name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")


def _named(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        wanted: list[str] = []
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            # `from package import module` takes the module, `from package import name` what the package itself holds.
            whole = (f"{module}.{alias.name}" for alias in node.names)
            wanted = [each if each in files else module for each in whole]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = _NAMED.match(node.value)
            wanted = [found[0]] if found is not None and "." in found[0] else []
        yield from (each for each in wanted if each in files)


def circles(imports: Imports) -> list[list[str]]:
    """Return a shortest way round for each group of modules that import one another, from its first module by name."""
    found: list[list[str]] = []
    seen: set[str] = set()
    for name in sorted(imports):
        if name in seen:
            continue
        group = group_of(imports, name)
        seen |= group
        if group:
            found.append(_way_round(imports, name))
    return found


def group_of(imports: Imports, name: str) -> set[str]:
    """Return all modules that a module imports by way of others and that import it so; none where it is in no circle."""
    return {each for each in _reached(imports, name) if name in _reached(imports, each)}


def _reached(imports: Imports, start: str) -> dict[str, str]:
    """Return what a module imports by way of others, each with the module through which it was found first."""
    through: dict[str, str] = {}
    waiting = [start]
    for name in waiting:
        for each in sorted(imports[name]):
            if each not in through:
                through[each] = name
                waiting.append(each)
    return through


def _way_round(imports: Imports, start: str) -> list[str]:
    through = _reached(imports, start)
    way = [start]
    while (before := through[way[-1]]) != start:
        way.append(before)
    return [start, *reversed(way[1:]), start]


def test_no_file_imports_itself_by_way_of_others() -> None:
    imports = imports_of(REPOSITORY / "custctl")
    found = circles(imports)
    assert not found, "\n".join(" -> ".join(way) for way in found)


@pytest.mark.parametrize(
    "text",
    [
        "import p.b",
        "from p.b import name",
        "from p import b",
        "from . import b",
        "from .b import name",
        "def f():\n    from p.b import name",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import name",
        "TABLE = {'b': 'p.b:name'}",
    ],
)
def test_a_circle_is_found_however_it_is_closed(tmp_path: Path, text: str) -> None:
    package = tmp_path / "p"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(text)
    (package / "b.py").write_text("import p.c")
    (package / "c.py").write_text("import p.a")
    assert circles(imports_of(package)) == [["p.a", "p.b", "p.c", "p.a"]]


def test_a_package_and_a_module_of_it_are_told_apart(tmp_path: Path) -> None:
    package = tmp_path / "p"
    package.mkdir()
    (package / "__init__.py").write_text("from p.a import name")
    (package / "a.py").write_text("from p import b")
    (package / "b.py").write_text("import json")
    assert not circles(imports_of(package))
    (package / "b.py").write_text("from p import name")
    assert circles(imports_of(package)) == [["p", "p.a", "p.b", "p"]]
