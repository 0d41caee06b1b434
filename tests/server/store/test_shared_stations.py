"""Servers of one store: the same programme, events, history and replays in each, and steering through any of them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

import numpy as np
import pytest
from pyav_decoder import decoded
from radio_server import TIMEOUT_S, Served, events, read_exactly
from shared_servers import ON_CLUSTER, Shared, channel, channels, programme

from lullwave.audio import Audio
from lullwave.codecs import decode
from lullwave.segments.reader import SegmentReader
from lullwave.segments.segment import SEGMENT_FRAMES, Segment
from lullwave.server.store.production import StationProduction
from lullwave.station import CHUNK_FRAMES, RATE

LEAD = 10 * 1152  # frames of silent MP3 frames at the beginning of a stream, at most


@pytest.fixture
def shared(tmp_path):
    with ExitStack() as stack:
        yield Shared(stack, tmp_path)


def on_air(*servers: Served):
    return lambda: all(channel(one).main.chunks.newest() is not None for one in servers)


def stop_at_once(production: StationProduction) -> None:
    """End the part of a process in making music as ``kill -9`` does: its lease is not released."""
    production._producer.close = lambda: None
    production.stop()
    production._thread.join(TIMEOUT_S)


def heard_frame(served: Served, listener: str) -> int:
    """The frame of the programme with which a listener's stream began."""
    with served.listening(f"/api/events?listener={listener}") as feed:
        return next(data for kind, data in events(feed) if kind == "hello")["first_frame"]


def assert_heard(data: bytes, first: int, made: np.ndarray) -> int:
    """An MP3 stream that begins at a frame holds the programme, sample for sample; returns how many frames it has."""
    sound = decode(data).samples
    at = 2 * LEAD  # the first MP3 frames are silent, for decoders that begin in the middle
    wanted = made[first + at : first + len(sound)]
    got = sound[at : at + len(wanted)]
    assert len(wanted) > RATE
    error = np.abs(got - wanted).max(axis=1)
    assert error.max() < 0.01, f"{error.max():.3f} at {error.argmax()}"
    return len(sound)


def test_all_servers_play_what_one_process_would_and_a_dead_producer_is_not_heard(shared):
    producer, first, second = shared.add(produce=True), shared.add(), shared.add()
    shared.run(2.0)
    with first.listening("/stream.mp3?listener=ann") as one:
        shared.until(on_air(first))
        shared.run(5.0)
        shared.add(produce=True)
        with second.listening("/stream.mp3?listener=bob") as two:
            shared.until(on_air(second))
            begun = heard_frame(first, "ann"), heard_frame(second, "bob")
            assert begun[0] < RATE < begun[1]
            assert abs(channel(first).edge - channel(second).edge) <= CHUNK_FRAMES
            shared.run(8.0)
            stop_at_once(channels(producer).productions["piano"])
            shared.run(16.0)
            assert abs(channel(first).edge - channel(second).edge) <= CHUNK_FRAMES
            streams = [(one, begun[0], 28.0), (two, begun[1], 24.0)]
            made = programme(45.0)
            for stream, frame, seconds in streams:
                assert assert_heard(read_exactly(stream, round(seconds * 24_000)), frame, made) > (seconds - 1) * RATE
            wall = shared.clock.wall() - 20.0
            reply, data = first.ask(f"/api/stations/piano/replay?at={wall}&seconds=12&format=wav")
            assert reply.getheader("X-Lullwave-Seconds") == "12.000"
            at = SegmentReader(channels(first).store, "piano").manifest().frame_at(wall)
            assert np.array_equal(decode(data).to_int16(), Audio(made[at : at + 12 * RATE], RATE).to_int16())
    manifest = SegmentReader(channels(first).store, "piano").manifest()
    assert [run.epoch for run in manifest.runs] == [1, 2]
    assert manifest.contiguous_from(manifest.next - 1) == manifest.first


def test_a_damaged_segment_is_silence_and_the_music_goes_on(shared, monkeypatch):
    number, encoded = 8, Segment.encode
    monkeypatch.setattr(Segment, "encode", lambda one: encoded(one)[: 3000 if one.number == number else None])
    shared.add(produce=True)
    web = shared.add()
    shared.run(2.0)
    with web.listening("/stream.mp3?listener=ann") as stream:
        shared.until(on_air(web))
        first = heard_frame(web, "ann")
        shared.run(24.0)
        sound = decode(read_exactly(stream, 22 * 24_000)).samples
    made = programme(45.0)
    made[number * SEGMENT_FRAMES : (number + 1) * SEGMENT_FRAMES] = 0
    at, blur = 2 * LEAD, 1152  # of an encoder, where silence begins and ends
    error = np.abs(sound[at:] - made[first + at : first + len(sound)]).max(axis=1)
    for edge in (number, number + 1):
        error[edge * SEGMENT_FRAMES - first - at - blur :][: 2 * blur] = 0
    assert error.max() < 0.01
    assert first + len(sound) > (number + 2) * SEGMENT_FRAMES


def test_servers_leave_a_station_to_an_actor_of_a_cluster_as_long_as_it_works(shared):
    servers = [shared.add(produce=True, cluster="auto", engines=ON_CLUSTER) for _ in range(2)]
    shared.run(2.0)

    def produced():
        return [len(channels(one).produced) for one in servers]

    with servers[0].listening("/stream.mp3?listener=ann") as stream:
        shared.until(on_air(*servers[:1]))
        frame = heard_frame(servers[0], "ann")
        shared.run(3.0)
        assert sum(produced()) == 1  # there is no actor yet
        first = shared.add_actor()
        shared.until(lambda: first.status().producing, most_s=6.0)
        assert (produced(), first.status().engine) == ([0, 0], "cluster:synth")
        shared.run(3.0)
        again = shared.add_actor()  # the first one is taken for dead, but goes on
        shared.until(lambda: again.status().producing, most_s=1.0)
        shared.run(3.0)
        assert ([first.status().producing, again.status().producing], produced()) == ([False, True], [0, 0])
        for actor in (first, again):
            stop_at_once(actor._production)
        shared.run(7.0)
        assert produced() == [0, 0]  # it may be started again
        shared.until(lambda: sum(produced()) == 1, most_s=7.0)
        shared.run(14.0)
        assert_heard(read_exactly(stream, 30 * 24_000), frame, programme(60.0))
        for actor in (first, again):
            actor.stop()
    manifest = SegmentReader(channels(servers[0]).store, "piano").manifest()
    assert [run.epoch for run in manifest.runs] == [1, 2, 3, 4]
    assert manifest.contiguous_from(manifest.next - 1) == manifest.first


def test_a_request_through_any_server_changes_the_music_in_all(shared):
    _, first, second = everybody = shared.add(produce=True), shared.add(), shared.add()
    shared.run(2.0)
    with ExitStack() as stack:
        told = []
        for served in everybody:
            stack.enter_context(served.listening())
            told.append(stack.enter_context(served.listening("/api/events")))
        shared.until(on_air(*everybody))
        shared.run(3.0)
        with ThreadPoolExecutor(1) as waiting:
            asked = waiting.submit(first.json, "/api/stations/piano/prompt", "POST", {"prompt": "brighter gibberish"})
            shared.until(asked.done)
            reply = asked.result()
            assert (reply["state"], reply["understood"]["ignored"]) == ("turning", ["gibberish"])
            assert 8.0 < reply["heard_in_s"] < 20.0
            again = waiting.submit(second.json, "/api/stations/piano/prompt", "POST", {"prompt": "calm"})
            shared.until(again.done)
            assert again.result()["state"] == "queued"
        shared.run(1.5)
        for served in everybody:
            shown = served.json("/api/stations/piano")
            assert (shown["prompt"], shown["steered"]) == ("brighter gibberish", True)
            assert shown["waiting"] == [{"prompt": "calm", "undo": False}]
        shared.run(reply["heard_in_s"] + 14.0)
        frames = [next(data["frame"] for kind, data in events(feed) if kind == "steer") for feed in told]
        assert frames == [reply["frame"]] * 3
        kept = [served.json("/api/stations/piano/history")["history"] for served in everybody]
        assert kept[0] == kept[1] == kept[2]
        steered = [(e["prompt"], e["frame"]) for e in kept[0] if e["kind"] == "steer"]
        assert steered[-1] == ("brighter gibberish", reply["frame"])
        assert len({channel(served).station.now.data["prompt"] for served in everybody}) == 1


def test_limits_and_rights_count_at_the_server_that_is_asked_and_errors_come_back(shared):
    shared.add(produce=True)
    first = shared.add(refused_words="scream")
    shared.run(2.0)

    def posted(path, body=None):
        with ThreadPoolExecutor(1) as waiting:
            asked = waiting.submit(first.ask, f"/api/stations/piano/{path}", "POST", body or {})
            shared.until(asked.done)
            return asked.result()[0].status

    assert posted("prompt", {"prompt": "scream"}) == 422
    assert posted("undo") == 429
    assert posted("prompt", {"prompt": "calm"}) == 200
    assert posted("freeze", {"frozen": True}) == 200
    assert posted("prompt", {"prompt": "brighter"}) == 423
    assert posted("freeze", {"frozen": False}) == 200
    assert first.ask("/api/stations", "POST", {"id": "other"})[0].status == 422


def test_the_producer_sleeps_when_nobody_listens_anywhere_and_wakes_for_the_first(shared):
    producer, first = shared.add(produce=True, sleep_after_s=2.0), shared.add(sleep_after_s=2.0)
    shared.run(4.0)
    reader = SegmentReader(channels(first).store, "piano")
    assert reader.manifest().next == 0
    assert producer.json("/readyz")["produces"] == ["piano"]
    shared.until(lambda: first.ask("/readyz")[0].status == 200)  # also while nobody listens
    assert first.json("/readyz")["produces"] == []
    with first.listening():
        shared.until(on_air(first))
        shared.run(4.0)
    shared.until(lambda: channel(first).station.state == "asleep")
    shared.run(16.0)
    asleep = reader.manifest()
    shared.run(30.0)
    assert reader.manifest() == asleep
    edge = channel(first).edge
    with first.listening("/stream.mp3?listener=eve") as stream:
        woken = shared.clock.now()
        shared.until(lambda: channel(first).edge > edge + RATE)
        assert shared.clock.now() - woken < 4.0
        shared.run(6.0)
        frame = heard_frame(first, "eve")
        assert frame >= asleep.next * SEGMENT_FRAMES - 2 * LEAD  # nothing of what was missed
        assert_heard(read_exactly(stream, 7 * 24_000), frame, programme(60.0))
    assert channels(producer).productions["piano"].producing


def test_the_low_bit_rate_and_hls_are_of_the_same_programme(shared):
    pytest.importorskip("av")
    shared.add(produce=True)
    first = shared.add()
    shared.run(2.0)
    with first.listening("/stream.mp3?kbps=64&listener=low") as stream, ThreadPoolExecutor(1) as waiting:
        shared.until(on_air(first))
        asked = waiting.submit(first.ask, "/stations/piano/hls/160.m3u8")
        shared.until(asked.done)
        shared.run(8.0)
        made, frame = programme(30.0), heard_frame(first, "low")
        assert_heard(read_exactly(stream, 8 * 8_000), frame, made)
        lines = first.ask("/stations/piano/hls/160.m3u8")[1].decode().splitlines()
        name = next(line for line in lines if line.endswith(".m4s"))
        begins = next(line for line in lines if line.startswith("#EXT-X-PROGRAM-DATE-TIME:")).partition(":")[2]
        init = next(line for line in lines if "EXT-X-MAP" in line).split('"')[1]
        data = b"".join(first.ask(f"/stations/piano/hls/{one}")[1] for one in (init, name))
        sound = decoded(data)
        manifest = SegmentReader(channels(first).store, "piano").manifest()
        at = manifest.frame_at(datetime.fromisoformat(begins).timestamp() + 0.5)
        heard = sound[RATE // 2 : RATE]
        error = min(np.abs(heard - made[at + n : at + n + len(heard)]).max() for n in (-1, 0, 1))  # times are rounded
        assert error < 0.02
