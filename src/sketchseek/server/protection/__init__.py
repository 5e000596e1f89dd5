"""Limits and checks that protect the server from other sites and from costly requests."""
