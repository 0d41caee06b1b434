"""Engines that are elsewhere: in another process or on another machine, behind any of three dialects.

::

    wire.py        the protocol lullwave.v1 as bytes, for both of its ends
    link.py        one connection that speaks it
    engine.py      the engine: finds out which dialect the other side speaks
    stream.py      a stream whose blocks arrive over a link
    crate.py       clips that arrive whole, from servers that know nothing else, read ahead
    clips.py       a stream that joins such clips
    dialects.py    how the two kinds of old servers are asked for clips
    child.py       an inference server in a child process, started again when it ends
    isolated.py    an engine in such a process
"""
