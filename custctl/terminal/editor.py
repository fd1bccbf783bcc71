"""Edits a text in the user's editor, in a private file that survives a failure."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from custctl.support.children import child_environment
from custctl.support.errors import RefusedError, UnavailableError, UsageError
from custctl.support.filelocks import try_lock
from custctl.support.files import open_regular
from custctl.support.state import write_whole
from custctl.support.unsaved import KEPT_FOR, forget_edits, lock_of, remove_edits


class EditedFile:
    """A file to open in the editor, as often as needed.

    Args:
        folder: the file's folder; created with access only for its owner.
        name: the customer's part of the file name, as for `forget_edits`.
        environ: `VISUAL` or `EDITOR` names the editor.
        interactive: whether a default editor may be used.
        typed: lines that the user typed earlier; kept if they are still there.

    Raises:
        RefusedError: no editor found.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        environ: Mapping[str, str],
        *,
        interactive: bool,
        typed: Iterable[str] = (),
    ) -> None:
        named = environ.get("VISUAL") or environ.get("EDITOR")
        if not named and not interactive:
            raise RefusedError(
                "no editor found",
                hint="set `EDITOR`, or use `customer update` in scripts",
            )
        try:
            self._command = shlex.split(named or ("notepad" if os.name == "nt" else "vi"))
        except ValueError as error:
            raise UsageError(f"cannot parse `EDITOR`: {error}", hint="close the quotes in it") from None
        if not self._command:
            raise UsageError("`EDITOR` names no program", hint="for example `EDITOR='code --wait'`")
        self._environ = environ
        self._typed = set(typed)
        self._shown: set[str] = set()
        forget_edits(folder, older_than=KEPT_FOR)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, path = tempfile.mkstemp(prefix=f"edit-{name}-", suffix=".yaml", dir=folder)
        except OSError as error:
            raise UsageError(
                f"cannot write to the folder {folder}: {error.strerror}", hint="choose another with `XDG_STATE_HOME`"
            ) from error
        os.close(descriptor)
        self.path = Path(path)
        self._lock = os.open(lock_of(self.path), os.O_RDWR | os.O_CREAT, 0o600)
        try_lock(self._lock)

    def edit(self, text: str) -> str:
        """Return the text as the user edited it.

        Raises:
            UsageError: the editor cannot be started.
            UnavailableError: the file cannot be written.
            RefusedError: the editor failed, or the edited file cannot be read.
        """
        self._look()
        self._shown = set(text.splitlines())
        try:
            self.path.write_text(text, encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise UnavailableError(
                f"cannot write {self.path}: {error.strerror}", hint="free some disk space, then run the command again"
            ) from error
        try:
            # The user chose the program; it runs without a shell.
            done = subprocess.run([*self._command, str(self.path)], env=child_environment(self._environ), check=False)  # noqa: S603
        except OSError as error:
            raise UsageError(
                f"cannot start the editor `{self._command[0]}`: {error.strerror}", hint="set `EDITOR`"
            ) from error
        if done.returncode != 0:
            raise RefusedError(f"the editor `{self._command[0]}` exited with {done.returncode}; nothing was changed")
        try:
            return self._read()
        except OSError as error:
            raise RefusedError(
                f"cannot read the edited file: {error.strerror}; nothing was changed",
                hint=f"the file was {self.path}",
            ) from error

    def _read(self) -> str:
        # An editor may leave anything in the place of the file, even a pipe to wait for.
        with open(open_regular(self.path), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    def _look(self) -> list[str]:
        """Record and return the lines that the user typed: those that no text shown so far contained."""
        try:
            lines = self._read().splitlines()
        except OSError:
            return []
        self._typed.update(line for line in lines if line.strip() and line not in self._shown)
        return [line for line in lines if line in self._typed]

    def count_as_typed(self, lines: Iterable[str]) -> None:
        """Count lines of the next text as typed: they contain what the user typed, in another form."""
        self._typed.update(lines)

    def keep(self, title: str) -> bool:
        """Keep only what was typed, and return whether there was anything; if not, remove the file.

        Args:
            title: describes the edit, in a comment at the top.
        """
        typed = self._look()
        if not typed:
            self.remove()
            return False
        # If it cannot be written, the whole text stays, so nothing typed is lost.
        with suppress(OSError):
            write_whole(self.path, "\n".join([f"# {title}", *typed]) + "\n")
        # An editor's backup copies contain the whole text.
        remove_edits(self.path.parent, self.path.name, but=self.path.name)
        self._release()
        return True

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Remove the file."""
        remove_edits(self.path.parent, self.path.name)
        self._release()
