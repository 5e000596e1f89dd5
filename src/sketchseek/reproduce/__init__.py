"""Repeat a row of a published table, or one of ours: check the data, train, evaluate, compare, report."""
