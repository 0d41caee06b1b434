"""The file of what runs on a cluster: what it means for Ray, and what is refused in which words."""

import pytest

from lullwave.cluster.config import ClusterConfig
from lullwave.cluster.scaling import PoolLimits
from lullwave.engines.cluster.options import check_address, engine_of
from lullwave.errors import InvalidInput, SettingsError, UnknownEngine
from lullwave.settings import load


def test_a_file_says_what_an_actor_needs_and_how_many_there_are(tmp_path):
    file = tmp_path / "cluster.toml"
    file.write_text("""
[[engines]]
name = "synth"

[[engines]]
name = "synth@night"
options = { cache_mb = 30 }
cpus = 0.5
gpus = 0.25
memory_mb = 2000
labels = { zone = "cellar" }
streams = 3
smallest = 2
largest = 5

[stations]
labels = { zone = "attic" }
""")
    config = ClusterConfig.read(file)
    plain, night = config.engines
    assert (plain.engine, plain.limits) == ("synth", PoolLimits(1, 1, 8))
    assert plain.actor_options() == {"num_cpus": 1.0, "num_gpus": 0.0, "scheduling_strategy": "SPREAD"}
    assert (night.engine, night.options, night.limits) == ("synth", {"cache_mb": 30}, PoolLimits(2, 5, 3))
    wanted = {"num_cpus": 0.5, "num_gpus": 0.25, "memory": 2_000_000_000, "label_selector": {"zone": "cellar"}}
    assert night.actor_options() == {**wanted, "scheduling_strategy": "SPREAD"}
    attic = {"num_cpus": 0.1, "num_gpus": 0.0, "label_selector": {"zone": "attic"}}
    assert config.stations.actor_options() == {**attic, "scheduling_strategy": "SPREAD"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("engines = []", r"engines: got \[\]; allowed: at least 1 entries"),
        ("[[engines]]", "engines.0.name: .*required"),
        ('[[engines]]\nname = "synth"\ngpu = 1', "engines.0.gpu: got 1; allowed: no field of this name"),
        ('[[engines]]\nname = "synth"\ncpus = -1', "engines.0.cpus: got -1; allowed: a number of at least 0"),
        ('[[engines]]\nname = "synth"\nsmallest = 3', "largest .1. is less than smallest .3."),
        ('[[engines]]\nname = "synth"\n[[engines]]\nname = "synth"', "engines.1.name: .*each name once"),
        (
            '[[engines]]\nname = "synth"\noptions = { cashe_mb = 3 }',
            "unknown option .cashe_mb.*cache_mb",
        ),
        ('[[engines]]\nname = "Synth!"', "got 'Synth!'; allowed: the name of an engine"),
        ("engines = [", "a TOML file"),
    ],
)
def test_what_is_not_allowed_is_named(tmp_path, text, said):
    file = tmp_path / "cluster.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        ClusterConfig.read(file)


def test_an_engine_that_is_not_there(tmp_path):
    with pytest.raises(UnknownEngine, match="sinth"):
        ClusterConfig.of({"engines": [{"name": "sinth"}]})
    with pytest.raises(InvalidInput, match="a TOML file"):
        ClusterConfig.read(tmp_path / "none.toml")


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "ray://head:10001"])
def test_addresses(address):
    assert check_address(address) == load({"cluster": address}).cluster == address


@pytest.mark.parametrize("address", ["ray://head", "http://head:1", "head", "ray://user@head:1", "a b:1"])
def test_addresses_that_are_none(address):
    for refused in (lambda: check_address(address), lambda: load({"cluster": address})):
        with pytest.raises(InvalidInput, match=r"auto, HOST:PORT or ray://HOST:PORT"):
            refused()


def test_a_label_tells_two_pools_of_an_engine_apart():
    assert engine_of("musicgen@large") == engine_of("musicgen") == "musicgen"


def test_the_actor_of_a_station_gets_the_settings_of_that_station_and_none_of_a_server():
    stations = pytest.importorskip("lullwave.cluster.stations")
    ids = [{"id": "piano", "prompts": ["calm piano"]}, {"id": "guitar"}]
    server = {
        "store": "file:///srv/radio",
        "token": "secret",
        "port": 9,
        "cluster": "10.0.0.1:6379",
        "station": "guitar",
    }
    values = stations.station_values(load({**server, "stations": ids, "loudness_lufs": -16.0}))
    assert values.keys() == {"station:piano", "station:guitar"}
    piano = load(values["station:piano"])
    assert [(own.id, own.prompts) for own in piano.stations] == [("piano", ("calm piano",))]
    assert (piano.store, piano.loudness_lufs, piano.cluster) == ("file:///srv/radio", -16.0, "auto")
    assert (piano.token, piano.port, piano.default_station) == ("", 8000, "piano")
    ids[0]["prompts"] = ["brighter"]
    other = stations.station_values(load({**server, "stations": ids, "port": 10, "loudness_lufs": -16.0}))
    same = [stations.fingerprint(values[name]) == stations.fingerprint(other[name]) for name in sorted(values)]
    assert same == [True, False]
    with pytest.raises(SettingsError, match="store"):
        stations.station_values(load({"stations": ids}))
