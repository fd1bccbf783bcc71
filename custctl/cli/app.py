"""The root command: a table of lazily loaded groups, and the only place that turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, NoSuchOption
from typer.core import TyperOption

from custctl import __version__
from custctl.cli.meta import CONTEXT, GIVEN, UNRESOLVED
from custctl.cli.options import Group, group
from custctl.support import signals
from custctl.support.errors import CustctlError, ExitCode, InterruptedRunError, UnavailableError, UsageError
from custctl.terminal.streams import ReaderLeftError, drop, lost_output, prepare_streams, silence_python

if TYPE_CHECKING:
    from typer._click.core import Context as ClickContext
    from typer._click.core import Parameter

    from custctl.cli.context import Context
    from custctl.terminal.console import Console

COMMANDS = {
    "migrate": ("custctl.cli.commands.migrate:migrate", "Migrate the schema; check and repair it."),
    "seed": ("custctl.cli.commands.seed:seed", "Load the seed data allowed in this environment."),
    "customer": ("custctl.cli.commands.customer:customer", "Read and write customers."),
    "browse": ("custctl.cli.commands.browse:browse", "Browse customers on the full screen."),
    "credential": ("custctl.cli.commands.credential:credential", "Manage passwords and keys in the system keyring."),
    "profile": ("custctl.cli.commands.profile:profile", "Show and validate profiles."),
    "audit": ("custctl.cli.commands.audit:audit", "Read and verify the audit log."),
    "replica": ("custctl.cli.commands.replica:replica", "Manage replicas: status, switchover, failover."),
    "cache": ("custctl.cli.commands.cache:cache", "Manage the cache of frequently read customers."),
    "identity": (
        "custctl.cli.commands.identity:identity",
        "Manage customers' accounts at an identity provider.",
    ),
    "login": ("custctl.cli.commands.login:login", "Log in at the identity provider of the profile."),
    "logout": ("custctl.cli.commands.logout:logout", "Revoke the login and forget it."),
    "whoami": ("custctl.cli.commands.whoami:whoami", "Show who is logged in, and with which role."),
    "doctor": (
        "custctl.cli.commands.doctor:doctor",
        "Check everything on one screen, with a hint for each fault.",
    ),
}

# Verbs that people try without the noun, if more than one noun has them, and names that no command has.
_SYNONYMS = {
    **dict.fromkeys(("get", "show", "view"), "customer get"),
    **dict.fromkeys(("search", "find"), "customer search"),
    **dict.fromkeys(("list", "ls"), "customer list"),
    **dict.fromkeys(("update", "set"), "customer update"),
    **dict.fromkeys(("delete", "rm", "remove"), "customer delete"),
    **dict.fromkeys(("add", "new", "create"), "customer add"),
    "history": "customer history",
    "count": "customer list --count",
    **dict.fromkeys(("tui", "ui"), "browse"),
    **dict.fromkeys(("status", "check", "health"), "doctor"),
    **dict.fromkeys(("signin", "auth"), "login"),
    **dict.fromkeys(("signout", "logoff"), "logout"),
    **dict.fromkeys(("init", "upgrade"), "migrate"),
    "version": "--version",
}

# Options that people try, and those that do it here.
_MEANT_OPTIONS = {
    **{f"--{name}": f"--output {name}" for name in ("json", "jsonl", "csv", "tsv", "yaml", "table")},
    **dict.fromkeys(("--format", "--out"), "--output"),
    **dict.fromkeys(("--profile", "-p", "--environment"), "--env"),
    **dict.fromkeys(("--force", "-f"), "--yes"),
    "--columns": "--fields",
    **dict.fromkeys(("--order", "--order-by", "--sort-by"), "--sort"),
    **dict.fromkeys(("--filter", "--query"), "--where"),
    **dict.fromkeys(("-n", "--page-size", "--max", "--top"), "--limit"),
    "--all": "--limit 0",
    "--page": "--next",
}

_UNKNOWN_COMMAND = r"No such command '([^']+)'"
_EXTRA = r"Got unexpected extra argument\(s\) \((.*)\)$"
# How Click refuses a number, and what it says here: between the first two groups, or less than the third one.
_NO_NUMBER = r" is not (?:a valid int(?:eger)?(?: range)?|in the range (?:(\d+)<=x<=(\d+)|x>=(\d+)))$"
# `-o json`, `-ojson`, `-qo json`: flags without a value may come first.
_OUTPUT_CLUSTER = re.compile(r"-[qvy]*o(.*)")

_EXAMPLES = """
custctl migrate --env prod
custctl customer get ada@example.com -o json
custctl customer import customers.csv --on-conflict skip --rejects rejects.csv
"""


def _version(ctx: ClickContext, param: Parameter, value: Any) -> None:
    if value and not ctx.resilient_parsing:
        sys.stdout.write(f"custctl {__version__}\n")
        raise typer.Exit


def make_root() -> Group:
    """Return the root command."""
    root = group(
        "custctl",
        COMMANDS,
        help="Administer a customer database.",
        examples=_EXAMPLES,
        synonyms=_SYNONYMS,
    )
    version = TyperOption(
        param_decls=["--version"], is_flag=True, is_eager=True, callback=_version, help="Print the version."
    )
    root.params = [version, *typer.main.get_install_completion_arguments(), *root.params]
    for param in root.params:
        param.expose_value = False
    return root


def run(arguments: Sequence[str], *, catch_signals: bool = False) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.
        catch_signals: whether the process belongs to the command, so that signals end it cleanly.

    Returns:
        The exit code.
    """
    ctx: ClickContext | None = None
    told: CustctlError | None = None
    cause: BaseException | None = None
    code: int = ExitCode.OK
    try:
        if catch_signals:
            # Not earlier: nothing would catch what a signal raises.
            signals.install()
        root = make_root()
        if "_CUSTCTL_COMPLETE" in os.environ:
            root.main(prog_name="custctl")
        # Not `root.main`, which handles interrupts and closed pipes itself.
        ctx = root.make_context("custctl", list(arguments))
        with ctx:
            root.invoke(ctx)
    except typer.Exit as leave:
        code = leave.exit_code
    except SystemExit as leave:
        # Completion exits this way.
        code = leave.code if isinstance(leave.code, int) else ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort: the user sees no traceback
        if error is not lost_output(sys.stdout) and not isinstance(error, ReaderLeftError):
            told, cause = _reported(error, arguments), error
    return _finish(arguments, ctx, code, told, cause)


def _finish(
    arguments: Sequence[str],
    ctx: ClickContext | None,
    code: int,
    told: CustctlError | None,
    cause: BaseException | None,
) -> int:
    """Flush the output, report how the command ended, and return the exit code.

    A closed pipe or a full disk never hides a failure: the command's own exit code wins.
    """
    context: Context | None = ctx.meta.get(CONTEXT) if ctx is not None else None
    try:
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        drop(sys.stdout, InterruptedError(errno.EINTR, os.strerror(errno.EINTR)))
        told, cause = told or _reported(interrupt), cause or interrupt
    signals.end_with(told.exit_code if told is not None else code)
    lost = lost_output(sys.stdout)
    is_failure = lost is not None and not isinstance(lost, BrokenPipeError | InterruptedError)
    if lost is not None and is_failure and told is None and code == ExitCode.OK:
        told, cause = _output_lost(lost, context), lost
    if told is not None and lost is None and context is not None and not isinstance(cause, CustctlError):
        _add_written(told, context)
    if told is None:
        return code
    signals.end_with(told.exit_code)
    console = context.console if context is not None else _console(arguments, ctx)
    if lost is not None and is_failure and cause is not lost:
        console.warn(f"cannot write the output: {lost.strerror}")
    if cause is not None and "--debug" in arguments:
        console.traceback(cause)
    if isinstance(cause, NoArgsIsHelpError) and not console.as_json:
        sys.stderr.write(cause.format_message() + "\n")
    else:
        console.error(told)
    if isinstance(told, InterruptedRunError):
        _forget_interrupt()
    return told.exit_code


def _console(arguments: Sequence[str], ctx: ClickContext | None) -> Console:
    """Return a console for the error of a command line that could not be read to its end."""
    from custctl.cli.pasting import complete_commands
    from custctl.terminal.console import Console

    def carry(text: str) -> str:
        return complete_commands(text, ctx, ctx.meta.get(GIVEN, {}), os.environ) if ctx is not None else text

    return Console(sys.stderr, os.environ, as_json=_wants_json(arguments), carry=carry)


def _output_lost(lost: OSError, context: Context | None) -> UnavailableError:
    """Return the error for a command that succeeded but lost its output, so that nobody repeats the change."""
    reason = f"cannot write the output: {lost.strerror}"
    written = context.written if context is not None else None
    if written is not None:
        return UnavailableError(f"{written.what}, but {reason}", hint=f"do not run it again: {written.look}")
    fix = "redirect it to a writable file" if lost.errno == errno.EBADF else "free some disk space"
    return UnavailableError(reason, hint=f"{fix}, then run it again")


def _add_written(told: CustctlError, context: Context) -> None:
    """Add the change to an error that came after it, so that nobody thinks it failed and repeats it."""
    if context.written is not None:
        told.message = f"{context.written.what}, but then: {told.message.partition(';')[0]}"
        told.hint = f"do not run it again: {context.written.look}"


def _reported(error: BaseException, arguments: Sequence[str] = ()) -> CustctlError:
    """Return the error to report.

    Args:
        arguments: the command line, without the program's name.
    """
    if isinstance(error, CustctlError):
        return error
    if isinstance(error, NoArgsIsHelpError):
        return UsageError("missing command", hint=f"see `{error.ctx.command_path} --help`")
    if isinstance(error, ClickException):
        return _usage_error(error, arguments)
    interrupt = signals.interrupt_of(error)
    if interrupt is not None or isinstance(error, typer.Abort):
        return InterruptedRunError(
            "interrupted; uncommitted changes are rolled back",
            terminated=isinstance(interrupt, signals.Terminated),
            hint="`custctl audit list` shows what was committed",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
        named = f"`{error.filename}`" if error.filename else "a file"
        return UnavailableError(
            f"cannot write {named}: {error.strerror}",
            hint="free some disk space; `custctl audit list` shows what was committed before",
        )
    return _bug(error)


def _forget_interrupt() -> None:
    """Keep our own exit code.

    An interrupt during generated code, such as a dataclass's, leaves a mark in the interpreter, which then dies from
    the signal, whatever the exit code. Running other generated code clears the mark.
    """
    exec("")  # noqa: S102 - nothing


def _bug(error: BaseException) -> CustctlError:
    """Report an unexpected error by its type only: its text may contain anything, even a value from a statement."""
    return CustctlError(
        f"unexpected {type(error).__name__}",
        hint="this is a bug: run the command again with `--debug` and report what it prints",
    )


def _usage_error(error: ClickException, arguments: Sequence[str]) -> UsageError:
    """Report a usage error in the common form, with the nearest known name."""
    message = error.format_message().rstrip(".")
    ctx = getattr(error, "ctx", None)
    hint = f"see `{ctx.command_path} --help`" if ctx is not None else "see `custctl --help`"
    if isinstance(error, NoSuchOption):
        message = f"no such option `{error.option_name}`"
        hint = _option_hint(ctx, error.option_name) or hint
    elif extra := re.match(_EXTRA, message):
        message = f"unexpected argument `{extra[1]}`"
        takes_any_field = ctx is not None and any(param.name == "set_" for param in ctx.command.params)
        if takes_any_field and re.fullmatch(r"\w+=[\w.@+-]+", extra[1]):
            hint = f"use `--set {extra[1]}`"
    elif number := re.search(_NO_NUMBER, message):
        least, most, bound = number.groups()
        if least:
            fault = f" is not between {least} and {most}"
        else:
            fault = f" is less than {bound}" if bound else " is not a whole number"
        message = message[: number.start()] + fault
    elif (meant := _meant(ctx, message, arguments)) is not None:
        message, hint = message.partition(". Did you mean ")[0], f"use `{meant}`"
    elif ". Did you mean " in message:
        message, _, suggestion = message.partition(". Did you mean ")
        hint = f"did you mean {suggestion.replace(chr(39), '`')}"
    return UsageError(message[:1].lower() + message[1:].replace("'", "`"), hint=hint)


def _option_hint(ctx: Any, name: str) -> str | None:
    """Return the hint for an unknown option, if a command has one that does what was probably meant."""
    from custctl.support.text import nearest

    # Without the dashes, which would make short names alike.
    dashes = "--" if name.startswith("--") else "-"
    options = (option for param in (ctx.command.params if ctx else ()) for option in param.opts)
    known = {option.lstrip("-"): option for option in options if option.startswith(dashes)}
    meant = _MEANT_OPTIONS.get(name)
    if meant is not None and meant.split(" ")[0].lstrip("-") in known:
        return f"use `{meant}`"
    close = nearest(name.lstrip("-"), list(known))
    return f"did you mean `{known[close]}`?" if close else None


def _meant(ctx: Any, message: str, arguments: Sequence[str]) -> str | None:
    """Return the command line that was probably meant, or None.

    It has what was typed, so that a pasted `delete` reaches the same customer of the same environment.
    """
    unknown = re.match(_UNKNOWN_COMMAND, message)
    synonyms = getattr(ctx.command, "synonyms", {}) if ctx is not None else {}
    if unknown and unknown[1] == "help":
        return f"{ctx.command_path} --help"
    if unknown is None:
        return None
    import shlex

    following: Sequence[str] = ctx.meta.get(UNRESOLVED, ())
    before = arguments[: len(arguments) - len(following)]
    name: str | None = synonyms.get(unknown[1])
    if name is None:
        # A command of another group, or of none; the shared options are added as to every hint.
        before, name = (), ctx.find_root().command.find(ctx, unknown[1])
    if name is None:
        return None
    return shlex.join(["custctl", *before, *name.split(), *following[1:]])


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether errors must be JSON, even if the command line cannot be parsed."""
    wanted = False
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before == "--output" or ((cluster := _OUTPUT_CLUSTER.fullmatch(before)) and not cluster[1]):
            wanted = argument == "json"
        elif argument.startswith("--output="):
            wanted = argument == "--output=json"
        elif cluster := _OUTPUT_CLUSTER.fullmatch(argument):
            wanted = cluster[1] in ("json", "=json")
    return wanted


def main() -> int:
    """Run the command line of this process."""
    prepare_streams()
    silence_python()
    return run(sys.argv[1:], catch_signals=True)
