"""Run a graph: onnxruntime with a number of threads on an execution provider."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError

Array = NDArray[Any]
VARIABLE = "SKETCHSEEK_PROVIDER"

# The key, in any encoding that protobuf reads, under which a tensor names another file or an address in memory.
_EXTERNAL = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")


class Session(Protocol):
    """One graph."""

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Named inputs -> the named outputs."""


class StoppedError(EngineError):
    """A session that cannot be used any more: the next call needs another one."""


class OrtSession:
    """A graph in onnxruntime. Safe to call from several threads."""

    def __init__(self, graph: bytes, provider: str, threads: int) -> None:
        import onnxruntime

        if b"location" in graph and _EXTERNAL.search(graph):  # the first test is fast, and enough for almost all
            raise EngineError(
                "a graph of this model reads weights from another file, which no checksum covers: export the model"
                " with its weights inside the graph"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1  # the graphs are chains
        # A waiting thread sleeps, so that the threads that decode pictures can use its core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # errors are raised, not printed
        self._provider = provider
        full = f"{provider}ExecutionProvider"
        providers = [full] if provider == "CPU" else [full, "CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=providers)
        except Exception as error:  # onnxruntime has error classes of its own
            raise EngineError(f"onnxruntime cannot open this model on {provider}: {_reason(error)}") from None
        if full not in self._session.get_providers():
            raise EngineError(f"the execution provider {provider} does not start on this machine: set {VARIABLE}=CPU")

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        try:
            found: list[Any] = self._session.run(list(outputs), dict(inputs))
        except Exception as error:
            raise EngineError(f"onnxruntime fails to run this model on {self._provider}: {_reason(error)}") from None
        if not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in found):
            raise EngineError(f"a graph of this model computes {', '.join(outputs)} that are no floating-point numbers")
        return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def pick_provider(provider: str | None = None) -> str:
    """The name of an execution provider ("CUDA", "CoreML", ...): by default $SKETCHSEEK_PROVIDER, else CPU."""
    requested = (provider or os.environ.get(VARIABLE) or "CPU").removesuffix("ExecutionProvider")
    if requested.lower() == "cpu":
        return "CPU"  # always available, so onnxruntime need not be imported
    import onnxruntime

    available = {name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()}
    found: str | None = {name.lower(): name for name in available}.get(requested.lower())
    if found is None:
        names = ", ".join(sorted(available))
        raise EngineError(
            f"{VARIABLE}={requested}: onnxruntime has no such execution provider on this machine; choose one of {names}"
        )
    return found
