"""MusicGen: many endless, steerable songs on one loaded model (extra ``ai``).

::

    engine.py           loads a checkpoint and begins songs
    stream.py           reads, steers, forks and saves one song
    song.py             the state of a song: tokens, windows, decoded chunks
    prompt_schedule.py  the prompts of a song at every step, and its windows
    scheduler.py        continuous batching of songs on one thread
    prefill.py          fills cache slots with the past of a song
    stepper.py          one step of many songs, on a CPU or a GPU
    sampling.py         logits to tokens
    conditioner.py      prompts to what the decoder attends to
    audio_prompt.py     audio to continue or to follow
    chunk_decoder.py    tokens to chunks of samples
    snapshot.py         songs to bytes and back
    options.py          options and description
    model/              the networks: decoder, codec, text encoder, their weights
"""
