"""The numbers of a relay's playlists as an independent parser reads them."""

import m3u8

from lullwave.server.relay.hls_numbers import HlsNumbers


def playlist(number: int, jumps: int, count: int = 3, jump_before: int | None = None) -> bytes:
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:2",
        f"#EXT-X-MEDIA-SEQUENCE:{number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{jumps}",
    ]
    for at in range(count):
        lines += ["#EXT-X-DISCONTINUITY"] * (at == jump_before)
        lines += ["#EXTINF:1.996916,", f"cafe-160-{number + at}.m4s"]
    return "\n".join([*lines, ""]).encode()


def told(data: bytes) -> tuple[int, int]:
    parsed = m3u8.loads(data.decode())
    return parsed.media_sequence, parsed.discontinuity_sequence


def test_the_origins_playlists_are_untouched_while_their_numbers_are_larger_than_all_before():
    numbers = HlsNumbers()
    for first in (100, 101, 105):
        data = playlist(first, 7)
        assert numbers.passed("160.m3u8", data) is data
    assert (numbers.next, numbers.next_jumps) == (108, 8)
    numbers.follow_own(120, 9)
    data = playlist(120, 9)
    assert numbers.passed("64.m3u8", data) is data


def test_they_go_on_after_music_of_the_relay_and_both_bit_rates_keep_the_same_numbers():
    numbers = HlsNumbers()
    numbers.passed("160.m3u8", playlist(100, 7))
    numbers.follow_own(150, 20)
    first = playlist(110, 7, jump_before=1)
    given = numbers.passed("160.m3u8", first)
    assert told(given) == (150, 20)
    assert numbers.passed("160.m3u8", first) is given  # one reply for all listeners
    assert (numbers.next, numbers.next_jumps) == (153, 22)
    assert told(numbers.passed("64.m3u8", playlist(111, 7, jump_before=0))) == (151, 20)
    assert told(numbers.passed("160.m3u8", playlist(112, 8))) == (152, 21)
    segments = [one.uri for one in m3u8.loads(given.decode()).segments]
    assert segments == [f"cafe-160-{n}.m4s" for n in (110, 111, 112)]
    numbers.follow_own(160, 30)  # away and back again
    assert told(numbers.passed("160.m3u8", playlist(113, 8))) == (160, 30)


def test_what_is_no_such_playlist_is_passed_on_as_it_is():
    numbers = HlsNumbers()
    numbers.follow_own(10, 10)
    assert numbers.passed("160.m3u8", b"#EXTM3U\n") == b"#EXTM3U\n"
    assert told(numbers.passed("160.m3u8", playlist(1, 1))) == (10, 10)
