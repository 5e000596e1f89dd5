"""A graph ready to run: onnxruntime with the right threads on the execution provider that is wanted."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError

Array = NDArray[Any]
VARIABLE = "SKETCHSEEK_PROVIDER"


class Session(Protocol):
    """One graph."""

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        """Named inputs -> the outputs asked for."""


class OrtSession:
    """A graph in onnxruntime. Safe to call from several threads."""

    def __init__(self, graph: bytes, provider: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1  # the graphs are chains
        # A waiting thread sleeps: whoever decodes the next pictures can use its core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # errors are raised, not printed
        self._provider = provider
        full = f"{provider}ExecutionProvider"
        providers = [full] if provider == "CPU" else [full, "CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=providers)
        except Exception as error:  # the library raises kinds of its own
            raise EngineError(f"onnxruntime cannot open this model on {provider}: {_reason(error)}") from None
        if full not in self._session.get_providers():
            raise EngineError(f"the execution provider {provider} does not start here: set {VARIABLE}=CPU")

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> list[Array]:
        try:
            found: list[Array] = self._session.run(list(outputs), dict(inputs))
        except Exception as error:
            raise EngineError(f"onnxruntime fails to run this model on {self._provider}: {_reason(error)}") from None
        return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def pick_provider(provider: str | None = None) -> str:
    """The execution provider: as named, as SKETCHSEEK_PROVIDER says, else CPU. "CUDA", "CoreML", ..."""
    wanted = (provider or os.environ.get(VARIABLE) or "CPU").removesuffix("ExecutionProvider")
    if wanted.lower() == "cpu":
        return "CPU"  # always there: nothing heavy is imported to find out
    import onnxruntime

    there = {name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()}
    found: str | None = {name.lower(): name for name in there}.get(wanted.lower())
    if found is None:
        names = ", ".join(sorted(there))
        raise EngineError(f"{VARIABLE}={wanted}: onnxruntime has no such execution provider here, it has {names}")
    return found
