"""Stable Audio 3: a diffusion transformer over latents of 44.1 kHz stereo sound, and an endless stream around it.

::

    engine.py     loads a checkpoint, opens streams, batches their work
    stream.py     reads, steers, forks and saves one stream
    windows.py    how long the next window is
    track.py      the latents of a stream
    snapshot.py   streams to bytes and back
    rework.py     clips made from audio
    pipeline.py   runs the networks for a batch of requests
    sampler.py    steps from noise to latents
    noise.py      noise as a function of seed, step and latent
    openmp.py     threads that sleep while they wait
    options.py    options and description
    model/        the networks: denoiser, autoencoder, text states, their weights
"""
