"""The gallery on a Milvus server, for many machines, and for more vectors than one machine can hold."""
