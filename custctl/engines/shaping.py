"""The part of the interface to a database that knows its shape: what is there, what the scripts make, what mends it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from custctl.schema.shape import Delta, Difference, Key, Shape

if TYPE_CHECKING:
    from custctl.engines.connection import Connection


Made = dict[tuple[str, str], list[tuple[str, str, str, dict[str, str]]]]
"""What the product's scripts make, by the script's name and checksum: kind, table, name and facts of each thing."""


@dataclass(frozen=True, slots=True)
class Product:
    """What the product's own scripts make on an engine, by the checksum of a script and by its name."""

    by_checksum: Mapping[str, Delta]
    by_name: Mapping[str, Delta]

    @classmethod
    def of(cls, made: Made) -> Product:
        """Return it from what is generated."""
        deltas = {
            script: Delta({Key(kind, table, name): facts for kind, table, name, facts in things})
            for script, things in made.items()
        }
        return cls(
            {checksum: delta for (_, checksum), delta in deltas.items()},
            {name: delta for (name, _), delta in deltas.items()},
        )


@dataclass(frozen=True, slots=True)
class Mend:
    """What brings one difference back into shape.

    Attributes:
        statements: in SQL, without their ends; none where a person has to decide.
        notes: what a person should know or choose, each a line for a comment.
        loses: whether data may be lost, so that a person has to decide.
    """

    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    loses: bool = False


class Shaping(ABC):
    """The shape of a database."""

    statement_end: ClassVar[str] = "; "
    """What ends a statement in a script, before the next one."""

    @abstractmethod
    def read_shape(self, connection: Connection) -> Shape:
        """Return what is in the profile's schema, without the program's own journal."""

    def sees_shape(self, connection: Connection) -> bool:
        """Tell whether the login may see all that `read_shape` reads."""
        return True

    @abstractmethod
    def product(self) -> Product:
        """Return what the product's own scripts make on this engine."""

    @abstractmethod
    def mends(self, differences: Sequence[Difference], expected: Shape, found: Shape) -> list[Mend]:
        """Return what mends each difference, in their order; several that one mend settles have the same."""

    @property
    @abstractmethod
    def client(self) -> str:
        """The command that runs a script in a file with the engine's own client."""

    @property
    def opening(self) -> Sequence[str]:
        """The statements that a script for the engine's own client begins with."""
        return ()

    def script_of(self, statements: Sequence[str]) -> str:
        """Return statements as the engine's own client runs them."""
        return "".join(f"{statement}{self.statement_end}" for statement in statements).strip(" ")

    def undo_tables(self, connection: Connection, tables: Sequence[str]) -> None:
        """Drop tables of the program's own, in the caller's transaction."""
        for table in tables:
            connection.send(f"DROP TABLE {connection.qualified(table)}")

    def take_back_row(self, connection: Connection, table: str, number: int) -> None:
        """Delete the newest row of a table, and let its id be given out again, where the engine can do that."""
        connection.send(f"DELETE FROM {connection.qualified(table)} WHERE id = {int(number)}")
