"""A CLIP seen as parts one can prompt.

``backbone``: the image tower, the text tower and the temperature. ``adaptation``: what a method attaches to a tower.
``weights``: backbones from folders, files and the hub. ``encoder``: the zero-shot model.
``catalog`` and ``fetch`` need no torch.
"""
