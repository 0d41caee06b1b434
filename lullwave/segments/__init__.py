"""The programme of a station in a shared store, and which process produces it."""
