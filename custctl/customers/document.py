"""The YAML document for editing a customer: written for `$EDITOR`, and read back with every value as text.

YAML would read `no`, `1e3` and `0123` as something other than text, ` #` as a comment, and accept a repeated key
silently. Here a value is exactly what was typed, and anything that YAML would silently drop is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from custctl.customers.merge import FieldConflict
from custctl.customers.model import EDITABLE, FIELDS
from custctl.schema.own import NO_OWN_FIELDS, OwnFields, Value, to_text
from custctl.support.errors import InvalidError
from custctl.support.text import nearest, visible

if TYPE_CHECKING:
    from yaml.events import Event, ScalarEvent

_HELP: Final = (
    "edit the values, save the file and close the editor",
    "every value is text; put a value that contains : or # in double quotes",
    "an empty value clears the field; a deleted line leaves its field unchanged",
    "to cancel, delete everything in this file",
)
# Text that every YAML reader reads as the same text without quotes.
_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w.@+()/ -]*[\w.@+()/-])?")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_PROBLEM: Final = "# error: "


def document(
    fields: Mapping[str, Value],
    *,
    title: str = "",
    conflicts: Sequence[FieldConflict] = (),
) -> str:
    """Return the text to edit.

    Args:
        fields: the values to show; for conflicts, what the user typed. Fields that cannot be edited are left out.
        title: a line about the customer for the top.
        conflicts: shown as comments above their fields.
    """
    ours = {conflict.field: conflict for conflict in conflicts}
    lines = [f"# {visible(title)}"] if title else []
    lines += [f"# {line}" for line in _HELP]
    if ours:
        lines.append("# conflict: someone else changed this field: " + ", ".join(f"`{name}`" for name in ours))
    lines.append("")
    for name in dict.fromkeys((*fields, *ours)):
        value = fields.get(name)
        conflict = ours.get(name)
        if conflict is not None:
            value = conflict.mine
            lines.append(f"# was:    {quoted(conflict.base)}")
            lines.append(f"# theirs: {quoted(conflict.theirs)}")
            lines.append("# your value is below: keep it to overwrite theirs, or enter the correct value")
        lines.append(f"{name}: {quoted(value)}".rstrip())
    return "\n".join(lines) + "\n"


def annotate(text: str, problem: str) -> str:
    """Return an edited text exactly as typed, with its problem on the first line.

    The line from an earlier call is replaced.
    """
    kept = text.partition("\n")[2] if text.startswith(_PROBLEM) else text
    return f"{_PROBLEM}{visible(problem)}\n{kept}"


def quoted(held: Value) -> str:
    """Return a value as YAML on one line, None as nothing. No character in it can control a terminal or an editor."""
    value = to_text(held)
    if value is None:
        return ""
    if value in ("true", "false") and isinstance(held, bool):
        return value
    if _PLAIN.fullmatch(value) and value.isprintable() and value.lower() not in _WORDS:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def parse_document(text: str, own: OwnFields = NO_OWN_FIELDS) -> dict[str, str | None] | None:
    """Parse an edited document.

    Args:
        own: the company's own fields.

    Returns:
        The fields in it, empty ones as None; or None if the text is empty, which cancels the edit.

    Raises:
        InvalidError: it is not such a document; the message begins with the line, `details["line"]` has it.
    """
    import yaml

    try:
        return _read(text, list(yaml.parse(text, Loader=yaml.BaseLoader)), own)
    except yaml.reader.ReaderError as error:
        line = _line_count(text[: error.position])
        code = error.character if isinstance(error.character, int) else ord(error.character)
        if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as it was read
            raise _invalid(line, f"the byte {code - 0xDC00:02X} is not UTF-8", "save the text as UTF-8") from None
        raise _invalid(line, f"the character U+{code:04X} is not allowed here", "remove it") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = visible(error.problem or "this is not YAML")
        tab = "'\\t'" in problem
        hint = "write a space, not a tab" if tab else "put the value in double quotes"
        raise _invalid(mark.line + 1 if mark else 1, problem, hint) from None


def _read(text: str, events: Sequence[Event], own: OwnFields) -> dict[str, str | None] | None:
    from yaml import events as kinds

    body = iter([event for event in events if not isinstance(event, kinds.StreamStartEvent | kinds.StreamEndEvent)])
    if next(body, None) is None:
        return None
    first = next(body)
    if isinstance(first, kinds.ScalarEvent) and first.implicit[0] and not first.value:
        return None  # a lone `---`
    if not isinstance(first, kinds.MappingStartEvent):
        raise _invalid(_line(first), "a line does not have the form `field: value`", "write one field per line")
    _no_extras(first)

    found: dict[str, str | None] = {}
    for key in body:
        if isinstance(key, kinds.MappingEndEvent):
            break
        name = _known(_scalar(key), own)
        if name in found:
            raise _invalid(_line(key), f"`{name}` is listed twice", "keep one of the two")
        value = _scalar(next(body))
        _no_comment_after(text, value, name)
        blank = not value.value or (value.value == "~" and value.style is None)
        found[name] = None if blank else value.value
    _only_one_document(body)
    return found


def _only_one_document(rest: Iterator[Event]) -> None:
    from yaml.events import DocumentStartEvent

    for event in rest:
        if isinstance(event, DocumentStartEvent):
            raise _invalid(_line(event), "a second document starts here", "remove the line `---`")


def _scalar(event: Event) -> ScalarEvent:
    """Return the event if it is a scalar; all other YAML is refused."""
    from yaml.events import AliasEvent, ScalarEvent

    _no_extras(event)
    if isinstance(event, AliasEvent):
        raise _invalid(_line(event), "an alias (`*`) is not allowed here", "put the text in double quotes")
    if not isinstance(event, ScalarEvent):
        raise _invalid(_line(event), "a list or mapping is not allowed here", "put the text in double quotes")
    return event


def _no_extras(event: Event) -> None:
    for what, sign in (("anchor", "&"), ("tag", "!")):
        # An alias has its target under `anchor`; it gets its own message.
        if getattr(event, what, None) is not None and not type(event).__name__.startswith("Alias"):
            raise _invalid(
                _line(event), f"a YAML {what} (`{sign}`) is not allowed here", "put the text in double quotes"
            )


def _known(key: ScalarEvent, own: OwnFields) -> str:
    name: str = key.value
    known = (*EDITABLE, *own.settable)
    if name in known:
        return name
    if name in FIELDS or name in own.by_name:
        raise _invalid(_line(key), f"`{name}` cannot be edited", "remove the line")
    guess = nearest(name, known)
    hint = f"did you mean `{guess}`?" if guess else "the fields are " + ", ".join(f"`{field}`" for field in known)
    raise _invalid(_line(key), f"unknown field `{visible(name)}`", hint)


def _no_comment_after(text: str, value: ScalarEvent, name: str) -> None:
    """Refuse `company: Studio #54`: YAML would drop what the user probably meant as text."""
    end = value.end_mark
    if end is None or value.style in ("|", ">"):
        return
    if re.compile(r"[ \t]*#").match(text, end.index):
        problem = f"the text after ` #` would be lost from `{name}`"
        raise _invalid(end.line + 1, problem, "put the whole value in double quotes")


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1


def _line_count(before: str) -> int:
    # The line breaks that YAML counts, so that all messages agree.
    return 1 + len(re.findall("\r\n|[\n\r\x85\u2028\u2029]", before))


def _invalid(line: int, problem: str, hint: str) -> InvalidError:
    return InvalidError(f"line {line}: {problem}", hint=hint, details={"line": line})
