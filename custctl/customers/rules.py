"""Which values a customer's fields may hold, and their stored form.

Two ways to the same result: `validate` for one customer, `RowValidator` for the rows of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from custctl.customers.emails import PLAIN_ADDRESS, normalise_email, validate_email
from custctl.customers.model import DEFAULT_STATUS, EDITABLE, FIELDS, MAX_LENGTH, REQUIRED, STATUSES
from custctl.customers.own_values import own_value
from custctl.schema.own import NO_OWN_FIELDS, Field, OwnFields, Value, field_text, to_text
from custctl.support.errors import InvalidError, UsageError
from custctl.support.fieldnames import suggestion
from custctl.support.patterns import compiled

__all__ = [
    "OwnRowValidator",
    "RowValidator",
    "check_known",
    "clean_text",
    "explain",
    "normalise_email",
    "validate",
    "validate_email",
    "violations",
]

# Unicode's White_Space property. `str.strip()` without an argument would also remove U+001C to U+001F, which are
# control characters: the user is told about those.
_WHITE_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_UNSEEN: Final = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"  # of no width
# Categories Cc, Zl, Zp and Cs. Bidi controls are allowed: names may need them, and output makes them visible.
_CONTROL: Final = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
# Characters that NFC never changes, whatever their neighbours, and that are neither controls nor white space except
# the space: ASCII, Latin, Greek, Cyrillic, typographic punctuation, kana, Chinese characters, Hangul syllables.
_SETTLED: Final = (
    " -~\u00a1-\u02ff\u038e-\u03ce\u0400-\u0482\u048a-\u052f\u2010-\u2027"
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
)
_STATUS_RULE: Final = "must be `" + "`, `".join(STATUSES[:-1]) + f"` or `{STATUSES[-1]}`"
# A spreadsheet shows a long number in E notation and saves what it shows: most digits are lost. The exponents of each field,
# as a pattern: some postal codes have an E between digits.
_EXPONENTS: Final = {"phone": r"[Ee]\+?[0-9]", "postal_code": r"[Ee]\+[0-9]"}
# What a spreadsheet saves in the place of a value that it has lost, in the languages of western Europe.
_LOST: Final = (
    r"#(?:[\u00a1\u00bf]?(?:NULL?|DIV/0|VALUE|VALEUR|VALORE?|WERT|WAARDE|REF|BEZUG|RIF|VERW|NAME|NOME?|NOMBRE|NAAM|NUM|ZAHL"
    r"|GETAL)[!?]|N/[ABD]|NV|##+)"
)


def clean_text(value: str) -> str | None:
    """Return the text in NFC and without white space at its ends; None if nothing visible is left.

    Raises:
        ValueError: it has a control character, a line break or a lone surrogate; the message names it.
    """
    if value.isascii():
        text = value.strip(_WHITE_SPACE)
        if text.isprintable():
            return text or None
    else:
        import unicodedata

        text = unicodedata.normalize("NFC", value).strip(_WHITE_SPACE)
        if not text.strip(_WHITE_SPACE + _UNSEEN):
            return None
    found = re.search(_CONTROL, text)
    if found is not None:
        raise ValueError(f"contains the control character U+{ord(found.group()):04X}")
    return text or None


def _clean_value(value: str) -> str | None:
    """Return a value to store, as `clean_text` does.

    Raises:
        ValueError: as `clean_text`; or a spreadsheet wrote it in the place of a value.
    """
    text = clean_text(value)
    if text is not None and text[0] == "#" and re.fullmatch(_LOST, text):
        raise ValueError(f"is `{text}`: a spreadsheet has lost the value")
    return text


def _field(name: str, value: object, *, partial: bool) -> str | None:
    """Return one field's value in its stored form; None clears it.

    Raises:
        ValueError: a rule is broken; the message continues a sentence that begins with the field's name.
    """
    if value is not None and not isinstance(value, str):
        raise ValueError("must be text")
    text = None if value is None else _clean_value(value)
    if text is None:
        if name in REQUIRED:
            raise ValueError("is required")
        if name == "status":
            if not partial:
                return DEFAULT_STATUS
            # It cannot be null, and an empty cell must not reactivate a closed customer.
            raise ValueError(_STATUS_RULE)
        return None
    if name == "email":
        try:
            return validate_email(text)
        except ValueError as error:
            raise ValueError(f"is not a valid address: {error}") from None
    if name == "status":
        status = text.casefold()
        if status not in STATUSES:
            raise ValueError(_STATUS_RULE)
        return status
    if name in _EXPONENTS and re.fullmatch(rf"[+-]?[0-9]+(?:[.,][0-9]*)?{_EXPONENTS[name]}{{1,3}}", text):
        raise ValueError("is in E notation: a spreadsheet damaged the number")
    limit = MAX_LENGTH[name]
    if len(text) > limit:
        raise ValueError(f"has {len(text)} characters, {limit} are allowed")
    return text


def violations(
    fields: Mapping[str, object], own: OwnFields = NO_OWN_FIELDS, *, partial: bool
) -> tuple[dict[str, Value], dict[str, str]]:
    """Validate all given fields, without raising on a bad value.

    Args:
        fields: editable fields by name; None or blank text clears one.
        own: the company's own fields.
        partial: True to change an existing customer: absent fields do not change. False for a new one: required fields
            must be present, and an absent or empty `status` becomes `active`.

    Returns:
        The good fields in their stored form, and what is wrong with each bad one.

    Raises:
        UsageError: a field that is unknown or cannot be set.
    """
    values: dict[str, Value] = {}
    reasons: dict[str, str] = {}
    for name in fields:
        check_known(name, own)
    for name in EDITABLE:
        value = fields.get(name)
        if name not in fields and (partial or name not in (*REQUIRED, "status")):
            continue
        try:
            values[name] = _field(name, value, partial=partial)
        except ValueError as error:
            reasons[name] = str(error)
    for field in own.fields:
        if field.name not in fields and (partial or field.name not in own.required):
            continue
        value = fields.get(field.name)
        try:
            values[field.name] = own_value(field, value, _clean_value)
        except ValueError as error:
            reasons[field.name] = str(error)
    return values, reasons


def check_known(name: str, own: OwnFields) -> None:
    """Refuse a field that is unknown or cannot be set.

    Raises:
        UsageError: neither an editable field nor a settable own one.
    """
    if name in EDITABLE or name in own.by_name:
        return
    if name in FIELDS:
        raise UsageError(f"`{name}` cannot be set: the database manages it")
    raise UsageError(f"unknown field `{name}`", hint=suggestion(name, (*EDITABLE, *own.settable)))


def explain(reasons: Mapping[str, str]) -> str:
    """Return one line that names every bad field and its problem."""
    return "; ".join(f"`{name}` {reason}" for name, reason in reasons.items())


def validate(fields: Mapping[str, object], own: OwnFields = NO_OWN_FIELDS, *, partial: bool) -> dict[str, Value]:
    """Return the given fields in their stored form; arguments as for `violations`.

    Raises:
        InvalidError: names every bad field at once; `details["fields"]` has the reason of each.
        UsageError: a field that is unknown or cannot be set.
    """
    values, reasons = violations(fields, own, partial=partial)
    if reasons:
        count = "1 field is" if len(reasons) == 1 else f"{len(reasons)} fields are"
        raise InvalidError(f"{count} not valid: {explain(reasons)}", details={"fields": reasons})
    return values


class RowValidator:
    """Validates the rows of a file, each a list of cells in the order of `columns`.

    One compiled pattern recognises a whole row that is already in its stored form, so that ordinary rows cost one
    match; any other row goes field by field through the same rules as `validate`.

    Args:
        columns: editable fields, each at most once.
        partial: as for `violations`; absent columns are never added to the values, not even `status`.
    """

    def __init__(self, columns: Sequence[str], *, partial: bool) -> None:
        self.columns = tuple(columns)
        self._partial = partial
        self._email = self.columns.index("email") if "email" in self.columns else None
        self._status = self.columns.index("status") if "status" in self.columns and not partial else None
        self._missing = () if partial else tuple(name for name in REQUIRED if name not in self.columns)
        # No cell of such a row has a line feed, so a line feed can separate the cells.
        self._settled = compiled("\n".join(_cell_pattern(name, partial) for name in self.columns))

    def __call__(self, cells: Sequence[object]) -> tuple[list[str | None] | None, str | None]:
        """Return the row's values in the order of `columns`, or the reason for rejecting it."""
        if len(cells) != len(self.columns):
            return None, f"the row has {len(cells)} cells, the header {len(self.columns)}"
        try:
            match = self._settled.fullmatch("\n".join(cells))  # type: ignore[arg-type]
        except TypeError:
            match = None  # a cell is not text: None, or a number from JSON
        if match is None or self._missing:
            return self._field_by_field(cells)
        values: list[str | None] = list(match.groups())
        if self._email is not None:
            email = values[self._email]
            if email is None or len(email) > MAX_LENGTH["email"]:
                return self._field_by_field(cells)
            values[self._email] = email.lower()
        if self._status is not None and values[self._status] is None:
            values[self._status] = DEFAULT_STATUS
        return values, None

    def _field_by_field(self, cells: Sequence[object]) -> tuple[list[str | None] | None, str | None]:
        values, reasons = violations(dict(zip(self.columns, cells, strict=True)), partial=self._partial)
        if reasons:
            return None, explain(reasons)
        return [to_text(values[name]) for name in self.columns], None


class OwnRowValidator:
    """Validates rows as `RowValidator` does, for a company with own fields.

    Args:
        columns: editable fields and settable own ones, each at most once.
        own: the company's own fields.
        partial: as for `RowValidator`.
        typed: whether cells have types, so that a string is a JSON value and not JSON to parse.
    """

    def __init__(self, columns: Sequence[str], own: OwnFields, *, partial: bool, typed: bool) -> None:
        self._width = len(columns)
        self._own: list[tuple[int, Field]] = [
            (at, own.by_name[name]) for at, name in enumerate(columns) if name not in EDITABLE
        ]
        self._ours = [at for at, name in enumerate(columns) if name in EDITABLE]
        self._judge = RowValidator([columns[at] for at in self._ours], partial=partial)
        missing = () if partial else tuple(name for name in own.required if name not in columns)
        self._missing = dict.fromkeys(missing, "is required")
        self._typed = typed

    def __call__(self, cells: Sequence[object]) -> tuple[list[str | None] | None, str | None]:
        """Return the row's values as text, in the order of the columns, or the reason for rejecting it."""
        if len(cells) != self._width:
            return None, f"the row has {len(cells)} cells, the header {self._width}"
        judged, reason = self._judge([cells[at] for at in self._ours])
        reasons = dict(self._missing)
        values: list[str | None] = [None] * self._width
        for at, field in self._own:
            cell = cells[at]
            if self._typed and field.kind == "json" and isinstance(cell, str):
                import json

                cell = json.dumps(cell)
            try:
                values[at] = field_text(field, own_value(field, cell, _clean_value))
            except ValueError as error:
                reasons[field.name] = str(error)
        if judged is None or reasons:
            return None, "; ".join(filter(None, (reason, explain(reasons))))
        for at, value in zip(self._ours, judged, strict=True):
            values[at] = value
        return values, None


def _cell_pattern(name: str, partial: bool) -> str:
    """Return a group that matches a cell in its stored form; it does not participate if the cell is rightly empty."""
    if name == "email":
        return f"({PLAIN_ADDRESS})"
    if name == "status":
        return f"({'|'.join(STATUSES)})" + ("" if partial else "?")
    # Leave a number in E notation, and what begins with `#`, to `_field`; few cells of numbers have an exponent.
    whole = f"(?![^\n]*{_EXPONENTS[name]})" if name in _EXPONENTS else ""
    text = f"({whole}(?![ #])[{_SETTLED}]{{1,{MAX_LENGTH[name]}}}+(?<! ))"
    return text if name in REQUIRED else text + "?"
