"""Published weights -> a model folder, without torch. Needs the extra ``clip``; importing this room does not."""

from sketchseek.engine.convert.checkpoint import ConvertError
from sketchseek.engine.convert.source import Description
from sketchseek.engine.convert.write import convert, family

__all__ = ["ConvertError", "Description", "convert", "family"]
