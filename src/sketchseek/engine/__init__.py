"""Model folders and the encoder that reads them with onnxruntime, without torch."""

from sketchseek.engine.encoder import Encoder, load
from sketchseek.engine.folder import EngineError
from sketchseek.engine.models import DEFAULT, find_model, list_models

__all__ = ["DEFAULT", "Encoder", "EngineError", "find_model", "list_models", "load"]
