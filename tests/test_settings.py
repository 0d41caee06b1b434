"""Settings: the order of sources, the refusals, and a table in the documentation that is true."""

import errno
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from lullwave.errors import InvalidInput, SettingsError
from lullwave.settings import Settings, load
from lullwave.settings.stations import DEFAULT_STATIONS, StationSettings
from lullwave.settings.variables import PREFIX

DOCS = Path(__file__).parent.parent / "docs" / "run" / "settings.md"


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_flags_go_before_environment_before_file_before_defaults(monkeypatch, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('port = 1\nhost = "file"\nengine = "file"\n')
    monkeypatch.setenv("LULLWAVE_PORT", "2")
    monkeypatch.setenv("LULLWAVE_HOST", "environment")
    read = load({"port": 3, "engine": None}, file)
    assert (read.port, read.host, read.engine, read.max_queue) == (3, "environment", "file", 8)


def test_a_file_in_the_current_directory_is_found(tmp_path):
    (tmp_path / "lullwave.toml").write_text('[[stations]]\nid = "rain"\nprompts = ["rain"]\nambience = ["rain"]\n')
    read = load()
    assert [s.id for s in read.stations] == ["rain"]
    assert read.default_station == "rain"
    assert read.stations[0].prompt() == "rain, rain"


def test_hours_choose_a_prompt_by_the_minute():
    station = StationSettings(
        id="a", prompts=("day",), ambience=("rain",), hours={"22-6": "night", "6:30-9": "morning"}
    )
    asked = [station.prompt_at(60 * hour + minute) for hour, minute in ((21, 59), (22, 0), (0, 0), (5, 59), (6, 0))]
    assert asked == [None, "night, rain", "night, rain", "night, rain", None]
    assert [station.prompt_at(60 * 6 + minute) for minute in (29, 30)] == [None, "morning, rain"]
    for wrong in ("25-3", "6", "6:60-7", "morning"):
        with pytest.raises(ValidationError, match="no span of hours"):
            StationSettings(id="a", hours={wrong: "x"})


def test_stations_come_from_the_environment_as_json(monkeypatch):
    monkeypatch.setenv("LULLWAVE_STATIONS", json.dumps([{"id": "a", "prompts": ["x", "y"]}, {"id": "b"}]))
    read = load({"station": "b"})
    assert read.default_station == "b"
    assert [read.stations[0].prompt(turn) for turn in range(3)] == ["x", "y", "x"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"port": 70000}, "port"),
        ({"prot": 1}, "prot"),
        ({"bitrate_kbps": 100}, "bitrate_kbps"),
        ({"station": "nowhere"}, "station"),
        ({"stations": [{"id": "Bad Id"}]}, "stations.0.id"),
        ({"stations": [{"id": "a"}, {"id": "a"}]}, "stations"),
        ({"stations": [{"id": "a", "prompts": ["(open"]}]}, "stations.0.prompts"),
        ({"stations": []}, "stations"),
        ({"reserve_s": float("nan")}, "reserve_s"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values, field):
    with pytest.raises(SettingsError) as refused:
        load(values)
    assert refused.value.field == field
    assert refused.value.allowed


def test_wrong_environment_and_files_are_refused(monkeypatch, tmp_path):
    with pytest.raises(SettingsError, match="config"):
        load(file=tmp_path / "absent.toml")
    (tmp_path / "broken.toml").write_text("port = = 1")
    with pytest.raises(SettingsError):
        load(file=tmp_path / "broken.toml")
    monkeypatch.setenv("LULLWAVE_STATIONS", "[{")
    with pytest.raises(SettingsError):
        load()


@pytest.mark.parametrize("text", ['\ufeffhost = "[::1]"\nport = 8123\n', '\ufeffhost = "::1"\r\nport = 8123\r\n'])
def test_a_file_of_a_windows_editor_is_read(tmp_path, text):
    (tmp_path / "mine.toml").write_bytes(text.encode())
    settings = load(file=tmp_path / "mine.toml")
    assert (settings.host, settings.port) == ("::1", 8123)
    (tmp_path / "mine.toml").write_bytes(text.encode("utf-16"))
    with pytest.raises(SettingsError, match="TOML in UTF-8; save the file in that encoding"):
        load(file=tmp_path / "mine.toml")


def test_a_home_that_cannot_be_searched_is_told_and_left_out(monkeypatch, tmp_path, caplog):
    """As for a service whose user may not enter the home directory that the system names."""
    home = tmp_path / "home"
    is_file = Path.is_file

    def refused(path):
        if home in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refused)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert load({"data_dir": tmp_path}).port == 8000
    assert f"settings file {home}/lullwave/lullwave.toml is left out: Permission denied" in caplog.text
    with pytest.raises(SettingsError, match=r"this user may read \(Permission denied\)"):
        load(file=home / "mine.toml")


def test_settings_are_frozen():
    with pytest.raises(Exception, match="frozen"):
        load().port = 1


def test_the_default_stations_are_five_with_prompts():
    assert len({s.id for s in DEFAULT_STATIONS}) == 5
    assert all(len(s.prompt()) > 20 for s in DEFAULT_STATIONS)


def rows(kind) -> list[tuple[str, str, str]]:
    """What the documentation's table must say: name, default, meaning."""
    found = []
    for name, field in kind.model_fields.items():
        if field.default_factory is not None:
            default = "the platform's data folder"
        elif name == "stations":
            default = ", ".join(s.id for s in DEFAULT_STATIONS)
        elif field.is_required():
            default = "required"
        else:
            default = "" if field.default in (None, "", (), ("",)) else f"`{field.default}`"
        found.append((f"`{name}`", default, field.description))
    return found


@pytest.mark.parametrize(("kind", "part"), [(Settings, 0), (StationSettings, 1)])
def test_the_documented_table_is_true(kind, part):
    text = DOCS.read_text().split("## Stations")[part]
    lines = [tuple(c.strip() for c in line.strip("|").split("|")) for line in text.splitlines()]
    assert [line for line in lines if len(line) == 3 and line[0].startswith("`")] == rows(kind)


def test_the_documentation_names_the_prefix():
    assert PREFIX in DOCS.read_text()


def test_a_misspelt_variable_is_named(monkeypatch, caplog):
    monkeypatch.setenv("LULLWAVE_PROT", "1")
    monkeypatch.setenv("LULLWAVE_PORT", "9000")
    assert load().port == 9000
    (record,) = caplog.records
    assert record.getMessage() == "the variable LULLWAVE_PROT sets nothing; is LULLWAVE_PORT meant?"


def test_the_old_variables_name_an_engine_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "lullwave.toml").write_text('engine = "file"\n')
    monkeypatch.setenv("API_KEY", "key")
    assert load().engine == "file"
    monkeypatch.setenv("INFERENCE_SERVER_URL", "http://there:8001")
    assert (load().engine, load().engine_token) == ("http://there:8001", "key")
    monkeypatch.setenv("INFERENCE_SERVER_WS_URL", "ws://there:8001")
    assert (load().engine, load().engine_token) == ("ws://there:8001", "")  # whose key it is, is not known
    monkeypatch.setenv("LULLWAVE_ENGINE", "newer")
    assert load().engine == "newer"
    assert load({"engine": "flag"}).engine == "flag"


def test_a_token_comes_from_a_file(tmp_path):
    (file := tmp_path / "token").write_text("secret\nmore\n")
    assert load({"engine_token_file": file}).engine_token == "secret"
    assert "secret" not in repr(load({"engine_token_file": file}))
    for text in ("", "\n"):
        file.write_text(text)
        with pytest.raises(SettingsError, match="engine_token_file"):
            load({"engine_token_file": file})


def test_variables_of_the_inference_server_are_no_misspelt_settings(monkeypatch, caplog):
    monkeypatch.setenv("LULLWAVE_INFERENCE_PORT", "8001")
    load()
    assert not caplog.records


def test_engines_are_placed_where_the_settings_say():
    from lullwave.server.engine_config import load_options, place, placed, remote_engines

    stations = [{"id": "a"}, {"id": "b", "engine": "musicgen"}, {"id": "c", "engine": "ws://there:8001"}]
    here, apart = (load({"stations": stations, "engine_token": "t", "isolate": isolate}) for isolate in (False, True))
    assert placed(load()) == load()
    assert [s.engine for s in placed(here).stations] == ["", "musicgen", "remote"]
    moved = placed(apart)
    assert [moved.engine, *(s.engine for s in moved.stations)] == [
        "isolated:synth",
        "",
        "isolated:musicgen",
        "remote",
    ]
    assert placed(moved) == moved
    assert (place(here, "synth"), place(apart, "synth")) == ("synth", "isolated:synth")
    cluster = load({"stations": stations, "cluster": "auto", "engine": "musicgen@large"})
    assert [placed(cluster).engine, *(s.engine for s in placed(cluster).stations)] == [
        "cluster:musicgen@large",
        "",
        "cluster:musicgen",
        "remote",
    ]
    assert load_options(cluster)("cluster:musicgen@large", object) == {"address": "auto"}
    assert remote_engines(apart) == {"remote": "ws://there:8001"}
    assert load_options(apart)("ws://there:8001", object) == {"token": "t"}


@pytest.mark.parametrize("isolated", ["", "isolated:"])
def test_engine_options_reach_the_engine_that_is_named_and_are_checked_at_the_start(isolated):
    from lullwave.engines import engine_facts
    from lullwave.errors import InvalidInput
    from lullwave.server.engine_config import check_options, load_options

    options = "max_songs=2, dtype=float32,deterministic=yes"
    named = load({"engine": isolated + "musicgen", "engine_options": options})
    given = load_options(named)(isolated + "musicgen", engine_facts("musicgen"))
    assert (given["max_songs"], given["dtype"], given["deterministic"]) == (2, "float32", True)
    assert "max_songs" not in load_options(named)("synth", engine_facts("synth"))
    own = load({"stations": [{"id": "a"}, {"id": "b", "engine": "musicgen"}], "engine_options": "threads=3"})
    assert load_options(own)("musicgen", engine_facts("musicgen"))["threads"] == 3
    assert "threads" not in load_options(own)("synth", engine_facts("synth"))
    for settings in (named, own, load({})):
        check_options(settings)
    for wrong in ("max_songs", "max_songs=many", "max_songs=0", "speed=2"):
        with pytest.raises(InvalidInput, match=r"engine_options|max_songs"):
            check_options(load({"engine": "musicgen", "engine_options": wrong}))


@pytest.mark.parametrize("isolated", ["", "isolated:"])
def test_the_smaller_model_is_that_of_the_engine_that_has_one_and_else_it_is_said(isolated, caplog):
    from lullwave.engines import engine_facts
    from lullwave.server.engine_config import check_options, load_options

    large = load({"engine": isolated + "musicgen", "checkpoint": "large", "smaller": "small"})
    given = load_options(large)(isolated + "musicgen", engine_facts("musicgen"))
    assert (given["model"], given["smaller"]) == ("large", "small")
    assert "smaller" not in load_options(large)("synth", engine_facts("synth"))
    assert "smaller" not in load_options(large)("riffusion", engine_facts("riffusion"))
    own = load({"stations": [{"id": "a", "engine": "musicgen"}], "smaller": "small"})
    for settings in (large, own, load({"engine": "ws://there:8001"})):
        check_options(settings)
    assert not caplog.records
    for engine in ("synth", "ws://there:8001"):
        caplog.clear()
        check_options(load({"engine": engine, "smaller": "small"}))
        assert "small is not used" in caplog.text


def test_a_certificate_that_does_not_do_is_refused_by_name(tmp_path):
    from lullwave.server.process.run import check_tls

    check_tls(load())
    (junk := tmp_path / "junk.pem").write_text("no certificate")
    for values, field in (
        ({"tls_cert": tmp_path / "absent.pem"}, "tls_cert"),
        ({"tls_cert": junk, "tls_key": tmp_path / "absent.pem"}, "tls_key"),
        ({"tls_key": junk}, "tls_cert"),
        ({"tls_cert": junk}, "tls_cert"),
    ):
        with pytest.raises(SettingsError) as refused:
            check_tls(load(values))
        assert refused.value.field == field


def test_without_a_home_the_data_directory_has_to_be_named(monkeypatch, tmp_path):
    """As in a service whose user is in no list: Python finds no home there."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "LULLWAVE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(InvalidInput, match=r"HOME.*LULLWAVE_DATA_DIR"):
        load()
    assert load({"data_dir": tmp_path}).data_dir == tmp_path


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://x.example/", "https://x.example"),
        ("HTTPS://X.example:443, http://y.example:80/", "https://x.example,http://y.example"),
        ("http://x.example:8080,*", "http://x.example:8080,*"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("", ""),
    ],
)
def test_allowed_origins_are_spelled_as_browsers_send_them(text, read):
    assert load({"allowed_origins": text}).allowed_origins == read


@pytest.mark.parametrize(
    "text", ["x.example", "https://x.example/page", "null", "https://", "https://a b", "https://u@x"]
)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(SettingsError, match="allowed_origins"):
        load({"allowed_origins": text})
