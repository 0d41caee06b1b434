"""One PostgreSQL server for all tests of the history."""

from history_places import place, postgres_server, postgres_url  # noqa: F401 (fixtures)
