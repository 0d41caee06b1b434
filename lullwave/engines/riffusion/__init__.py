"""Riffusion: spectrogram images made by a Stable-Diffusion-1.x checkpoint, heard as music."""
