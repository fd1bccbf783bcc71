"""Screens that ask for a sort, filters or a confirmation; and the help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input

from custctl.cli.browser.columns import cell
from custctl.cli.browser.frame import Frame, T
from custctl.cli.browser.pages import Lines
from custctl.cli.browser.view import View
from custctl.cli.browser.widgets import Line, Message, Rows

if TYPE_CHECKING:
    from custctl.cli.browser.desk import Desk

_CONDITIONS = 3  # lines for conditions, at least

HELP = """\
In the list
  j k ↓ ↑         next and previous row; also the mouse wheel
  PgDn PgUp g     a screen further and back, the first row
  Enter           open the customer; also a double click
  /               search as you type; Esc leaves the field, then the search
  s S             sort by a field; sort the other way round
  f               filter by status, country and conditions like points>=100
  a               add a customer
  r               read again; try again after a fault
With a customer
  e               edit
  d               delete, after a confirmation
  h               history
  i               account at the identity provider
  c               copy the selected field, in the list the email
In a form
  Tab Shift+Tab   next and previous field; also the arrows
  Ctrl+S          save
  Ctrl+R          discard what was typed
  Esc             leave; what was typed is kept for a day
Everywhere
  Esc             back
  ?               this help
  q Ctrl+C        quit
"""


class ChoiceScreen(Frame[str]):
    """A list of options to choose one from.

    Args:
        title: the question.
        options: the texts, which are also the answers.
        chosen: the current option.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("enter choose", "esc back", "q quit")
    BINDINGS: ClassVar = [Binding("escape", "back")]

    def __init__(self, desk: Desk, title: str, options: Sequence[str], chosen: str) -> None:
        super().__init__(desk)
        self._title = title
        self._options = options
        self._lines = Lines([f"{'*' if option == chosen else ' '} {cell(option)}" for option in options])
        self._lines.select(options.index(chosen) if chosen in options else 0)

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        yield self.title_line()
        yield Message(self._title)
        yield Rows(self._lines, lambda index, _: self._lines.rows[index], chosen=self._choose)
        yield self.keys_line()

    def on_mount(self) -> None:
        """Focus the options."""
        self.query_one(Rows).focus()

    def _choose(self) -> None:
        self.dismiss(self._options[self._lines.at])


class HelpScreen(ChoiceScreen):
    """The keys."""

    KEYS: ClassVar[tuple[str, ...]] = ("esc back", "q quit")

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, "keys", HELP.splitlines(), "")


class FormScreen(Frame[T]):
    """A form with one line per field.

    Args:
        title: the question.
        fields: the current values by name.
    """

    BINDINGS: ClassVar = [
        Binding("ctrl+s", "submit", priority=True),
        Binding("escape", "back"),
        Binding("down", "app.focus_next"),
        Binding("up", "app.focus_previous"),
    ]

    def __init__(self, desk: Desk, title: str, fields: Mapping[str, str]) -> None:
        super().__init__(desk)
        self.heading = Message(title)
        self.fields = fields
        self.inputs: dict[str, Input] = {}

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        yield self.title_line()
        yield self.heading
        label = max(map(len, self.fields)) + 2
        with VerticalScroll(can_focus=False):
            for name, value in self.fields.items():
                with Horizontal(classes="field"):
                    label_line = Line(f" {name}", classes="label")
                    label_line.styles.width = label
                    yield label_line
                    self.inputs[name] = Input(value, name=name, select_on_focus=False)
                    yield self.inputs[name]
        yield self.status
        yield self.keys_line()

    def on_mount(self) -> None:
        """Focus the first field."""
        next(iter(self.inputs.values())).focus()

    def on_input_submitted(self) -> None:
        """Act on Enter. Not to be overridden: Textual calls the handlers of all base classes, too."""
        self.entered()

    def entered(self) -> None:
        """Submit the form."""
        self.action_submit()

    def action_submit(self) -> None:
        """Submit the form."""
        raise NotImplementedError


class FilterScreen(FormScreen[View]):
    """The filters of `customer list`.

    Args:
        view: the list with its current filters.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("enter apply", "tab next field", "esc back", "^c quit")

    def __init__(self, desk: Desk, view: View) -> None:
        self._view = view
        where = [*view.where, *[""] * (max(len(view.where) + 1, _CONDITIONS) - len(view.where))]
        fields = {"status": view.status, "country": view.country}
        fields.update({f"condition {number}": text for number, text in enumerate(where, 1)})
        super().__init__(
            desk, "show only customers with; a condition is like points>=100, company~labs, phone?", fields
        )

    def action_submit(self) -> None:
        """Apply the filters."""
        status, country, *where = (each.value.strip() for each in self.inputs.values())
        self.dismiss(replace(self._view, status=status, country=country, where=tuple(filter(None, where))))


class ConfirmScreen(FormScreen[bool]):
    """A confirmation of a destructive action: by the profile's name in production, by yes or no elsewhere.

    Args:
        question: the question.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("enter confirm", "esc back", "^c quit")

    def __init__(self, desk: Desk, question: str) -> None:
        self._wanted = (desk.profile,) if desk.is_production else ("y", "yes")
        asked = f"type the profile's name, {desk.profile}, to continue" if desk.is_production else "y to continue"
        super().__init__(desk, question, {asked: ""})

    def action_submit(self) -> None:
        """Check the answer."""
        (typed,) = (each.value.strip() for each in self.inputs.values())
        if typed in self._wanted or (not self.desk.is_production and typed.lower() in self._wanted):
            self.dismiss(True)
        elif self.desk.is_production:
            self.status.tell("the name does not match; nothing was changed")
        else:
            self.dismiss(None)
