"""Questions: asked on stderr alone, answered by a person or a flag, and never guessed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from custctl.support.errors import InvalidError, RefusedError
from custctl.terminal.prompts import Prompter, is_interactive


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def prompter(answers: str = "", **options: Any) -> tuple[Prompter, io.StringIO]:
    stderr = io.StringIO()
    return Prompter(io.StringIO(answers), stderr, **{"interactive": True, **options}), stderr


@pytest.mark.parametrize("answer", ["y", "yes", "Y", "YES", " yes "])
def test_yes(answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    asker, stderr = prompter(answer + "\n")
    asker.confirm("delete it?")
    assert stderr.getvalue() == "delete it? [y/N] "
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("answer", ["n\n", "no\n", "\n", "", "yess\n", "ja\n", "1\n", "\x1by\n"])
def test_anything_else_is_no(answer: str) -> None:
    asker, _ = prompter(answer)
    with pytest.raises(RefusedError, match="nothing was changed"):
        asker.confirm("delete it?")


class Interrupted(io.StringIO):
    """An input at which the user presses Ctrl-C."""

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


@pytest.mark.parametrize(("stdin", "error"), [(io.StringIO(), RefusedError), (Interrupted(), KeyboardInterrupt)])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_question_without_an_answer_leaves_its_line(
    stdin: io.StringIO, error: type[BaseException], as_json: bool
) -> None:
    stderr = io.StringIO()
    with pytest.raises(error):
        Prompter(stdin, stderr, interactive=True, as_json=as_json).confirm("delete it?")
    assert stderr.getvalue() == ('{"question": "delete it? [y/N]"}\n' if as_json else "delete it? [y/N] \n")


def test_a_flag_answers_without_a_question() -> None:
    for options in ({"yes": True}, {"yes": True, "interactive": False}):
        asker, stderr = prompter("n\n", **options)
        asker.confirm("delete it?")
        assert stderr.getvalue() == ""


def test_nobody_there_is_a_refusal_that_names_the_flag() -> None:
    asker, stderr = prompter("y\n", interactive=False)
    with pytest.raises(RefusedError, match="delete it") as caught:
        asker.confirm("delete it?")
    assert "`--yes`" in str(caught.value.hint)
    assert stderr.getvalue() == ""


def test_a_question_is_an_object_with_json() -> None:
    asker, stderr = prompter("prod\ny\n", as_json=True)
    asker.confirm_by_name("delete it?", "prod")
    asker.confirm("sure?\x1b")
    first, second = map(json.loads, stderr.getvalue().splitlines())
    assert first == {"question": "delete it?\ntype the profile's name, `prod`, to continue:"}
    assert second == {"question": "sure?\x1b [y/N]"}
    assert "\x1b" not in stderr.getvalue()


def test_production_wants_the_name() -> None:
    asker, stderr = prompter("prod\n")
    asker.confirm_by_name("delete it?", "prod")
    assert stderr.getvalue() == "delete it?\ntype the profile's name, `prod`, to continue: "


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "\n", "", "Prod\n", "production\n"])
def test_production_takes_nothing_else(answer: str) -> None:
    asker, _ = prompter(answer, yes=True)
    with pytest.raises(RefusedError) as caught:
        asker.confirm_by_name("delete it?", "prod")
    assert caught.value.hint == "give `--confirm prod`"


def test_yes_alone_is_not_enough_in_production() -> None:
    asker, _ = prompter(yes=True, interactive=False)
    with pytest.raises(RefusedError) as caught:
        asker.confirm_by_name("delete it?", "prod")
    assert "`--confirm prod`" in str(caught.value.hint)


def test_the_name_as_a_flag() -> None:
    asker, stderr = prompter(interactive=False, confirmed="prod")
    asker.confirm_by_name("delete it?", "prod")
    assert stderr.getvalue() == ""
    asker, _ = prompter("prod\n", confirmed="staging")
    with pytest.raises(RefusedError, match="`--confirm staging` does not name the profile `prod`"):
        asker.confirm_by_name("delete it?", "prod")


def test_a_question_cannot_steer_the_terminal() -> None:
    hostile, shown = "delete \x1b[2J\x9b31m\u202e\r?", "delete \\x1b[2J\\x9b31m\\u202e\\r?"
    asker, stderr = prompter("y\n")
    asker.confirm(hostile)
    assert stderr.getvalue() == f"{shown} [y/N] "
    asker, stderr = prompter("prod\n")
    asker.confirm_by_name(hostile, "prod")
    assert stderr.getvalue().startswith(f"{shown}\n")


def test_a_name_does_not_answer_an_ordinary_question() -> None:
    asker, _ = prompter(interactive=False, confirmed="wrong")
    with pytest.raises(RefusedError):
        asker.confirm("delete it?")


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "secret"),
    [("pa ss\n", "pa ss"), ("pass\r\n", "pass"), ("pass", "pass"), (" pass \nmore\n", " pass ")],
)
def test_stdin_gives_its_first_line(text: str, secret: str) -> None:
    asker = Prompter(io.StringIO(text, newline=""), io.StringIO(), interactive=False)
    assert asker.secret("new password", from_stdin=True, again=True) == secret


@pytest.mark.parametrize("text", ["", "\n", "\r\n"])
def test_an_empty_secret_is_none(text: str) -> None:
    asker = Prompter(io.StringIO(text, newline=""), io.StringIO(), interactive=False)
    with pytest.raises(InvalidError, match="new password is empty"):
        asker.secret("new password", from_stdin=True)


def test_a_secret_that_nobody_can_type() -> None:
    asker, stderr = prompter("secret\n", interactive=False)
    with pytest.raises(RefusedError) as caught:
        asker.secret("new password", from_stdin=False)
    assert "`--stdin`" in str(caught.value.hint)
    assert stderr.getvalue() == ""


def test_a_secret_is_typed_twice_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = iter(["copper lantern", "copper lantern"])

    def answer(prompt: str, stream: object) -> str:
        asked.append(prompt)
        return next(answers)

    monkeypatch.setattr("getpass.getpass", answer)
    asker, _ = prompter()
    assert asker.secret("new password", from_stdin=False, again=True) == "copper lantern"
    assert asked == ["new password: ", "new password (again): "]


def test_two_secrets_that_differ_are_refused_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["copper lantern", "copper lanterm"])
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: next(answers))
    asker, stderr = prompter()
    with pytest.raises(InvalidError, match="differ") as caught:
        asker.secret("new password", from_stdin=False, again=True)
    told = json.dumps([caught.value.message, caught.value.hint, caught.value.details, stderr.getvalue()])
    assert "copper" not in told


def test_interactive_means_both_ends() -> None:
    assert is_interactive(Terminal(), Terminal())
    assert not is_interactive(io.StringIO(), Terminal())
    assert not is_interactive(Terminal(), io.StringIO())
    closed = Terminal()
    closed.close()
    assert not is_interactive(io.StringIO(), closed)
