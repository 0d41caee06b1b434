"""Stable Audio 3: a diffusion transformer over latents of 44.1 kHz stereo sound, and an endless stream around it."""
