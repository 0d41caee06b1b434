"""A stranger's faults are logged once a minute, different ones each, and the next line says how many there were."""

import asyncio
import errno
import logging

import pytest

from lullwave.server.process import repeated_logs
from lullwave.server.process.repeated_logs import OncePerMinute, on_loop_error


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(repeated_logs.time, "monotonic", lambda: now[0])
    return now


def lines(log: OncePerMinute, *messages: tuple[int, str, object]) -> list[str]:
    records = [logging.LogRecord("uvicorn.error", level, "", 0, text, (arg,), None) for level, text, arg in messages]
    return [record.getMessage() for record in records if log.filter(record)]


def test_one_line_a_minute_with_the_number_of_the_others(clock):
    log = OncePerMinute()
    junk = (logging.WARNING, "invalid request from %s", "a")
    assert lines(log, *[junk] * 1000, (logging.ERROR, "another fault: %s", 1)) == [
        "invalid request from a",
        "another fault: 1",
    ]
    clock[0] += repeated_logs.EVERY_S
    assert lines(log, junk, junk) == ["invalid request from a (999 more like it before)"]
    assert len(lines(log, *[(logging.INFO, "started %s", n) for n in range(5)])) == 5


def test_other_errors_under_the_same_words_are_told(clock):
    log, said = OncePerMinute(), []
    for error in (ValueError("a"), ValueError("a"), ValueError("b"), KeyError("a")):
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", None, (type(error), error, None))
        said.append(log.filter(record))
    assert said == [True, False, True, True]


def test_without_file_descriptors_there_is_no_traceback(caplog):
    loop = asyncio.new_event_loop()
    for code in sorted(repeated_logs.NO_FILES):
        on_loop_error(loop, {"message": "accept", "exception": OSError(code, "none left")})
    assert [record.exc_info for record in caplog.records] == [None, None]
    on_loop_error(loop, {"message": "reset", "exception": OSError(errno.ECONNRESET, "reset")})
    assert caplog.records[-1].exc_info
    loop.close()
