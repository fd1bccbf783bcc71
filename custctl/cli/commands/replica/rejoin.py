"""`custctl replica rejoin`."""

from __future__ import annotations

import typer

from custctl.cli.commands.replica.steering import NodeArgument
from custctl.cli.context import Context
from custctl.cli.options import WRITE, command
from custctl.support.errors import IncompleteError

_COLUMNS = ("node", "follows", "commands")


@command(
    shared=WRITE,
    examples="""
custctl replica rejoin a
custctl replica rejoin a --env prod --confirm prod
""",
)
def rejoin(ctx: typer.Context, node: NodeArgument) -> None:
    """Make a former primary a standby of the current one with the profile's hook; without a hook, print the commands to run."""
    context = Context.of(ctx)
    context.announce(_COLUMNS)
    with context.client.replicas.driver(changes=True) as driver:
        driver.node(node)
        if driver.rejoins:
            question = f"rejoin `{node}` of {context.profile.location}? writes that only this node has are lost"
            context.confirm_destruction(question)
        commands = list(driver.rejoin(node))
    document = {"node": node, "follows": not commands, "commands": commands}
    if commands:
        rows = [{"command": each} for each in commands]
        context.renderer.document(document, rows=rows, columns=("command",))
    else:
        context.wrote(f"`{node}` follows the primary", "`custctl replica status` shows the current state")
        context.renderer.one(document, _COLUMNS)
    if commands:
        raise IncompleteError(
            f"`{node}` does not follow the primary, and the profile has no hook `rejoin`",
            hint=f"run these commands on its machine, then `custctl replica rejoin {node}` again to verify",
            details={"commands": commands},
        )
    context.console.note(f"`{node}` follows the primary")
