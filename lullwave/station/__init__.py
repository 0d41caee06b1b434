"""The endless programme: rendered ahead by one thread, mastered and encoded at the air edge by another.

::

    engine ─▶ feed ─▶ reader ─▶ producer ─▶ reserve ─▶ air ─▶ Aired: chunk, mastered sound, marks
             station  waits,   ladder: who   unmastered   clock, master,
             frames   ahead    is heard      music ahead  encoder

Knows nothing of HTTP or of listeners.
"""

from .adapter import CHANNELS, RATE
from .archive_engine import RECYCLED, Recycler
from .failover import Cause, Rung, Standing
from .playout import CHUNK_FRAMES, CHUNK_S, Aired, Epoch
from .reserve import State as MusicState
from .station import Event, Now, Station
from .steering import Steered

__all__ = [
    "CHANNELS",
    "CHUNK_FRAMES",
    "CHUNK_S",
    "RATE",
    "RECYCLED",
    "Aired",
    "Cause",
    "Epoch",
    "Event",
    "MusicState",
    "Now",
    "Recycler",
    "Rung",
    "Standing",
    "Station",
    "Steered",
]
