"""The networks of MusicGen and their weights; know nothing of songs and schedules."""
