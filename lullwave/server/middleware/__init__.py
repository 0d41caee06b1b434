"""Middleware, one per module: what happens to every request before its route, and to every reply after it."""
