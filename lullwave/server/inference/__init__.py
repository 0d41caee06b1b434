"""The inference server: any engine for other machines, by ``lullwave.v1`` and by two legacy protocols.

::

    app.py             the application: routes, start and stop
    auth.py            the token and origin checks
    session.py         one connection that speaks lullwave.v1
    streams.py         one stream of a session, and its commands
    legacy.py          the legacy protocols: a websocket, and HTTP
    batches.py         batches of five clips for the legacy protocols
    fair_scheduler.py  the worker threads, shared fairly among all clients
    run.py             the server process
"""
