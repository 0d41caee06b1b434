"""What the synth can play, one record each: pitched instruments, drums and kits; renders nothing.

To add an instrument: its name in ``instrument.py``, its record in the file of its group (``strings.py``…), and a render
function of the same name in the file of its family, ``sound/instruments/<family>.py``. Prompts, casting, mix and MIDI
read the record. ``planning/styles.py`` decides which styles choose it unasked.
"""
