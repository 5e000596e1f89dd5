"""The processes that the server starts: they open pictures and index photos."""
