import io
import json
import logging

import pytest

from photofleet.logs import configure_logging, log_context, request_id
from photofleet.settings import get_settings


@pytest.fixture
def lines(root_logging: None, service: None, request: pytest.FixtureRequest) -> io.StringIO:
    configure_logging(get_settings().model_copy(update={"log_format": request.param, "log_level": "INFO"}))
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    return stream


@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_a_json_line_carries_the_request_and_the_photo_it_is_about(lines: io.StringIO) -> None:
    with log_context(request_id="r1"), log_context(photo_id="p1"):
        logging.getLogger("webapp").info("stored %d bytes", 5)

    line = json.loads(lines.getvalue())

    assert line["message"] == "stored 5 bytes"
    assert (line["request_id"], line["photo_id"], line["level"], line["logger"]) == ("r1", "p1", "INFO", "webapp")
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("lines", ["json", "text"], indirect=True)
def test_what_a_stranger_sent_neither_forges_a_second_line_nor_commands_a_terminal(lines: io.StringIO) -> None:
    logging.getLogger("webapp").info("GET %s", "/\n12:00:00 ERROR forged\r\x1b[31m")

    assert len(lines.getvalue().splitlines()) == 1
    assert "\x1b" not in lines.getvalue()


@pytest.mark.parametrize("lines", ["text"], indirect=True)
def test_a_text_line_ends_with_its_context_and_is_followed_by_the_traceback(lines: io.StringIO) -> None:
    with log_context(request_id="r1"):
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("webapp").exception("went wrong")

    first, *rest = lines.getvalue().splitlines()

    assert first.endswith("went wrong  request_id=r1")
    assert rest[-1] == "ValueError: no"


def test_the_context_ends_with_its_block() -> None:
    with log_context(request_id="r1"):
        assert request_id() == "r1"
    assert request_id() == ""
