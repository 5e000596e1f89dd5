"""CLIP in torch, as towers that methods can prompt: see ``backbone``, ``towers``, ``adaptation`` and ``weights``."""
