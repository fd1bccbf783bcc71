"""A text in the user's editor, in a private file that outlives a failure."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from custctl.errors import RefusedError, UsageError

_SECRETS = ("CUSTCTL_DB_PASSWORD", "CUSTCTL_DB_PASSWORD_FILE", "PGPASSWORD")


class EditedFile:
    """A file that is handed to the editor, as often as needed.

    Args:
        folder: where it is kept; made for its owner alone.
        environ: `VISUAL` or `EDITOR` names the editor.
        interactive: whether an editor may be chosen that nobody named.

    Raises:
        RefusedError: there is no editor.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, interactive: bool) -> None:
        named = environ.get("VISUAL") or environ.get("EDITOR")
        if not named and not interactive:
            raise RefusedError(
                "there is no editor",
                hint="set `EDITOR`, or use `custctl customer update` where nobody is there to edit",
            )
        try:
            self._command = shlex.split(named or ("notepad" if os.name == "nt" else "vi"))
        except ValueError as error:
            raise UsageError(f"`EDITOR` cannot be read: {error}", hint="close what is quoted in it") from None
        if not self._command:
            raise UsageError("`EDITOR` names no program", hint="such as `EDITOR='code --wait'`")
        self._environ = {name: value for name, value in environ.items() if name not in _SECRETS}
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, path = tempfile.mkstemp(prefix="edit-", suffix=".yaml", dir=folder)
        except OSError as error:
            raise UsageError(
                f"the folder {folder} cannot be written: {error.strerror}", hint="name another by `XDG_STATE_HOME`"
            ) from error
        os.close(descriptor)
        self.path = Path(path)

    def edit(self, text: str) -> str:
        """Return what the user made of a text.

        Raises:
            UsageError: the editor cannot be started.
            RefusedError: it failed; the file is kept.
        """
        self.path.write_text(text, encoding="utf-8")
        try:
            # The user's own choice of a program, run without a shell.
            code = subprocess.run([*self._command, str(self.path)], env=self._environ, check=False).returncode  # noqa: S603
        except OSError as error:
            raise UsageError(
                f"the editor `{self._command[0]}` cannot be started: {error.strerror}", hint="set `EDITOR`"
            ) from error
        if code != 0:
            raise RefusedError(
                f"the editor `{self._command[0]}` ended with {code}; nothing was changed", hint=self.kept
            )
        try:
            return self.path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise RefusedError(
                f"the editor left nothing to read: {error.strerror}; nothing was changed",
                hint=f"looked for {self.path}",
            ) from error

    @property
    def kept(self) -> str:
        """The hint that says where the text is."""
        return f"what was typed is kept in {self.path}"

    def remove(self) -> None:
        """Remove the file: nothing in it is needed any more."""
        self.path.unlink(missing_ok=True)
