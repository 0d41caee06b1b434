"""What the tests of songs share."""

from lullwave.engines.linear import int8_available

RATE = 32000  # frames per second
EXACT = "int8" if int8_available() else "float32"  # precisions whose rows do not depend on the batch


def tokens(stream):
    """The tokens (K, S) of a stream that have been decided so far."""
    song = stream._song
    return song.tokens[:, : song.step - song.base - song.lag].copy()
