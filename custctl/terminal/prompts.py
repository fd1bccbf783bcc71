"""All prompts; none is shown if the input is not interactive."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TextIO

from custctl.support.errors import InvalidError, RefusedError
from custctl.support.text import escape_json, visible


class Prompter:
    """Asks on the terminal, never on stdout.

    Args:
        interactive: False if `--no-input` was given or stdin is not a terminal.
        yes: `--yes` answers ordinary questions.
        confirmed: the name that `--confirm` gave, or None.
        before_asking: called before each question: a person may take hours to answer.
        as_json: whether each question is a JSON object on a line of its own.
    """

    def __init__(
        self,
        stdin: TextIO,
        stderr: TextIO,
        *,
        interactive: bool,
        yes: bool = False,
        confirmed: str | None = None,
        before_asking: Callable[[], None] = lambda: None,
        as_json: bool = False,
    ) -> None:
        self._stdin = stdin
        self._stderr = stderr
        self.interactive = interactive
        self._yes = yes
        self._confirmed = confirmed
        self._before_asking = before_asking
        self._as_json = as_json

    def confirm(self, question: str) -> None:
        """Ask an ordinary question.

        Raises:
            RefusedError: the answer is no, or the input is not interactive.
        """
        if self._yes:
            return
        if not self.interactive:
            raise RefusedError(f"not confirmed: {question}", hint="input is not interactive: give `--yes`")
        if self._ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise RefusedError("not confirmed; nothing was changed")

    def confirm_by_name(self, question: str, name: str) -> None:
        """Ask the user to type the profile's name; `--yes` is not enough.

        Raises:
            RefusedError: another name was given, or the input is not interactive.
        """
        hint = f"give `--confirm {name}`"
        if self._confirmed is not None:
            if self._confirmed != name:
                raise RefusedError(f"`--confirm {self._confirmed}` does not name the profile `{name}`", hint=hint)
            return
        if not self.interactive:
            raise RefusedError(f"not confirmed: {question}", hint=f"input is not interactive: {hint}")
        if self._ask(f"{question}\ntype the profile's name, `{name}`, to continue: ") != name:
            raise RefusedError("the name does not match; nothing was changed", hint=hint)

    def secret(self, label: str, *, from_stdin: bool, again: bool = False) -> str:
        """Read a secret from a hidden prompt, or one line from stdin.

        Args:
            again: ask twice, and compare.

        Raises:
            RefusedError: the input is not interactive.
            InvalidError: the secret is empty, or the two entries differ.
        """
        if from_stdin:
            text = self._stdin.readline()
            text = text.removesuffix("\n").removesuffix("\r")
        elif self.interactive:
            text = self._hidden(label)
            if again and text != self._hidden(f"{label} (again)"):
                raise InvalidError("the two entries differ; nothing was changed")
        else:
            raise RefusedError(f"{label} is required", hint="input is not interactive: give `--stdin` and pipe it in")
        if not text:
            raise InvalidError(f"{label} is empty")
        return text

    def _hidden(self, label: str) -> str:
        from getpass import getpass

        self._before_asking()
        prompt, stream = f"{visible(label)}: ", self._stderr
        if self._as_json:
            self._write_question(label)
            # It would write the end of the line that the user does not see.
            prompt, stream = "", io.StringIO()
        try:
            return getpass(prompt, stream=stream)
        except EOFError:
            self._leave_line()
            raise RefusedError("no input; nothing was changed") from None
        except KeyboardInterrupt:
            self._leave_line()
            raise

    def _ask(self, question: str) -> str:
        self._before_asking()
        # Not input(), which writes to stdout if readline is loaded.
        if self._as_json:
            self._write_question(question)
        else:
            self._stderr.write("\n".join(map(visible, question.split("\n"))))
            self._stderr.flush()
        answer = ""
        try:
            answer = self._stdin.readline()
        finally:
            if not answer.endswith("\n"):
                self._leave_line()
        return answer.strip()

    def _leave_line(self) -> None:
        """Begin a new line: Ctrl-C and Ctrl-D leave the cursor after the question."""
        if not self._as_json:
            self._stderr.write("\n")

    def _write_question(self, question: str) -> None:
        import json

        self._stderr.write(escape_json(json.dumps({"question": question.strip()}, ensure_ascii=False)) + "\n")
        self._stderr.flush()


def is_interactive(stdin: TextIO | None, stderr: TextIO | None) -> bool:
    """Return whether the input is interactive: stdin and stderr are terminals."""
    stdin, stderr = stdin or sys.stdin, stderr or sys.stderr
    try:
        return stdin.isatty() and stderr.isatty()
    except ValueError:
        return False
