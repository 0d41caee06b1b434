"""Engines in another process or on another machine.

::

    protocol.py      encodes and decodes the messages of the protocol lullwave.v1, for both of its ends
    connection.py    one connection that speaks it
    engine.py        the engine: connects, and detects which protocol the server speaks
    stream.py        a stream whose blocks arrive over a connection
    legacy.py        servers of the two older protocols, which send whole clips
    process.py       an inference server in a child process, restarted when it ends
    isolated.py      an engine in such a process
    options.py       address and options
"""
