"""Files on disk, replaced atomically, packed within limits, downloaded with resumption; stores of objects."""
