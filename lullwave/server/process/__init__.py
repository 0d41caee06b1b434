"""The server process: listening sockets, uvicorn and its limits, certificates read again, logs of repeated events."""
