"""`custctl customer edit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.commands.customer.fields import show_conflict, show_outcome
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, WhoArgument, command
from custctl.customers.document import annotate, document
from custctl.customers.model import EDITABLE, FIELDS
from custctl.customers.typed import lines_of, title
from custctl.support.errors import ConflictError, CustctlError, InvalidError

if TYPE_CHECKING:
    from custctl.cli.commands.customer.unsaved import Kept
    from custctl.customers.merge import FieldConflict, MergeResult
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome
    from custctl.schema.own import Value
    from custctl.terminal.editor import EditedFile


@command(
    shared=WRITE,
    examples="""
custctl customer edit ada@example.com
EDITOR='code --wait' custctl customer edit 42
custctl customer edit 42 --resume
""",
)
def edit(
    ctx: typer.Context,
    who: WhoArgument,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue with the text that was kept when an edit failed.")
    ] = False,
    operation_id: OperationOption = None,
) -> None:
    """Edit a customer as YAML in $EDITOR.

    If somebody else changes the customer meanwhile, fields that only one of you changed are merged, and the others are
    shown as conflicts. If your changes cannot be written, they are kept for a day.
    """
    from custctl.cli.commands.customer.unsaved import Kept, edits_of
    from custctl.terminal.editor import EditedFile

    context = Context.of(ctx)
    operation_id = operation(operation_id)
    if context.customers.is_applied(operation_id):
        # Before the user types anything, because it could not be written under this id.
        context.announce(FIELDS)
        show_outcome(context, context.customers.update(who, {}, operation_id=operation_id), "updated")
        return
    base = context.customers.get(who)
    context.announce((*FIELDS, *base.own))
    folder, name = edits_of(context, base.id)
    kept = Kept.newest(context, base, _document(context, base)) if resume else None
    if kept is not None:
        kept.show(context)
    interactive = context.prompter.interactive
    file = EditedFile(folder, name, context.environ, interactive=interactive, typed=kept.typed if kept else ())

    def keep() -> str | None:
        """Keep what was typed, and return a hint that says how to continue."""
        if not file.keep(title(base.id, context.profile.name, base.version)):
            return None
        if kept is not None:
            kept.remove()
        command = f"`custctl customer edit {base.id} --resume`"
        return f"what you typed is kept for a day in {file.path}: {command} continues with it"

    try:
        outcome = _edit(context, file, base, operation_id, kept)
    except CustctlError as error:
        if isinstance(error, ConflictError):
            show_conflict(context, error)
        error.hint = "; ".join(filter(None, (error.hint, keep()))) or None
        raise
    except (KeyboardInterrupt, Exception):
        hint = keep()
        if hint is not None:
            context.console.warn(hint)
        raise
    file.remove()
    if kept is not None and outcome is not None:
        kept.remove()
    if outcome is None:
        context.console.note("the file is empty; nothing was changed")
        context.renderer.one(base.as_dict(), tuple(base.as_dict()))
    else:
        show_outcome(context, outcome, "updated")


def _document(context: Context, row: Customer) -> str:
    return document(_editable(context, row), title=title(row.id, context.profile.name, row.version))


def _edit(context: Context, file: EditedFile, base: Customer, operation_id: str, kept: Kept | None) -> Outcome | None:
    """Open the text in the editor until it can be written; return None if the user empties it."""
    from custctl.customers.operations import Outcome

    text = _document(context, base) if kept is None else kept.text
    # If the row has changed since, the kept text is not a decision about that change.
    shown = text if kept is not None and kept.is_outdated else None
    first = base
    conflicts: Sequence[FieldConflict] = kept.conflicts if kept is not None else ()
    while True:
        context.let_go()
        before, text = text, file.edit(text)
        if shown is not None and text == shown:
            # Saved unchanged: merely closing the editor is not a decision.
            if not context.prompter.interactive:
                raise _unresolved(base, conflicts, was_known=base is not first)
            context.prompter.confirm("the conflict is not resolved: overwrite the other changes with your values?")
        mine, problem = _read(context, text, base)
        if problem is not None:
            if text == before or not context.prompter.interactive:
                # Nothing was corrected: the user gave up, or the editor is a program that would make the same mistake forever.
                raise problem
            text = annotate(text, problem.message)
            continue
        if mine is None:
            return None
        written = _write(context, base, mine, operation_id)
        if isinstance(written, Outcome):
            return written
        theirs, merged = written
        conflicts = merged.conflicts
        names = ", ".join(f"`{conflict.field}`" for conflict in conflicts)
        context.console.warn(f"customer {base.id} was changed by someone else meanwhile: {names}")
        fields = {**_editable(context, theirs), **merged.changes}
        heading = title(base.id, context.profile.name, theirs.version)
        text = shown = document(fields, title=heading, conflicts=conflicts)
        file.count_as_typed(lines_of(text, {*merged.changes, *(conflict.field for conflict in conflicts)}))
        base = theirs


def _unresolved(theirs: Customer, conflicts: Sequence[FieldConflict], *, was_known: bool) -> ConflictError:
    fields = [{"field": each.field, "was": each.base, "now": each.theirs, "asked": each.mine} for each in conflicts]
    return ConflictError(
        f"customer {theirs.id} was changed by someone else meanwhile; the conflict was not resolved",
        details={"customer_id": theirs.id, "current_version": theirs.version, "was_known": was_known, "fields": fields},
    )


def _write(
    context: Context, base: Customer, mine: Mapping[str, Value], operation_id: str
) -> Outcome | tuple[Customer, MergeResult]:
    """Apply the edit to the current row, or return the two that conflict."""
    from custctl.customers.merge import merge
    from custctl.customers.operations import Outcome

    while True:
        theirs = context.customers.get(str(base.id))
        merged = merge(_editable(context, base), _editable(context, theirs), mine)
        if merged.conflicts:
            return theirs, merged
        if not merged.changes:
            return Outcome(theirs, theirs.id, operation_id, changed=False)
        try:
            return context.customers.update(
                str(base.id), merged.changes, operation_id=operation_id, if_version=theirs.version, base=theirs
            )
        except ConflictError as error:
            if "current_version" not in error.details:
                raise
            # The row changed once more in between: merge what was typed with the current row.


def _editable(context: Context, row: Customer) -> dict[str, Value]:
    """Return the fields of a customer that a user may set, in output order."""
    return {name: row[name] for name in (*EDITABLE, *context.database.own.settable)}


def _read(context: Context, text: str, base: Customer) -> tuple[Mapping[str, Value] | None, InvalidError | None]:
    from custctl.customers.document import parse_document
    from custctl.customers.rules import validate
    from custctl.schema.own import to_text

    own = context.database.own
    try:
        mine = parse_document(text, own)
        if mine is None:
            return None, None
        # Another program may have stored what our rules refuse: check only what the user changed.
        changed = {name: typed for name, typed in mine.items() if typed != (to_text(base[name]) or None)}
        return validate(changed, own, partial=True), None
    except InvalidError as error:
        return None, error
