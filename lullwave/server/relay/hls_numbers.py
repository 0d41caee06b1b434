"""The numbers in the HLS playlists of a relay: they never decrease (RFC 8216, 6.2.2), whichever of the two plays.

A run of the relay's own music begins with the next number, or with a larger one that follows the time of day. The
origin's playlists keep their numbers while those are larger than all before; otherwise an offset is added to them.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"(?m)^#EXT-X-MEDIA-SEQUENCE:(\d+)")
_JUMPS = re.compile(rb"(?m)^#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)")


class HlsNumbers:
    """Counts on over the playlists of one station. Event loop only."""

    def __init__(self) -> None:
        self.next = 0  # media sequence number: larger than all that were told
        self.next_jumps = 0  # discontinuity sequence number: likewise
        self._offset = self._jumps_offset = 0  # what is added to the origin's
        self._switched = False  # the origin's next playlist follows music of this server
        self._passed: dict[str, tuple[bytes, bytes]] = {}  # by name: the newest playlist, and what was made of it

    def follow_own(self, next_number: int, next_jumps: int) -> None:
        """The origin plays again, after music of this server with numbers below these."""
        self.next, self.next_jumps = max(self.next, next_number), max(self.next_jumps, next_jumps)
        self._switched = True
        self._passed.clear()

    def passed(self, name: str, playlist: bytes) -> bytes:
        """A playlist of the origin as listeners get it: the same object as long as ``playlist`` is the same."""
        if name not in self._passed or self._passed[name][0] is not playlist:
            self._passed[name] = playlist, self._numbered(playlist)
        return self._passed[name][1]

    def _numbered(self, playlist: bytes) -> bytes:
        number, jumps = _NUMBER.search(playlist), _JUMPS.search(playlist)
        if number is None or jumps is None:
            return playlist
        first, first_jumps = int(number[1]), int(jumps[1])
        if self._switched:
            self._switched = False
            self._offset = max(self._offset, self.next - first)
            self._jumps_offset = max(self._jumps_offset, self.next_jumps - first_jumps)
        first, first_jumps = first + self._offset, first_jumps + self._jumps_offset
        self.next = max(self.next, first + playlist.count(b"#EXTINF:"))
        self.next_jumps = max(self.next_jumps, first_jumps + playlist.count(b"#EXT-X-DISCONTINUITY\n") + 1)
        if not (self._offset or self._jumps_offset):
            return playlist
        playlist = _NUMBER.sub(b"#EXT-X-MEDIA-SEQUENCE:%d" % first, playlist)
        return _JUMPS.sub(b"#EXT-X-DISCONTINUITY-SEQUENCE:%d" % first_jumps, playlist)
