"""Log lines that carry the id of the web request and of the photo they are about, through every process."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from pythonjsonlogger.json import JsonFormatter

from photofleet.settings import Settings

_context: ContextVar[dict[str, str]] = ContextVar("log_context", default={})  # noqa: B039 -- never mutated, only replaced


@contextmanager
def log_context(**values: str) -> Iterator[None]:
    """Add values, such as `request_id` and `photo_id`, to every line logged inside."""
    token = _context.set({**_context.get(), **values})
    try:
        yield
    finally:
        _context.reset(token)


def request_id() -> str:
    """The id of the web request under which this runs; empty outside of one."""
    return _context.get().get("request_id", "")


class ContextFilter(logging.Filter):
    """Gives each record the values of the context in which it was logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record."""
        for name, value in _context.get().items():
            setattr(record, name, value)
        return True


class TextFormatter(logging.Formatter):
    """One readable line: time, level, message, then the context and what the caller gave as `extra`."""

    _ordinary = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """The line without its traceback; what a stranger sent neither breaks it nor commands the terminal."""
        extras = [f"{name}={value}" for name, value in vars(record).items() if name not in self._ordinary]
        line = "  ".join(filter(None, (super().formatMessage(record), " ".join(extras))))
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


class UtcJsonFormatter(JsonFormatter):
    """One JSON object a line, its time in UTC with the zone said."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 -- logging's name
        """The time as ISO 8601."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def configure_logging(settings: Settings) -> None:
    """Send every log line of this process to standard error, in the format and from the level of the settings."""
    handler = logging.StreamHandler()
    handler.addFilter(ContextFilter())
    if settings.log_format == "json":
        handler.setFormatter(
            UtcJsonFormatter(
                ["asctime", "levelname", "name", "message"],
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(TextFormatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    logging.captureWarnings(True)
    for library in ("botocore", "boto3", "s3transfer", "urllib3"):  # they log how they do what we asked for
        logging.getLogger(library).setLevel(logging.WARNING)
