"""The inference server: any engine for other machines, in the old dialects and in ``lullwave.v1``.

::

    app.py         the application: routes and their life
    gate.py        who may come in
    session.py     one connection that speaks lullwave.v1
    playing.py     one stream of a session, and the commands that it is given
    batches.py     five clips at a time, for who knows nothing else
    plain.py       the old dialects: a websocket, and HTTP
    turns.py       which of all these is worked for next
    run.py         the server process
"""
