"""Decodes five minutes of HLS and compares them with what the station made. In this process, on a simulated clock.

The embedded engine plays; the segments are those that the server would send. ``frames_off``: difference between the
number of samples decoded and made. ``lag``: samples by which the decoded sound is late, by correlation. ``join_db``:
mean error of the two packets around a join of segments, against that of all others; ``pairs_db``: the range of the same
figure for every other pair of places in a segment; ``worst_join_db``: the largest error of a packet at a join, against
the largest of all others. Needs the extra ``media``.
"""

from __future__ import annotations

import argparse
import asyncio
import io
from collections.abc import Iterable

import numpy as np

from lullwave.clock import SimulatedClock
from lullwave.codecs.fragmented_mp4 import PACKET_FRAMES, header
from lullwave.engines import load_engine
from lullwave.server.hls.feed import KBPS
from lullwave.server.hls.playlists import PACKETS, SEGMENT_FRAMES
from lullwave.server.hls.playout_feed import PlayoutHls
from lullwave.settings import load
from lullwave.station import CHANNELS, RATE, PlayoutStep, Station

from ..measure import report

STEP_S = 2.0
LAG_FRAMES = 2**18  # of sound that are correlated to find the lag


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    given = parser.parse_args()
    steps: list[PlayoutStep] = []
    segments = asyncio.run(played(given.seconds, steps))
    made = np.concatenate([step.mastered for step in steps])
    report("hls sound", [compared(kbps, segments[kbps], made, steps[0].mastered_frame) for kbps in KBPS])


async def played(seconds: float, steps: list[PlayoutStep]) -> dict[int, dict[int, bytes]]:
    """What a station puts on air in ``seconds``: as ``steps``, and as segments of each bit rate by first frame."""
    settings, clock = load({"log_level": "error", "seed": 1}), SimulatedClock()
    engine = load_engine("synth")
    station = Station(settings.stations[0], settings, lambda name: engine, clock)
    feed = PlayoutHls()
    feed.keep(True)
    station.subscribe(steps.append)
    station.subscribe(feed.add)
    found: dict[int, dict[int, bytes]] = {kbps: {} for kbps in KBPS}
    station.set_listening(True)
    try:
        while not steps or len(steps) * len(steps[0].mastered) < seconds * RATE:
            clock.advance(STEP_S)
            await asyncio.sleep(0)
            if steps and steps[-1].block.frame > 10 * RATE:
                for kbps in KBPS:
                    for one in await feed.segments(kbps):
                        found[kbps].setdefault(one.frame, feed.find(one.name) or b"")
    finally:
        station.stop()
        station.join()
        feed.close()
    return found


def compared(kbps: int, segments: dict[int, bytes], made: np.ndarray, begin: int) -> dict[str, float | str]:
    """The row of one bit rate; ``made`` (T, 2) begins at the station frame ``begin``."""
    heard = decoded([header(RATE, CHANNELS, kbps), *segments.values()])
    at = min(segments) - begin  # of the first decoded sample, in `made`
    skip = max(0, -at)
    length = min(len(heard) - skip, len(made) - at - skip)
    sound, reference = heard[skip : skip + length], made[at + skip : at + skip + length]
    error = np.square(sound - reference).mean(axis=1)
    packets = error[: length // PACKET_FRAMES * PACKET_FRAMES].reshape(-1, PACKET_FRAMES).mean(axis=1)
    place = (np.arange(len(packets)) + skip // PACKET_FRAMES) % PACKETS
    settled = np.arange(len(packets)) >= 2 * PACKETS
    joins = settled & np.isin(place, (PACKETS - 1, 0))
    others = settled & ~joins
    pairs = [packets[settled & np.isin(place, (p, p + 1))].mean() for p in range(1, PACKETS - 2)]
    pairs_db = 10 * np.log10(np.array(pairs) / packets[others].mean())
    return {
        "kbps": kbps,
        "segments": len(segments),
        "seconds": round(len(heard) / RATE, 1),
        "frames_off": len(heard) - (max(segments) + SEGMENT_FRAMES - min(segments)),
        "lag": lag(sound[RATE:], reference[RATE:]),
        "error_db": round(float(10 * np.log10(error.mean() / np.square(reference).mean())), 1),
        "join_db": round(float(10 * np.log10(packets[joins].mean() / packets[others].mean())), 2),
        "pairs_db": f"{pairs_db.min():.2f} to {pairs_db.max():.2f}",
        "worst_join_db": round(float(10 * np.log10(packets[joins].max() / packets[others].max())), 2),
    }


def decoded(files: Iterable[bytes]) -> np.ndarray:
    """(T, 2) by FFmpeg's decoder."""
    import av

    with av.open(io.BytesIO(b"".join(files))) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1).T


def lag(sound: np.ndarray, reference: np.ndarray) -> int:
    """By how many samples ``sound`` is later than ``reference``."""
    one, other = sound[:LAG_FRAMES, 0], reference[:LAG_FRAMES, 0]
    size = 2 * LAG_FRAMES
    found = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)))
    at = int(np.argmax(found))
    return at if at < LAG_FRAMES else at - size


if __name__ == "__main__":
    main()
