import errno
import io

import pytest

from photofleet.local.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _colours_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_every_line_says_whose_it_is() -> None:
    stream = io.StringIO()
    console = Console(stream, ["aws", "postgres"])
    console.write("aws", "hello")
    console.write("postgres", "ready")
    assert stream.getvalue() == "aws      | hello\npostgres | ready\n"


def test_each_name_has_its_own_colour_on_a_terminal() -> None:
    stream = Terminal()
    console = Console(stream, ["aws", "web"])
    console.write("aws", "hello")
    console.write("web", "hello")
    first, second = stream.getvalue().splitlines()
    assert first.startswith("\x1b[")
    assert first.split("aws")[0] != second.split("web")[0]


def test_no_colour_is_written_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Console(stream, ["aws"]).write("aws", "hello")
    assert stream.getvalue() == "aws | hello\n"


def test_what_a_program_logs_cannot_command_the_terminal() -> None:
    stream = Terminal()
    Console(stream, []).write("web", "photo \x1b]0;owned\x07\x9b31m.jpg\ttab")
    line = stream.getvalue().split(" ", 1)[1]
    assert not set(line) & {"\x1b", "\x07", "\x9b"} - {"\x1b"}
    assert "photo \ufffd]0;owned\ufffd\ufffd31m.jpg\ttab" in line


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(errno.EIO, "the terminal was closed")])
def test_a_reader_that_went_away_ends_nothing(error: OSError) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise error

    Console(Closed(), []).write("web", "hello")
