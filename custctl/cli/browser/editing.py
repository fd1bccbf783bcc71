"""The screens that change a customer: a form, and a decision if it conflicts with somebody else's change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.widgets import Input

from custctl.cli.browser import lines
from custctl.cli.browser.asking import ConfirmScreen, FormScreen
from custctl.cli.browser.form import Form
from custctl.cli.browser.frame import Frame, LinesScreen
from custctl.support.errors import CustctlError, NotFoundError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.cli.browser.desk import Desk
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome


def edit(screen: Frame[Any], row: Customer | None, written: Callable[[Customer], None]) -> None:
    """Open the form to edit a customer, or to add one.

    Args:
        screen: the screen to open it from.
        row: the customer as last read; None to add one.
        written: called with the written customer.
    """
    if screen.may_change():
        screen.run_worker(_edit(screen, row, written), exclusive=True, group="change")


async def _edit(screen: Frame[Any], row: Customer | None, written: Callable[[Customer], None]) -> None:
    desk = screen.desk
    if row is not None:
        found = row.id
        try:
            row = await desk.ask(lambda: desk.customers.get(found))
        except CustctlError as error:
            screen.status.fail(error)
            return

    def done(outcome: Outcome | None) -> None:
        if outcome is None:
            return
        if outcome.customer is not None:
            written(outcome.customer)
        what = "changed" if row is not None else "added"
        screen.status.tell(f"customer {outcome.customer_id} was {what}" if outcome.changed else "nothing was changed")

    screen.app.push_screen(EditScreen(desk, row), done)


def delete(screen: Frame[Any], row: Customer, written: Callable[[None], None]) -> None:
    """Delete a customer after a confirmation; arguments as for `edit`."""
    if not screen.may_change():
        return
    desk = screen.desk

    def confirmed(yes: bool | None) -> None:
        if yes:
            screen.run_worker(_delete(screen, row, written), exclusive=True, group="change")

    question = f"delete customer {row.id} ({row.email}) from {desk.location}?"
    screen.app.push_screen(ConfirmScreen(desk, question), confirmed)


async def _delete(screen: Frame[Any], row: Customer, written: Callable[[None], None]) -> None:
    desk = screen.desk
    try:
        # Delete exactly what was confirmed: not a row that changed while the question was shown.
        await desk.ask(lambda: desk.customers.delete(row.id, if_version=row.version))
    except NotFoundError as error:
        desk.kept.forget(row.id)
        screen.status.fail(error)
    except CustctlError as error:
        screen.status.fail(error)
    else:
        desk.kept.forget(row.id)
        written(None)
        screen.status.tell(f"customer {row.id} was deleted")


class EditScreen(FormScreen["Outcome"]):
    """The form for a customer's fields, or those of a new one.

    It starts with any unsaved edit.

    Args:
        row: the customer as last read; None for a new one.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("^s save", "tab next field", "^r discard", "esc leave", "^c quit")
    AGAIN = "^s"
    BINDINGS: ClassVar = [Binding("ctrl+r", "discard", priority=True)]

    def __init__(self, desk: Desk, row: Customer | None) -> None:
        own = desk.own()
        self.form = Form.of(row, own)
        self._kept: Path | None = None
        self._saving = False
        self._is_gone = False
        self._note = ""
        kept = desk.kept.find(self.form.customer_id, own)
        if kept is not None:
            self._kept = kept.path
            self.form.resume(kept.version, kept.typed)
            self._note = f"what you typed at {kept.at} is back; ^r discards it"
        self._title = f"edit customer {row.id}" if row is not None else "add a customer"
        super().__init__(desk, self._title, {name: self.form.shown(name) for name in self.form.held})

    def on_mount(self) -> None:
        """Say what is back. Textual also calls the handlers of the base classes."""
        self.status.say(self._note)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Save the unsaved edit with every key."""
        name = event.input.name or ""
        if event.value == self.form.shown(name):
            return
        self.form.type(name, event.value)
        self._keep()

    def _keep(self) -> None:
        form, kept = self.form, self.desk.kept
        if self._is_gone:
            return
        if not form.typed:
            if self._kept is not None:
                kept.drop(self._kept)
            self._kept = None
            self.status.well("")
            return
        try:
            self._kept = kept.keep(form.customer_id, form.version, form.typed, self._kept)
        except CustctlError as error:
            self.status.fail(error)
        else:
            self.status.well(f"{plural(len(form.typed), 'field', 'fields')} changed; ^s saves")

    def entered(self) -> None:
        """Go to the next field; only ^s writes."""
        self.focus_next()

    def action_discard(self) -> None:
        """Restore the stored values."""
        self.form.typed.clear()
        self._fill()
        self._keep()
        self.status.tell("what you typed is discarded")

    def _fill(self) -> None:
        for name, field in self.inputs.items():
            with self.prevent(Input.Changed):
                field.value = self.form.shown(name)

    def action_back(self) -> None:
        """Close the form; the unsaved edit is kept."""
        self.dismiss(None)

    def action_submit(self) -> None:
        """Write the changes."""
        if self._saving:
            return
        if not self.form.typed:
            self.status.tell("nothing was changed")
            return
        self._saving = True
        self.heading.say(f"{self._title}: saving …")
        self.run_worker(self._save())

    def _write(self) -> Outcome | None:
        """Write the changes on the database's thread, to the end even if the form is left meanwhile."""
        outcome = self.form.write(self.desk.customers)
        if outcome is not None and self._kept is not None:
            self.desk.kept.drop(self._kept)
        return outcome

    async def _save(self) -> None:
        form, desk = self.form, self.desk
        try:
            outcome = await desk.ask(self._write)
        except CustctlError as error:
            if isinstance(error, NotFoundError) and form.customer_id is not None:
                # An unsaved edit of a deleted customer must not stay on disk.
                self._is_gone = True
                desk.kept.forget(form.customer_id)
            self.status.fail(error)
        else:
            if not self.is_current:
                return  # left meanwhile
            if outcome is None:
                self.app.push_screen(ConflictScreen(desk, form), self._decided)
            else:
                self.dismiss(outcome)
        finally:
            self._saving = False
            self.heading.say(self._title)

    def _decided(self, mine: dict[str, bool] | None) -> None:
        """Continue with the decision; without one the form stays open, and saving asks again."""
        if mine is not None:
            self.form.decide(mine)
        self._fill()
        self._keep()
        if mine is not None and self.form.typed:
            self.action_submit()


class ConflictScreen(LinesScreen[dict[str, bool]]):
    """A conflict, field by field: the value before, the value now and the value typed; a person decides.

    Args:
        form: the form with the conflict.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("m keep mine", "t keep theirs", "^s save", "esc back to the form", "^c quit")
    BINDINGS: ClassVar = [
        Binding("m", "decide(True)"),
        Binding("t", "decide(False)"),
        Binding("ctrl+s", "save", priority=True),
    ]

    def __init__(self, desk: Desk, form: Form) -> None:
        super().__init__(desk)
        self._conflicts = form.conflicts
        self._was_known = form.was_known
        self._mine: dict[str, bool] = {}
        self._owners: list[str] = []

    def draw(self) -> None:
        """Show the fields."""
        self._owners, rows = lines.conflicts(self._conflicts, self._mine, self.room, was_known=self._was_known)
        self.say("someone else changed the same fields: nothing was written", rows)

    def action_decide(self, mine: bool) -> None:
        """Decide for the selected field, and go to the next one."""
        name = self._owners[self.lines.at]
        self._mine[name] = mine
        self.draw()
        following = [at for at, owner in enumerate(self._owners) if owner not in self._mine]
        if following:
            self.lines.select(following[0])
        self.draw()

    def choose(self) -> None:
        """Reverse the decision for the selected field."""
        self.action_decide(not self._mine.get(self._owners[self.lines.at], False))

    def action_save(self) -> None:
        """Write the decisions."""
        if len(self._mine) < len(self._conflicts):
            self.status.tell("decide each field first: m keeps yours, t keeps theirs")
        else:
            self.dismiss(self._mine)
