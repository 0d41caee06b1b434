"""HLS segments are the station's sound at the station's frames, encoded while somebody asks."""

import asyncio
from datetime import datetime
from types import SimpleNamespace

import m3u8
import numpy as np
import pytest
from pyav_decoder import decoded

from lullwave.server.hls import feed as hls_feed
from lullwave.server.hls import playout_feed
from lullwave.server.hls.feed import KBPS, READY
from lullwave.server.hls.playlists import LISTED, SEGMENT_FRAMES, SEGMENT_S, media
from lullwave.server.hls.playout_feed import PlayoutHls
from lullwave.station import CHUNK_FRAMES, RATE, Epoch

pytest.importorskip("av")
BEGIN = 1_000_000 - 441  # station frame of the first sample
EPOCH = Epoch(900_000, 1_700_000_000.25)
SOUND_S = 40


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Noise below 2 kHz, (T, 2), which is like itself at no other lag."""
    frames = SOUND_S * RATE
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(frames))
    spectrum[np.fft.rfftfreq(frames, 1 / RATE) > 2000] = 0
    wave = np.fft.irfft(spectrum, frames)
    return np.stack([wave, wave], axis=1).astype(np.float32) * np.float32(0.1 / wave.std())


class Air:
    """Puts ``sound`` on air step by step."""

    def __init__(self, feed: PlayoutHls, sound: np.ndarray) -> None:
        self.feed, self.sound, self.steps, self.epoch = feed, sound, 0, EPOCH

    async def play(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE / CHUNK_FRAMES)):
            part = self.sound[self.steps * CHUNK_FRAMES : (self.steps + 1) * CHUNK_FRAMES]
            frame = BEGIN + self.steps * CHUNK_FRAMES
            self.feed.add(SimpleNamespace(mastered=part, mastered_frame=frame, epoch=self.epoch))
            self.steps += 1
            await asyncio.sleep(0)


class Player:
    """A listener: reads playlists as text and fetches the files that they name."""

    def __init__(self, feed: PlayoutHls, kbps: int) -> None:
        self.feed, self.kbps = feed, kbps
        self.files: dict[str, bytes] = {}
        self.began = None  # the date that the first segment's playlist stated
        self.skip = 0

    async def poll(self) -> None:
        playlist = m3u8.loads(media(await self.feed.segments(self.kbps), []))
        assert len(playlist.segments) <= LISTED
        for segment in playlist.segments:
            self.files.setdefault(segment.init_section.uri, self.feed.find(segment.init_section.uri))
            self.files.setdefault(segment.uri, self.feed.find(segment.uri))
            self.began = self.began or segment.current_program_date_time

    def heard(self) -> np.ndarray:
        return decoded(b"".join(self.files.values()))


def frame_of(heard: np.ndarray, sound: np.ndarray) -> int:
    """The station frame of a listener's first sample, from the sound itself."""
    at, length = 8 * 1024, 2**15
    whole = np.fft.rfft(sound[:, 0], 2 ** int(np.ceil(np.log2(len(sound) + length))))
    part = np.fft.rfft(heard[at : at + length, 0], 2 * (len(whole) - 1))
    return BEGIN + int(np.argmax(np.fft.irfft(whole * np.conj(part))[: len(sound)])) - at


def test_three_listeners_hear_the_sound_by_one_clock(sound):
    async def scenario():
        feed = PlayoutHls()
        air = Air(feed, sound)
        await air.play(8)
        players = [Player(feed, 160)]
        feed.hold()
        await air.play(0.5)
        await players[0].poll()
        players.append(Player(feed, 64))
        for _ in range(4):
            await air.play(5)
            for player in players:
                await player.poll()
        players.append(Player(feed, 160))
        await air.play(4)
        for player in players:
            await player.poll()
        feed.close()
        return players

    for player in asyncio.run(scenario()):
        heard = player.heard()
        assert len(heard) == (len(player.files) - 1) * SEGMENT_FRAMES
        frame = frame_of(heard, sound)
        stated = EPOCH.frame + (player.began.timestamp() - EPOCH.wall) * RATE
        assert abs(stated - frame) < 1  # not one sample off, where a segment would do
        begin = max(frame, BEGIN) + 2048
        length = min(len(heard) - (begin - frame), BEGIN + len(sound) - begin)
        made = sound[begin - BEGIN : begin - BEGIN + length]
        error = heard[begin - frame : begin - frame + length] - made
        assert np.square(error).mean() < 0.1 * np.square(made).mean()


def test_it_encodes_only_while_somebody_asks_and_goes_on_with_its_numbers(sound, monkeypatch):
    monkeypatch.setattr(hls_feed, "HOLD_S", 0.0)

    async def scenario():
        feed = PlayoutHls()
        air = Air(feed, sound)
        await air.play(10)
        assert not feed.active
        seen = []
        for _ in range(2):
            waiting = asyncio.create_task(feed.segments(160))
            await asyncio.sleep(0)
            assert feed.active
            monkeypatch.setattr(hls_feed, "HOLD_S", 60.0)
            feed.hold()
            await air.play(0.5)  # the first step encodes the seconds before, too
            segments = await waiting
            assert len(segments) >= READY
            assert [one.number for one in segments] == list(
                range(segments[0].number, segments[0].number + len(segments))
            )
            assert {one.frame for one in segments} == {one.frame for one in await feed.segments(64)}
            seen.append({one.name: feed.find(one.name) for one in segments})
            monkeypatch.setattr(hls_feed, "HOLD_S", 0.0)
            feed.hold()
            while feed.active:
                await asyncio.sleep(0)
            assert feed.find(segments[0].name) is None
            await air.play(0.5)
        first, second = seen
        assert {name: second[name] for name in first if name in second} == {n: first[n] for n in first if n in second}
        assert {name.partition("-")[0] for name in first} == {name.partition("-")[0] for name in second}

    asyncio.run(scenario())


def test_a_jump_of_the_sound_is_a_discontinuity_and_numbers_go_on(sound):
    async def scenario():
        feed = PlayoutHls()
        feed.hold()
        air = Air(feed, sound)
        await air.play(9)
        before = await feed.segments(160)
        air.steps -= 100  # this sound comes again, as other frames
        feed.add(SimpleNamespace(mastered=sound[:CHUNK_FRAMES], mastered_frame=0, epoch=Epoch(0, EPOCH.wall + 9)))
        for step in range(1, 30):
            part = sound[step * CHUNK_FRAMES : (step + 1) * CHUNK_FRAMES]
            feed.add(SimpleNamespace(mastered=part, mastered_frame=step * CHUNK_FRAMES, epoch=Epoch(0, EPOCH.wall + 9)))
            await asyncio.sleep(0)
        after = await feed.segments(160)
        text = media(after, [])
        feed.close()
        return before, after, text

    before, after, text = asyncio.run(scenario())
    numbers = [one.number for one in after]
    assert numbers == list(range(numbers[0], numbers[0] + len(after)))
    assert after[: len(before)] == before
    assert len({one.name for one in after}) == len(after) > len(before)
    playlist = m3u8.loads(text)
    jumps = [one.discontinuity for one in playlist.segments]
    assert jumps == [False] * len(before) + [True] + [False] * (len(after) - len(before) - 1)
    headers = [one.init_section.uri for one in playlist.segments]
    assert headers == [one.init_name for one in after]
    later = m3u8.loads(media(after[len(before) :], []))
    assert later.discontinuity_sequence == playlist.discontinuity_sequence + 1


def test_what_is_begun_anew_has_numbers_by_the_time_of_day_and_lists_nothing_of_before(sound):
    async def scenario():
        feed = PlayoutHls()
        feed.keep(True)
        air = Air(feed, sound)
        await air.play(9)
        told = [await feed.segments(160)]
        for least in (0, 10**9):
            feed.begin_anew(least, least)
            waiting = asyncio.create_task(feed.segments(64))
            await asyncio.sleep(0)
            air.epoch = Epoch(BEGIN + air.steps * CHUNK_FRAMES, air.epoch.wall + 1000)
            await air.play(9)  # the frames go on
            told.append(await feed.segments(160))
            assert {one.session for one in await waiting} == {told[-1][0].session}
        feed.close()
        return told

    first, second, third = asyncio.run(scenario())
    for before, after in ((first, second), (second, third)):
        assert after[0].number > before[-1].number
        assert after[0].session.jumps > before[0].session.jumps
        assert {one.session.name for one in before} & {one.session.name for one in after} == set()
    assert second[0].number == pytest.approx((EPOCH.wall + 1000) / SEGMENT_S, rel=0, abs=3)
    assert (third[0].number, third[0].session.jumps) == (10**9, 10**9)


def test_titles_and_segments_keep_their_dates_when_the_clock_is_set(sound):
    async def scenario():
        feed = PlayoutHls()
        feed.keep(True)
        air = Air(feed, sound)
        dates, frame = {}, BEGIN + 3 * RATE + 7
        for turn in range(8):
            if turn == 3:  # an epoch begins with a later frame than the master puts out
                air.epoch = Epoch(BEGIN + air.steps * CHUNK_FRAMES + 441, EPOCH.wall + 50)
            await air.play(3 if turn else 6)
            listed = m3u8.loads(media(await feed.segments(160), [(frame, "Rain")]))
            for one in [*listed.segments, *listed.segments[0].dateranges]:
                name = getattr(one, "uri", None) or one.id
                dates.setdefault(name, set()).add(getattr(one, "start_date", None) or one.current_program_date_time)
        feed.close()
        return frame, dates

    frame, dates = asyncio.run(scenario())
    assert {len(told) for told in dates.values()} == {1}
    (piece,) = [told for name, told in dates.items() if name.startswith("piece-")]
    told = datetime.fromisoformat(piece.pop()).timestamp()
    assert told == pytest.approx(EPOCH.wall + (frame - EPOCH.frame) / RATE, rel=0, abs=2e-6)


def test_memory_is_bounded_and_what_was_listed_can_still_be_fetched(sound, monkeypatch):
    monkeypatch.setattr(playout_feed, "LISTED", 3)
    monkeypatch.setattr(playout_feed, "KEPT", 8)

    async def scenario():
        feed = PlayoutHls()
        air = Air(feed, sound)
        feed.keep(True)
        await air.play(10)
        listed = await feed.segments(160)
        assert len(listed) == 3
        data = {one.name: feed.find(one.name) for one in listed}
        await air.play(3 * SEGMENT_FRAMES / RATE)
        assert all(feed.find(name) == file is not None for name, file in data.items())
        await air.play(16)
        rings = feed._rings
        assert [ring.end - ring.begin for ring in rings.values()] == [8] * len(KBPS)
        assert rings[160].begin > 0
        assert feed.find(listed[0].name) is None
        feed.close()

    asyncio.run(scenario())


def test_who_waits_when_the_feed_closes_is_let_go():
    async def scenario():
        feed = PlayoutHls()
        waiting = asyncio.create_task(feed.segments(64))
        await asyncio.sleep(0)
        feed.close()
        assert await waiting == []

    asyncio.run(scenario())
