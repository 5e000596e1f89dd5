"""Measure retrieval: metrics with one definition per name, exact and independent of order."""
