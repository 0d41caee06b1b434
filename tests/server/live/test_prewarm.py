"""Stations of the embedded engine have music ready before somebody comes, and stay asleep until then."""

import time

from radio_server import TIMEOUT_S, read_exactly, serving

from lullwave.server.live.prewarm import WARM_S
from lullwave.settings.stations import StationSettings


def test_the_first_listener_of_a_station_finds_music_ready(tmp_path):
    stations = tuple(
        StationSettings(id=name, engine=engine) for name, engine in (("a", ""), ("b", "synth"), ("c", "sines"))
    )
    with serving(tmp_path, stations=stations) as served:
        b, c = (served.app.state.services.channels.stations[name].station for name in "bc")
        until = time.monotonic() + TIMEOUT_S
        while b.reserve_s < WARM_S or b.state != "asleep":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert b.reserve_s < served.settings.reserve_s / 2
        assert b.edge == 0  # nothing was aired for nobody
        with served.listening("/stations/b/stream.mp3") as stream:
            assert len(read_exactly(stream, 60_000)) == 60_000  # the clock stands still: all of it was there
            while b.reserve_s < 0.9 * served.settings.reserve_s:
                assert time.monotonic() < until
                time.sleep(0.05)
        assert (c.state, c.reserve_s) == ("asleep", 0.0)  # another engine is not set to work for nobody
