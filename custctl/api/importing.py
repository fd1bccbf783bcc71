"""Importing customers from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypedDict

from custctl.customers.batch import Counts, OnConflict
from custctl.customers.files import opened as opened_file
from custctl.customers.headers import parse_mapping
from custctl.customers.importing import Import, Request, Result
from custctl.customers.operations import chosen_operation_id
from custctl.customers.recognition import recognise
from custctl.customers.records import OURS, Format, Reading, Source, fingerprint, guess_format
from custctl.customers.sources import open_source
from custctl.support.errors import UsageError
from custctl.support.files import check_apart, is_same

if TYPE_CHECKING:
    from custctl.api.opened import Opened


class ImportOptions(TypedDict, total=False):
    """How a file is imported; every option has a default.

    Attributes:
        name: the file's name for the audit; by default the path's.
        format: `csv` or `jsonl`; by default inferred from the file name.
        mapping: which column is read into a field, as `field=Header`, `field=A,B`, `field=` to ignore the field, or
            `first_name,last_name=Header`.
        delimiter: the separator of CSV cells, or `tab`; detected by default.
        encoding: detected among UTF-8, UTF-16 and UTF-32 by default.
        raw: read cells unchanged; otherwise remove the `'` that protects a formula in CSV.
        join_lines: join the lines of a cell with `, ` instead of rejecting the row.
        on_conflict: what to do with a row whose email is taken; rejected by default.
        rejects: the file for rejected rows; not written by default.
        dry_run: check the file and look up the emails, but write nothing.
        operation_id: the UUID of the request; by default a new one.
    """

    name: str | None
    format: Format | None
    mapping: Sequence[str]
    delimiter: str | None
    encoding: str | None
    raw: bool
    join_lines: bool
    on_conflict: OnConflict
    rejects: Path | None
    dry_run: bool
    operation_id: str | None


@dataclass(frozen=True, slots=True)
class FileImport:
    """An import that is ready to run: its file is open, and its form is known.

    Attributes:
        request: what to import.
        reading: how to read the file.
        data: the open file.
        lines: the number of lines.
    """

    request: Request
    reading: Reading
    data: IO[bytes]
    lines: int
    _work: Import
    _opened: Opened

    @property
    def source(self) -> Source:
        """The records, and the ignored columns."""
        return self.request.source

    @property
    def counts(self) -> Counts:
        """What is committed so far, as this run knows."""
        return self._work.result.counts

    @property
    def deferred(self) -> bool:
        """Whether indexes are dropped until all rows are imported."""
        return self._work.deferred

    def committed(self) -> Counts:
        """Ask the database what is committed: an interrupt may come between a commit and its confirmation."""
        return self._work.committed()

    def run(self, on_progress: Callable[[int], None] = lambda _: None) -> Result:
        """Import the file; see `custctl.customers.importing.Import.run`.

        Args:
            on_progress: called after each batch with the number of rows handled.
        """
        if self.request.dry_run:
            return self._work.run(on_progress)
        if self.request.on_conflict != "update":
            result = self._work.run(on_progress)
        else:
            with self._opened.writing_many():
                result = self._work.run(on_progress)
        if not self._opened.profile.identity.is_local:
            from custctl.api.accounts import Accounts

            result.account_error = Accounts(self._opened).follow_operation(self.request.operation_id)
        return result


@contextmanager
def opened_import(
    opened: Opened,
    file: Path | IO[bytes],
    *,
    name: str | None = None,
    format: Format | None = None,
    mapping: Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    raw: bool = False,
    join_lines: bool = False,
    on_conflict: OnConflict = "fail",
    rejects: Path | None = None,
    dry_run: bool = False,
    operation_id: str | None = None,
) -> Iterator[FileImport]:
    """Open a file and detect its form; arguments as for `ImportOptions`.

    Raises:
        InvalidError: the file is malformed.
        UsageError: the file cannot be read, or an option does not fit it.
    """
    if on_conflict not in ("fail", "skip", "update"):
        raise UsageError(f"unknown choice: `--on-conflict {on_conflict}`", hint="one of fail, skip, update")
    if format not in (None, "csv", "jsonl"):
        raise UsageError(f"unknown format: `--format {format}`", hint="one of csv, jsonl")
    operation_id = chosen_operation_id(operation_id)
    separator = None if delimiter is None else _delimiter(delimiter)
    path = file if isinstance(file, Path) else None
    if rejects is not None:
        check_apart("--rejects", rejects, opened.profile.database.path)
        if is_same(rejects, file):
            raise UsageError("`--rejects` names the imported file itself")
    chosen = format or guess_format(path)
    if separator is not None and chosen != "csv":
        raise UsageError("`--delimiter` applies only to CSV", hint="`--format csv` reads the file as CSV")
    with opened_file(file) as data:
        recognised = recognise(data, encoding)
        if encoding is not None:
            _warn_of_utf8(opened, data, recognised.name)
        own = opened.learn_fields()
        reading = Reading(
            format=chosen,
            encoding=recognised,
            mapping=parse_mapping(mapping, own),
            delimiter=separator,
            raw=raw,
            join_lines=join_lines,
            own=own,
        )
        if own.by_name.keys() >= set(OURS):
            both = " and ".join(f"`{name}`" for name in OURS)
            opened.tell.note(f"{both} at the end of a row are ignored: they say why it was rejected before")
        known = fingerprint(data)
        request = Request(
            name=name if name is not None else path.name if path is not None else "stream",
            source=open_source(data, reading),
            fingerprint=known,
            key_parts=(str(reading), on_conflict),
            on_conflict=on_conflict,
            operation_id=operation_id,
            rejects=rejects,
            dry_run=dry_run,
            own=own,
            typed=chosen == "jsonl",
        )
        work = Import(opened.store, opened.database, request, opened.actor, opened.tell.note)
        yield FileImport(request, reading, data, known.lines, work, opened)


def _warn_of_utf8(opened: Opened, data: IO[bytes], encoding: str) -> None:
    """Warn if the user names an encoding that reads UTF-8 as other characters, and rewind the file."""
    from custctl.customers.encodings import fitting_encoding

    found = fitting_encoding(data, encoding)
    data.seek(0)
    if found is not None and found[0] == "utf-8":
        opened.tell.warn(f"the file looks like UTF-8 text, and is read as {encoding.upper()}", "omit `--encoding`")


def _delimiter(text: str) -> str:
    separator = {"tab": "\t", "\\t": "\t"}.get(text.casefold(), text)
    if len(separator) != 1 or separator in '"\r\n':
        raise UsageError(f"`--delimiter {text}` is not one character", hint="for example `;`, or `tab`")
    return separator
