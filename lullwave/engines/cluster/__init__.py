"""Engines on a Ray cluster: ``cluster:NAME`` is an engine whose streams are made by a pool of actors.

::

    options.py       the names of such engines, and the address of the cluster
    calls.py         calls of an actor that block no event loop, also by Ray's client
    connection.py    a connection whose messages travel through an actor's streaming generator, or calls
    engine.py        the engine: each stream on the actor that the pool chooses

The pool and the actors are in ``lullwave.cluster``.
"""
