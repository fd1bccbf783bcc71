"""What a command receives: streams and prompts eagerly, profile and database lazily."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from custctl.api.client import Client
from custctl.api.opened import Opened
from custctl.cli.meta import CONTEXT, GIVEN
from custctl.cli.pasting import complete_commands
from custctl.cli.permissions import needed
from custctl.support.errors import CustctlError, UsageError
from custctl.support.fieldnames import field_names
from custctl.support.text import nearest
from custctl.terminal.console import Console, wants_color
from custctl.terminal.formats import Format
from custctl.terminal.prompts import Prompter, is_interactive
from custctl.terminal.render import Renderer
from custctl.terminal.streams import silence_logging

if TYPE_CHECKING:
    from typer._click.core import Context as ClickContext

    from custctl.api.customers import Customers
    from custctl.engines.base import Database
    from custctl.profiles import Profile
    from custctl.schema.own import OwnFields
    from custctl.terminal.pager import Pager

DEFAULT_ENV = "dev"


class Written(NamedTuple):
    """A change that a command has made.

    Attributes:
        what: the change in words, such as `customer 1 was added`.
        look: how to see the change without repeating it.
    """

    what: str
    look: str


class _Quiet(Opened):
    """Keeps log messages of database libraries off stderr."""

    @cached_property
    def database(self) -> Database:
        if self.profile.database.nodes:  # a file is opened without a library that logs
            silence_logging()
        return super().database


class Context:
    """One invocation.

    Args:
        given: the values of shared options, by name.
        environ: the process environment.
        cwd: the folder that relative paths start from.
        root: the context of the root command, if any: it completes the commands in hints.

    Attributes:
        written: the change made so far, in case the output is lost.
    """

    def __init__(
        self, given: Mapping[str, list[Any]], environ: Mapping[str, str], cwd: Path, root: ClickContext | None = None
    ) -> None:
        self._given = given
        self._root = root
        self.written: Written | None = None
        self.environ = environ
        self.cwd = cwd
        chosen = self._format()
        self.console = Console(
            sys.stderr,
            environ,
            quiet="quiet" in given,
            verbosity=sum(given.get("verbose", ())),
            as_json=chosen is Format.JSON,
            carry=self.carry,
        )
        self.renderer = Renderer(
            sys.stdout,
            chosen=chosen,
            fields=self._fields(),
            raw="raw" in given,
            color=wants_color(sys.stdout, environ),
            tell=self.console.note,
            pager=self._pager(),
        )
        self.prompter = Prompter(
            sys.stdin,
            sys.stderr,
            interactive="no_input" not in given and is_interactive(sys.stdin, sys.stderr),
            yes="yes" in given,
            confirmed=self._last("confirm"),
            before_asking=self.let_go,
            as_json=chosen is Format.JSON,
        )

    @classmethod
    def of(cls, ctx: typer.Context) -> Context:
        """Return the context of the running command."""
        made = ctx.meta.get(CONTEXT)
        if not isinstance(made, cls):
            try:
                cwd = Path.cwd()
            except FileNotFoundError:
                raise UsageError("the current folder no longer exists", hint="change to a folder that exists") from None
            made = ctx.meta[CONTEXT] = cls(ctx.meta.get(GIVEN, {}), os.environ, cwd, ctx.find_root())
            # Always close: an SQLite file is then checkpointed, and a server's session ends.
            ctx.find_root().call_on_close(made.close)
            made.admit(ctx)
        return made

    def admit(self, ctx: typer.Context) -> None:
        """Ensure that the operator may run a command, if the profile restricts commands.

        Raises:
            CredentialError: nobody is logged in, or the role does not allow it.
        """
        role = needed(ctx)
        if role is None:
            return
        try:
            login = self.opened.profile.login
        except UsageError:
            return  # the command reports the problem, or needs no profile
        session = self.opened.session
        if login is None or session is None:
            return
        from custctl.cli.permissions import check_role

        check_role(ctx, role, session, login)

    def carry(self, text: str) -> str:
        """Return a text with this invocation's options added to commands in backticks, so that they can be pasted."""
        if self._root is None:
            return text
        return complete_commands(text, self._root, self._given, self.environ)

    def wrote(self, what: str, look: str) -> None:
        """Record a change, which an error names if the output cannot be written.

        Args:
            what: the change in words, such as `customer 1 was added`.
            look: how to see the change without repeating it.
        """
        self.written = Written(what, look)

    def _pager(self) -> Pager | None:
        """Return the pager for long output; None unless stdin and stdout are terminals."""
        watched = sys.stdout.isatty() and sys.stdin.isatty() and self.environ.get("TERM", "dumb") != "dumb"
        if not watched or "no_pager" in self._given or "no_input" in self._given:
            return None
        from custctl.terminal.pager import Pager

        return Pager(sys.stdout, self.environ, self.let_go, self.console.warn)

    # -- shared options ----------------------------------------------------------------------------

    def _last(self, name: str) -> Any:
        """Return the value of an option that takes one.

        Raises:
            UsageError: two different values were given.
        """
        values = list(dict.fromkeys(self._given.get(name, ())))
        if len(values) > 1:
            option, given = f"--{name.replace('_', '-')}", " and ".join(f"`{value}`" for value in values)
            raise UsageError(f"`{option}` is given twice, as {given}", hint="give it once")
        return values[0] if values else None

    def _format(self) -> Format:
        text = self._last("output")
        if text is None:
            return Format.AUTO
        try:
            return Format(text)
        except ValueError:
            close = nearest(text, [str(name) for name in Format])
            raise UsageError(
                f"unknown output format `{text}`",
                hint=f"did you mean `{close}`?" if close else f"formats: {', '.join(Format)}",
            ) from None

    def _fields(self) -> list[str] | None:
        text = self._last("fields")
        if text is None:
            return None
        names = field_names(text)
        if not names:
            raise UsageError("`--fields` is empty")
        return list(dict.fromkeys(names))

    @cached_property
    def environment_name(self) -> str:
        """The name of the profile.

        Raises:
            UsageError: two different names were given, or an empty one.
        """
        variable = self.environ.get("CUSTCTL_ENV")
        if variable is not None and not variable.strip():
            raise UsageError("`CUSTCTL_ENV` is set but empty", hint="name a profile, or `unset CUSTCTL_ENV`")
        names = list(dict.fromkeys(self._given.get("env", ())))
        if any(not name.strip() for name in names):
            raise UsageError("`--env` is empty", hint="name a profile, such as `--env dev`")
        if len(names) > 1:
            raise UsageError(
                f"`--env` is given twice, as {' and '.join(f'`{name}`' for name in names)}", hint="give it once"
            )
        return names[0] if names else variable or DEFAULT_ENV

    def choose_environment(self, name: str | None) -> None:
        """Use the profile named by an argument, which counts as another `--env`."""
        if name is not None:
            self._given = {**self._given, "env": [*self._given.get("env", ()), name]}

    @property
    def profiles_dir(self) -> Path | None:
        """The value of `--profiles-dir`."""
        return self._folder("profiles_dir", "--profiles-dir")

    def _folder(self, name: str, option: str) -> Path | None:
        value = self._last(name)
        if value == "":
            raise UsageError(f"`{option}` is empty", hint="name a folder")
        return Path(value) if value is not None else None

    @cached_property
    def sql_dir(self) -> tuple[Path, bool]:
        """The folder of SQL scripts, and whether it is the bundled one."""
        from custctl.support.paths import find_sql_dir

        return find_sql_dir(self._folder("sql_dir", "--sql-dir"), self.environ, self.cwd)

    # -- created at first use ----------------------------------------------------------------------

    @cached_property
    def opened(self) -> Opened:
        """The profile of this invocation and what is opened for it."""
        return _Quiet(
            self.environment_name,
            profiles_dir=self.profiles_dir,
            sql_dir=self._folder("sql_dir", "--sql-dir"),
            environ=self.environ,
            cwd=self.cwd,
            actor=None,
            tell=self.console,
        )

    @cached_property
    def client(self) -> Client:
        """The library's client for this profile."""
        return Client(self.opened)

    @property
    def customers(self) -> Customers:
        """The customers of the profile's database."""
        return self.client.customers

    @property
    def profile(self) -> Profile:
        """The profile, validated."""
        return self.opened.profile

    @property
    def database(self) -> Database:
        """The profile's database; connects at first use."""
        return self.opened.database

    def own_fields(self, names: Iterable[str] = ()) -> OwnFields:
        """Return the database's own fields, up to date for these names and `--fields`.

        Raises:
            UnavailableError: the database does not respond.
        """
        return self.opened.own_fields((*names, *(self._fields() or ())))

    @property
    def is_watched(self) -> bool:
        """Whether stdout is a terminal."""
        return sys.stdout.isatty()

    def tell_source(self) -> None:
        """With `-v`, say where the last read came from."""
        source = self.database.source
        if source is not None:
            self.console.detail(f"source: {source}")

    def announce(self, columns: Sequence[str]) -> None:
        """Announce which environment and database the command is about to change.

        Args:
            columns: the columns that it will print; requested fields are checked before anything is written.

        Raises:
            UsageError: a requested field does not exist.
        """
        self.renderer.check_fields(columns)
        profile = self.profile
        self.console.announce(profile.name, str(profile.environment), profile.location)

    def confirm_destruction(self, question: str, *, production: bool = False) -> None:
        """Confirm a destructive action: by the profile's name in production, by yes or no elsewhere.

        Args:
            production: whether the action affects production although the profile's environment is another.

        Raises:
            RefusedError: not confirmed.
        """
        if production or self.profile.environment == "production":
            self.prompter.confirm_by_name(question, self.profile.name)
        else:
            self.prompter.confirm(question)

    def confirm_in_production(self, question: str) -> None:
        """Confirm by the profile's name, in production only.

        Raises:
            RefusedError: not confirmed.
        """
        if self.profile.environment == "production":
            self.prompter.confirm_by_name(question, self.profile.name)

    def let_go(self) -> None:
        """Close the database connection while a person thinks: servers end idle sessions."""
        if "opened" in self.__dict__:
            self.opened.let_go()

    def abandon(self) -> None:
        """Leave everything open until the process ends: a thread that cannot be stopped still uses it."""
        self.__dict__.pop("opened", None)

    def close(self) -> None:
        """Close everything that was opened. A failure here does not change the command's outcome."""
        if "opened" not in self.__dict__:
            return
        try:
            self.opened.close()
        except Exception as error:  # noqa: BLE001 - the command has its own outcome
            words = error.message if isinstance(error, CustctlError) else f"unexpected {type(error).__name__}"
            self.console.warn(f"the connections were not closed cleanly: {words}")
