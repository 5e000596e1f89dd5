"""The web page and the HTTP API of a gallery, safe to leave running: see docs/guide/server.md."""
