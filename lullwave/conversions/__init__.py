"""Conversions between files: clips out of a sound, sound to spectrogram image and back, the parts of a mix.

The command line and the server's jobs use the same functions. They check and make; they print nothing.
"""
