"""The part of the interface to a database for its shape: what is there, what scripts create, and how to repair it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.schema.shape import Delta, Difference, Shape


Made = dict[tuple[str, str], list[tuple[str, str, str, dict[str, str]]]]
"""What the product's scripts create, by script name and checksum: kind, table, name and facts of each object."""


class Product(NamedTuple):
    """What the product's own scripts create on an engine, by script checksum and by script name."""

    by_checksum: Mapping[str, Delta]
    by_name: Mapping[str, Delta]

    @classmethod
    def of(cls, made: Made) -> Product:
        """Build it from the generated `made.py`."""
        from custctl.schema.shape import Delta, Key

        deltas = {
            script: Delta({Key(kind, table, name): facts for kind, table, name, facts in things})
            for script, things in made.items()
        }
        return cls(
            {checksum: delta for (_, checksum), delta in deltas.items()},
            {name: delta for (name, _), delta in deltas.items()},
        )


class Fix(NamedTuple):
    """How to repair one difference.

    Attributes:
        statements: SQL statements without terminators; none if a person must decide.
        notes: what a person should know or choose, one comment line each.
        loses: whether data may be lost, so that a person must decide.
    """

    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    loses: bool = False


class Shaping(ABC):
    """The shape of a database."""

    statement_end: ClassVar[str] = "; "
    """Terminates a statement in a script and separates it from the next."""

    @abstractmethod
    def read_shape(self, connection: Connection) -> Shape:
        """Return the shape of the profile's schema, without the program's own journal."""

    def sees_shape(self, connection: Connection) -> bool:
        """Tell whether the login may see everything that `read_shape` reads."""
        return True

    @abstractmethod
    def product(self) -> Product:
        """Return what the product's own scripts create on this engine."""

    @abstractmethod
    def fixes(
        self, connection: Connection, differences: Sequence[Difference], expected: Shape, found: Shape
    ) -> list[Fix]:
        """Return a repair for each difference, in order; differences that one repair fixes share it."""

    @property
    @abstractmethod
    def client(self) -> str:
        """The command that runs a script file with the engine's own client."""

    @property
    def opening(self) -> Sequence[str]:
        """The statements at the start of a script for the engine's own client."""
        return ()

    def script_of(self, statements: Sequence[str]) -> str:
        """Join statements into a script for the engine's own client."""
        return "".join(f"{statement}{self.statement_end}" for statement in statements).strip(" ")

    def undo_tables(self, connection: Connection, tables: Sequence[str]) -> None:
        """Drop the program's own tables, in the caller's transaction."""
        for table in tables:
            connection.send(f"DROP TABLE {connection.qualified(table)}")

    def take_back_row(self, connection: Connection, table: str, number: int) -> None:
        """Delete the newest row of a table; its id is used again if the engine can do that."""
        connection.send(f"DELETE FROM {connection.qualified(table)} WHERE id = {int(number)}")
