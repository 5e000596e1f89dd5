"""Write a model folder, which search reads without torch, from a run folder or a backbone."""

from sketchseek.export.write import export

__all__ = ["export"]
