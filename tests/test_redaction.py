"""Secrets are left out of messages and logs, and nothing else is."""

import io
import logging

import pytest

from lullwave.engines import load_engine
from lullwave.engines.remote.options import check_address
from lullwave.errors import EngineLost, InvalidInput, SettingsError
from lullwave.redaction import RedactingFormatter, log_to_stderr, redacted
from lullwave.settings import load

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"ws://host:8001/?token={SECRET}", "ws://host:8001/"),
        (f"ws://host:8001?token={SECRET}: refused", "ws://host:8001 refused"),
        (f"ws://host:8001/a?{SECRET}", "ws://host:8001/a"),
        (f"ws://host/#{SECRET}", "ws://host/"),
        (f"'wss://me:{SECRET}@host/x' failed", "'wss://host/x' failed"),
        (f"icecast://source:12/{SECRET}@host/m failed", "icecast://… failed"),
        (f"ws://me:pa?{SECRET}@host", "ws://…"),
        (f"ws://me:{SECRET}#x@host/a", "ws://…"),
        (f"ws://me:p@{SECRET}@host/a", "ws://host/a"),
        (f"ws://me:{SECRET}@host/a@b", "ws://…"),
        (f"ws://host/?token=a@{SECRET}", "ws://host/"),
        (f"source:{SECRET}@127.0.0.1:8000/m", "source:…@127.0.0.1:8000/m"),
        (f"'source:1/2@{SECRET}@host'", "'source:…@host'"),
        (f'"GET /ws?token={SECRET}&a=b HTTP/1.1"', '"GET /ws?token=…&a=b HTTP/1.1"'),
        (f"> Authorization: Bearer {SECRET}", "> Authorization: Bearer …"),
        (f"> Authorization: key {SECRET}", "> Authorization: key …"),
        (f"engine_token='{SECRET}', port=8001", "engine_token='…', port=8001"),
        (f'{{"api_key": "{SECRET}"}}', '{"api_key": "…"}'),
    ],
)
def test_secrets_are_left_out(text, shown):
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ws://gpu.example:8001",
        "no such file: /var/lib/lullwave/history.sqlite3",
        "played in the key of C: is it 3 a.m.? yes, me@home",
        "500 tokens a second",
        "ws://gpu.example/a@b is lost",
        "one: me@home, two:you @ 3",
        "port: got 'x'; allowed: a whole number",
    ],
)
def test_other_words_stay(text):
    assert redacted(text) == text


def test_tracebacks_are_logged_without_secrets():
    handler = logging.StreamHandler(out := io.StringIO())
    handler.setFormatter(RedactingFormatter("%(message)s"))
    try:
        raise EngineLost(f"ws://host/?token={SECRET}: refused")
    except EngineLost as error:
        record = logging.LogRecord("a", 40, "", 0, "to %s", (f"ws://b/?t={SECRET}",), (EngineLost, error, None))
    handler.handle(record)
    assert "ws://host/" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_libraries_that_log_headers_do_not_at_debug(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    try:
        log_to_stderr("DEBUG")
        assert logging.getLogger("lullwave").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("websockets.client").isEnabledFor(logging.DEBUG)
    finally:
        root.setLevel(level)


def test_a_wrong_setting_does_not_show_a_secret(tmp_path):
    for line in (f'tokn = "{SECRET}"', "token = 4711", f'admin_password = "{SECRET}"', f'[token]\na = "{SECRET}"'):
        (file := tmp_path / "lullwave.toml").write_text(line + "\n")
        with pytest.raises(SettingsError) as refused:
            load(file=file)
        assert SECRET not in str(refused.value)
        assert "4711" not in str(refused.value)


def test_a_wrong_address_does_not_show_its_secret():
    for url in (f"ws://me:{SECRET}@host", f"ws:///?token={SECRET}", f"ws://host/#{SECRET}"):
        with pytest.raises(InvalidInput) as refused:
            check_address(url)
        assert SECRET not in str(refused.value)
    with pytest.raises(InvalidInput) as refused:
        load_engine(f"ws://host/?token={SECRET}", speed=3)
    assert SECRET not in str(refused.value)


def test_an_engine_that_is_lost_names_its_host_alone():
    engine = load_engine(f"ws://127.9.8.7:9/?token={SECRET}", token="another-secret")
    with pytest.raises(EngineLost) as lost:
        engine.stream()
    assert "ws://127.9.8.7:9/" in str(lost.value)
    assert SECRET not in str(lost.value)
    engine.close()


def test_the_admin_token_comes_from_a_file(tmp_path, monkeypatch):
    (file := tmp_path / "token").write_text("\ufeffsecret\nmore\n", "utf-8")
    monkeypatch.setenv("LULLWAVE_TOKEN_FILE", str(file))
    assert load().token == "secret"
    assert "secret" not in repr(load())
    for text in ("", "\n", "sha256:short"):
        file.write_text(text)
        with pytest.raises(SettingsError, match="token"):
            load()
    monkeypatch.setenv("LULLWAVE_TOKEN_FILE", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=r"token_file.*absent"):
        load()
