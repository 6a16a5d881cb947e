from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from picloud.core import logs


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged, as JSON; the logging of the test run is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    stream = io.StringIO()
    logs.configure("auto", "info", stream)
    yield stream
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def _last(stream: io.StringIO) -> dict[str, object]:
    line: dict[str, object] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_a_line_is_one_json_object_with_time_level_and_message(written: io.StringIO) -> None:
    logging.getLogger("picloud.x").warning("two\nlines %s", "here")
    assert written.getvalue().count("\n") == 1
    line = _last(written)
    assert line["message"] == "two\nlines here"
    assert line["level"] == "warning"
    assert line["logger"] == "picloud.x"
    assert str(line["time"]).endswith("Z")


def test_a_line_carries_the_ids_of_what_is_worked_on_and_the_extras(written: io.StringIO) -> None:
    token = logs.request_id.set("r-1")
    try:
        logging.getLogger("picloud.x").info("hello", extra={"path": "/x"})
    finally:
        logs.request_id.reset(token)
    assert (_last(written)["request_id"], _last(written)["path"]) == ("r-1", "/x")
    logging.getLogger("picloud.x").info("hello")
    assert "request_id" not in _last(written)


def test_an_exception_is_in_the_log_in_full(written: io.StringIO) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("picloud.x").exception("failed")
    assert "ValueError: why" in str(_last(written)["exception"])


def test_what_is_below_the_level_is_not_written(written: io.StringIO) -> None:
    logging.getLogger("picloud.x").debug("quiet")
    assert written.getvalue() == ""


def test_the_pretty_form_shows_message_and_ids_on_one_line() -> None:
    record = logging.makeLogRecord({"msg": "ready", "levelname": "INFO", "port": 8123})
    line = logs.PrettyFormatter(colours=False).format(record)
    assert "\x1b" not in line
    assert line.endswith("info    ready  port=8123")
