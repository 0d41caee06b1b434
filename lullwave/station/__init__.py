"""The endless programme: rendered ahead by one thread, mastered and encoded at the air edge by another.

::

    engine ─▶ feed ─▶ reader ─▶ producer ─▶ reserve ─▶ air ─▶ Aired: chunk, mastered sound, marks
             station  waits,   ladder: who   unmastered   clock, master,
             frames   ahead    is heard      music ahead  encoder

Knows nothing of HTTP or of listeners.
"""

from .air import CHUNK_FRAMES, CHUNK_S, Aired, Epoch
from .feed import CHANNELS, RATE
from .ladder import Cause, Rung, Standing
from .recycler import RECYCLED, Recycler
from .reserve import State as MusicState
from .station import Event, Now, Station
from .turning import Steered

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
