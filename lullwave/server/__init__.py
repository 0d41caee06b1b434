"""The HTTP and websocket side; the only place that knows the web framework."""
