"""A server that passes on the stations of another one: their MP3 frames, events, facts and HLS."""
