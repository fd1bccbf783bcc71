"""Unsaved edits of forms, written to disk with every key, so that nothing is lost if the terminal closes.

The files are like those of `customer edit`: private, kept for a day, erased with their customer. They contain only
what was typed.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from custctl.customers.document import document, parse_document
from custctl.support.errors import InvalidError, UnavailableError, UsageError
from custctl.support.state import write_whole
from custctl.support.unsaved import KEPT_FOR, edits_of, forget_edits, kept_edits, remove_edits

if TYPE_CHECKING:
    from custctl.schema.own import OwnFields

_VERSION: Final = re.compile(r"^# version: (\S+)$", re.MULTILINE)
_NEW: Final = 0  # the id that stands for a new customer


@dataclass(frozen=True, slots=True)
class Kept:
    """An unsaved edit.

    Attributes:
        version: the customer's version that it is based on; None for a new customer.
        typed: texts by field.
        at: when it was last changed, as hours and minutes.
    """

    path: Path
    version: str | None
    typed: dict[str, str]
    at: str


class KeptEdits:
    """The unsaved edits of one database.

    Args:
        location: the database in words.
        profile: the profile's name.
    """

    def __init__(self, environ: Mapping[str, str], location: str, profile: str) -> None:
        self._environ = environ
        self._location = location
        self._profile = profile

    def _place(self, customer_id: int | None) -> tuple[Path, str]:
        return edits_of(self._environ, self._location, customer_id or _NEW)

    def find(self, customer_id: int | None, own: OwnFields) -> Kept | None:
        """Return the last unsaved edit of a customer, or of a new one if the id is None."""
        with suppress(UsageError, OSError):
            for path in kept_edits(*self._place(customer_id)):
                changed = path.stat().st_mtime
                with suppress(OSError, UnicodeError, InvalidError):
                    text = path.read_text(encoding="utf-8")
                    version = _VERSION.search(text)
                    typed = parse_document(text, own)
                    if version is None or not typed or changed < time.time() - KEPT_FOR:
                        continue  # a file of `customer edit`, which contains every field
                    at = time.strftime("%H:%M", time.localtime(changed))
                    texts = {name: value or "" for name, value in typed.items()}
                    return Kept(path, version[1] if customer_id is not None else None, texts, at)
        return None

    def keep(self, customer_id: int | None, version: str | None, typed: Mapping[str, str], path: Path | None) -> Path:
        """Write an unsaved edit to disk.

        Args:
            path: the file with an earlier state of the same form, which this one replaces.

        Returns:
            The file.

        Raises:
            UnavailableError: the file cannot be written.
        """
        who = f"customer {customer_id}" if customer_id is not None else "a new customer"
        text = f"# version: {version or 'new'}\n" + document(typed, title=f"{who} of {self._profile}")
        try:
            folder, name = self._place(customer_id)
            if path is None:
                forget_edits(folder, older_than=KEPT_FOR)
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor, made = tempfile.mkstemp(prefix=f"edit-{name}-", suffix=".yaml", dir=folder)
                os.close(descriptor)
                path = Path(made)
            write_whole(path, text)
        except (OSError, UsageError) as error:
            reason = error.message if isinstance(error, UsageError) else error.strerror
            raise UnavailableError(
                f"what you type cannot be kept: {reason}", hint="save it before you leave"
            ) from error
        return path

    def drop(self, path: Path) -> None:
        """Remove an unsaved edit that is no longer needed."""
        remove_edits(path.parent, path.stem)

    def forget(self, customer_id: int) -> None:
        """Remove all unsaved edits of a customer that no longer exists."""
        with suppress(UsageError):  # no home folder, so nothing is kept
            forget_edits(*self._place(customer_id))
