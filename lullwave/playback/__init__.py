"""Sound that is heard while it is made: on this machine's speakers, or at an Icecast server."""
