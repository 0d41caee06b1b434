"""Files on disk: replaced atomically, read as JSON, packed and unpacked within limits, downloaded with resumption."""
