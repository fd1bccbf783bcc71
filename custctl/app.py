"""The root command: a table of lazily loaded groups, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError, NoSuchOption

from custctl import __version__, signals
from custctl.console import Console, forget, prepare_streams
from custctl.errors import CustctlError, ExitCode, InterruptedRunError, UnavailableError, UsageError
from custctl.options import Group, group

COMMANDS = {
    "migrate": ("custctl.commands.migrate:migrate", "Bring the schema forward, look at it, repair it."),
    "seed": ("custctl.commands.seed:seed", "Fill in the data that this environment may take."),
    "customer": ("custctl.commands.customer:customer", "Read and write customers."),
    "credential": ("custctl.commands.credential:credential", "Keep passwords and keys in the system keyring."),
    "profile": ("custctl.commands.profile:profile", "Look at the profiles."),
    "audit": ("custctl.commands.audit:audit", "Read and verify the audit."),
    "replica": ("custctl.commands.replica:replica", "Look after replicas: status, switchover, failover."),
    "cache": ("custctl.commands.cache:cache", "Look after the cache of hot customers."),
    "doctor": ("custctl.commands.doctor:doctor", "Check everything on one screen, with a hint for every fault."),
}

# `-o json`, `-ojson`, `-qo json`: flags without a value may stand in front.
_OUTPUT_CLUSTER = re.compile(r"-[qvy]*o(.*)")

_EXAMPLES = """
custctl migrate --env prod
custctl customer get ada@example.com -o json
custctl customer import customers.csv --on-conflict skip --rejects rejects.csv
"""


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"custctl {__version__}\n")
        raise typer.Exit


def _root_options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


def make_root() -> Group:
    """Return the root command."""
    root = group(
        "custctl",
        COMMANDS,
        help="Administer the database that holds a company's customers.",
        examples=_EXAMPLES,
    )
    # With completion: these two options are Typer's own.
    app = typer.Typer(rich_markup_mode=None)
    app.command()(_root_options)
    root.params = [*typer.main.get_command(app).params, *root.params]
    for param in root.params:
        param.expose_value = False
    return root


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code.
    """
    console = Console(sys.stderr, os.environ, as_json=_wants_json(arguments))
    debug = "--debug" in arguments
    root = make_root()
    try:
        if "_CUSTCTL_COMPLETE" in os.environ:
            root.main(prog_name="custctl")
        # Not `root.main`: it would take interrupts and closed pipes for itself.
        code: int = ExitCode.OK
        try:
            with root.make_context("custctl", list(arguments)) as ctx:
                root.invoke(ctx)
        except typer.Exit as leave:
            code = leave.exit_code
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has what it wanted.
        forget(sys.stdout)
        return ExitCode.OK
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            return _fail(console, _bug(error), error, debug=debug)
        forget(sys.stdout)
        told = UnavailableError(
            f"a file or the output cannot be written: {error.strerror}", hint="make room, then run it again"
        )
        return _fail(console, told, error, debug=debug)
    except NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return ExitCode.USAGE
    except ClickException as error:
        return _fail(console, _usage_error(error), error, debug=debug)
    except CustctlError as error:
        if isinstance(error, InterruptedRunError):
            _forget_interrupt()
        return _fail(console, error, error, debug=debug)
    except (KeyboardInterrupt, typer.Abort) as error:
        _forget_interrupt()
        interrupted = InterruptedRunError(
            "interrupted; nothing is half done: what was not committed is rolled back",
            terminated=isinstance(error, signals.Terminated),
            hint="`custctl audit list` shows what was committed",
        )
        return _fail(console, interrupted, error, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, no traceback reaches the user
        return _fail(console, _bug(error), error, debug=debug)
    return code


def _forget_interrupt() -> None:
    """Let the exit code be ours.

    An interrupt that came while code made of text ran, as that of a dataclass, leaves a mark with the interpreter, which
    then ends by the signal, whatever the exit code. To run other such code takes the mark away.
    """
    exec("")  # noqa: S102 - nothing


def _bug(error: Exception) -> CustctlError:
    """Tell an unforeseen error by its type alone: its text may hold anything, a value from a statement too."""
    return CustctlError(
        f"unexpected {type(error).__name__}",
        hint="this is a bug: run the command again with `--debug` and report what it prints",
    )


def _fail(console: Console, told: CustctlError, error: BaseException, *, debug: bool) -> int:
    if debug:
        import traceback

        from custctl.text import visible

        for line in "".join(traceback.format_exception(error)).splitlines():
            sys.stderr.write(visible(line) + "\n")
    console.error(told)
    return told.exit_code


def _usage_error(error: ClickException) -> UsageError:
    """Tell an error of the command line in the one form, with the nearest known name."""
    from custctl.text import nearest

    message = error.format_message().rstrip(".")
    ctx = getattr(error, "ctx", None)
    hint = f"see `{ctx.command_path} --help`" if ctx is not None else "see `custctl --help`"
    if isinstance(error, NoSuchOption):
        message = f"no such option: {error.option_name}"
        known = [name for param in (ctx.command.params if ctx else ()) for name in param.opts]
        close = nearest(error.option_name, known)
        hint = f"did you mean `{close}`?" if close else hint
    elif ". Did you mean " in message:
        message, _, suggestion = message.partition(". Did you mean ")
        hint = f"did you mean {suggestion.replace(chr(39), '`')}"
    return UsageError(message[:1].lower() + message[1:].replace("'", "`"), hint=hint)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether errors are wanted as JSON, also where the command line cannot be parsed."""
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
    """Run the process's own command line."""
    prepare_streams()
    signals.install()
    return run(sys.argv[1:])
