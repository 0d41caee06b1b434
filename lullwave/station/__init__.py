"""The endless programme: rendered ahead by one thread, mastered and encoded by another.

::

    engine ─▶ StationStream ─▶ Source ─▶ Producer ─▶ Reserve ─▶ Playout ─▶ PlayoutStep
              station's rate   reads     failover,   unmastered  clock,     chunk, mastered
              and frames       ahead     crossfades  music       master,    sound, marks
                                                                 encoder

Knows nothing of HTTP or of listeners.
"""

from .adapter import CHANNELS, RATE
from .archive_engine import ArchiveEngine
from .events import Event, NowPlaying
from .failover import Cause, FailoverStatus, Tier
from .forking import Fork
from .output import Chunk, ChunkEncoder, Made, Output, OutputLevels, OutputPoint
from .playout import CHUNK_FRAMES, CHUNK_S, Epoch, PlayoutStep
from .station import Station
from .steering import SteerResult

__all__ = [
    "CHANNELS",
    "CHUNK_FRAMES",
    "CHUNK_S",
    "RATE",
    "ArchiveEngine",
    "Cause",
    "Chunk",
    "ChunkEncoder",
    "Epoch",
    "Event",
    "FailoverStatus",
    "Fork",
    "Made",
    "NowPlaying",
    "Output",
    "OutputLevels",
    "OutputPoint",
    "PlayoutStep",
    "Station",
    "SteerResult",
    "Tier",
]
