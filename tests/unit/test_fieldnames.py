"""Names of fields in options, with and without quotes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from custctl.support.fieldnames import field_name, field_names, in_option, sorted_by, split_quoted

NAMES = st.text(st.sampled_from('ab"-,=~? '), min_size=1)


@given(st.lists(NAMES))
def test_what_in_option_writes_is_read_as_it_was(names: list[str]) -> None:
    assert field_names(", ".join(map(in_option, names))) == names
    for name in names:
        assert field_name(in_option(name)) == name
        assert sorted_by(in_option(name)) == (name, False)
        assert sorted_by(f"-{in_option(name)}") == (name, True)


def test_a_plain_name_stays_as_it_is() -> None:
    for name in ("email", "shoe size", 'q"x', "Größe", '"a"b'):
        assert field_name(name) == name
    assert [in_option(name) for name in ("email", "shoe size", 'q"x')] == ["email", "shoe size", 'q"x']
    assert field_names(' email , city,, "a"b,"c" d ,') == ["email", "city", '"a"b', '"c" d']


def test_quotes_end_only_before_what_may_follow() -> None:
    assert split_quoted('"a=b"=c', "=") == ("a=b", "=c")
    assert split_quoted('"a","b"=c', "=") == ("", '"a","b"=c')
    assert split_quoted('"a', "=") == ("", '"a')
