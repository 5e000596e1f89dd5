"""Show a result: an HTML page, and figures for a paper."""
