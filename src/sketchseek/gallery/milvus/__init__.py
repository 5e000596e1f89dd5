"""The gallery on a Milvus server: the same face for many machines, and for more vectors than one can hold."""
