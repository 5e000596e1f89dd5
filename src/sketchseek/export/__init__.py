"""Write a model folder: from a run folder or a backbone, with torch, for search to use without."""

from sketchseek.export.write import export

__all__ = ["export"]
