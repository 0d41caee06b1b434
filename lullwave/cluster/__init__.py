"""Engines and stations on a Ray cluster (extra ``ray``): the actors, and the commands that start and stop them.

::

    config.py         what runs on the cluster
    engine_actor.py   an actor with one engine
    station_actor.py  an actor that makes the music of one station into a store
    stations.py       the actors of stations: started from the settings of the servers
    actors.py         what the pool knows of an actor
    pool.py           the actor that starts the others, chooses one for each stream, and scales
    scaling.py        how many actors a pool should have
    control.py        up, status and down

The engine that plays them is ``lullwave.engines.cluster``.
"""
