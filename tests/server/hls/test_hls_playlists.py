"""The playlists as an independent parser reads them."""

from datetime import datetime

import m3u8
import pytest

from lullwave.server.hls.playlists import SEGMENT_FRAMES, Segment, Session, date, master, media
from lullwave.station import RATE, Epoch

EPOCH = Epoch(0, 1_700_000_000.0)


def segments(count: int, first: int = 500, epochs: tuple[Epoch, ...] = (EPOCH,)) -> list[Segment]:
    session = Session("cafe", 500, 7)
    return [Segment(session, 160, n - 500, epochs) for n in range(first, first + count)]


def test_the_media_playlist_states_every_segment_its_clock_and_its_number():
    playlist = m3u8.loads(media(segments(5, 502), []))
    assert (playlist.version, playlist.target_duration, playlist.media_sequence) == (7, 2, 502)
    assert not playlist.is_endlist
    assert playlist.discontinuity_sequence == 7
    assert [one.uri for one in playlist.segments] == [f"cafe-160-{n}.m4s" for n in range(502, 507)]
    assert {one.init_section.uri for one in playlist.segments} == {"cafe-160-init.mp4"}
    for n, one in enumerate(playlist.segments, 2):
        assert round(one.duration) <= playlist.target_duration
        assert one.duration == pytest.approx(SEGMENT_FRAMES / RATE, abs=1e-6)
        assert one.program_date_time.timestamp() == pytest.approx(EPOCH.wall + n * SEGMENT_FRAMES / RATE, abs=1e-6)


def test_titles_are_date_ranges_that_stay_the_same_from_playlist_to_playlist():
    late = 4 * SEGMENT_FRAMES
    titles = [(0, "Gone"), (50_000, 'Wool "Blanket"\r\n#EXT-X-ENDLIST'), (late, "Rain, at last"), (10**9, "Later")]
    playlist = m3u8.loads(media(segments(5, 502), titles))
    on_air, next_one = playlist.segments[0].dateranges
    assert on_air.x_client_attrs == [("x_title", '"Wool Blanket #EXT-X-ENDLIST"')]
    assert next_one.x_client_attrs == [("x_title", '"Rain, at last"')]
    assert not playlist.is_endlist
    assert next_one.start_date == date(EPOCH.wall + late / RATE)
    assert (next_one.class_, next_one.end_on_next) == ("lullwave.piece", "YES")
    again = m3u8.loads(media(segments(5, 505), titles)).segments[0].dateranges
    assert (again[-1].id, again[-1].start_date) == (next_one.id, next_one.start_date)
    began = datetime.fromisoformat(next_one.start_date) - datetime.fromisoformat(on_air.start_date)
    assert began.total_seconds() == pytest.approx((late - 50_000) / RATE, abs=2e-6)


def test_a_piece_keeps_its_date_when_the_clock_is_set_or_the_sound_pauses_later():
    titles, dates = [(123_457, "Rain")], set()
    later = (Epoch(0, EPOCH.wall + 0.1), Epoch(3 * SEGMENT_FRAMES, EPOCH.wall + 60.3), Epoch(10**7, EPOCH.wall + 999.7))
    for first in range(501, 520):
        known = tuple(one for one in later if one.frame < (first - 498) * SEGMENT_FRAMES)
        (one,) = m3u8.loads(media(segments(3, first, known), titles)).segments[0].dateranges
        dates.add((one.id, one.start_date))
    assert dates == {("piece-cafe-123457", date(EPOCH.wall + 0.1 + 123_457 / RATE))}


def test_the_first_playlist_leads_to_the_bit_rates_with_the_listeners_id():
    playlist = m3u8.loads(master((160, 64), "stations/piano/hls/", "ann-1"))
    assert playlist.is_variant
    assert playlist.is_independent_segments
    assert [one.uri for one in playlist.playlists] == [f"stations/piano/hls/{k}.m3u8?listener=ann-1" for k in (160, 64)]
    assert [one.stream_info.bandwidth for one in playlist.playlists] == [172_000, 76_000]
    assert {one.stream_info.codecs for one in playlist.playlists} == {"mp4a.40.2"}
    assert "?" not in master((160,), "", None)
