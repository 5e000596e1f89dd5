"""Get vectors: encode pictures with a model, keep vectors between runs, or read them from a file."""
