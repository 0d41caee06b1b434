"""The endless programme: rendered ahead by one thread, mastered and encoded at the air edge by another.

::

    engine ─▶ feed ─▶ producer ─▶ reserve ─▶ air ─▶ Aired: chunk, mastered sound, marks
             station   fills, turns,  unmastered   clock, master,
             frames    replaces       music ahead   encoder

Knows nothing of HTTP or of listeners.
"""

from .air import CHUNK_FRAMES, CHUNK_S, Aired, Epoch
from .feed import CHANNELS, RATE
from .producer import Steered
from .reserve import State as MusicState
from .station import Event, Now, Station

__all__ = [
    "CHANNELS",
    "CHUNK_FRAMES",
    "CHUNK_S",
    "RATE",
    "Aired",
    "Epoch",
    "Event",
    "MusicState",
    "Now",
    "Station",
    "Steered",
]
