"""Run a graph: onnxruntime with a number of threads on an execution provider."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sketchseek.engine.folder import EngineError
from sketchseek.engine.weights import SharedWeights
from sketchseek.installation import install_command, uninstall_command

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
    """A graph in onnxruntime. Safe to call from several threads.

    ``weights``: the file of the weights that lie outside the graph.
    """

    def __init__(self, graph: bytes, provider: str, threads: int, weights: SharedWeights | None = None) -> None:
        import onnxruntime

        if b"location" in graph and _reads_another_file(graph, weights):  # the first test is fast
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
        if weights is not None:
            # Nothing lies in this folder: a tensor that is not in ``weights`` is an error.
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
            # onnxruntime accepts only tensors of this graph; 8 is the field of protobuf with the name of a tensor.
            tensors = {
                name: tensor
                for name, tensor in weights.tensors().items()
                if b"\x42" + bytes([len(name.encode()) & 127]) + name.encode() in graph
            }
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
            options.add_external_initializers(list(tensors), values)
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


def _reads_another_file(graph: bytes, weights: SharedWeights | None) -> bool:
    """Whether a tensor of the graph lies in a file other than ``weights``."""
    own = b""
    if weights is not None:
        # The whole entry "location" of a tensor, lengths included, so that nothing can follow in it.
        name = weights.file.encode()
        entry = b"\x0a\x08location\x12" + bytes([len(name)]) + name
        own = b"\x6a" + bytes([len(entry)]) + entry
    found = sum(1 for _ in _EXTERNAL.finditer(graph))
    return found > (graph.count(own) if own else 0)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


# What people type -> (onnxruntime's name of the provider, the package that has it).
DEVICES: Mapping[str, tuple[str, str]] = {
    "cpu": ("CPU", "onnxruntime"),
    "cuda": ("CUDA", "onnxruntime-gpu"),
    "coreml": ("CoreML", "onnxruntime"),  # on a Mac
    "directml": ("Dml", "onnxruntime-directml"),
    "openvino": ("OpenVINO", "onnxruntime-openvino"),
}

# Pictures in one run of a graph: a graphics card is idle with few; more than these gain nothing on a processor.
_BATCHES: Mapping[str, int] = {"CUDA": 64, "Dml": 32, "CoreML": 16, "OpenVINO": 16}
CPU_BATCH = 16


def batch_of(provider: str) -> int:
    """How many pictures to give to a graph at once."""
    return _BATCHES.get(provider, CPU_BATCH)


def pick_provider(provider: str | None = None) -> str:
    """The name of an execution provider ("CUDA", "CoreML", ...): by default $SKETCHSEEK_PROVIDER, else CPU.

    ``provider``: such a name, or a device as people type it (``DEVICES``), in any case.
    """
    requested = (provider or os.environ.get(VARIABLE) or "CPU").removesuffix("ExecutionProvider")
    full, package = DEVICES.get(requested.lower(), (requested, ""))
    if full.lower() == "cpu":
        return "CPU"  # always available, so onnxruntime need not be imported
    available = available_providers()
    found: str | None = {name.lower(): name for name in available}.get(full.lower())
    if found is None:
        raise EngineError(_why_not(requested, package, available))
    return found


def available_providers() -> list[str]:
    """The execution providers of the onnxruntime that is installed, best first."""
    import onnxruntime

    return [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]


def _why_not(requested: str, package: str, available: Sequence[str]) -> str:
    if not package:
        return (
            f"{VARIABLE}={requested}: onnxruntime has no such execution provider on this machine; choose one of "
            f"{', '.join(sorted(available))}"
        )
    if package == "onnxruntime":
        return f"--device {requested.lower()}: the onnxruntime of this system does not have it, that of a Mac does"
    return (
        f"--device {requested.lower()} needs {package} in place of onnxruntime; run: "
        f"{uninstall_command('onnxruntime')}, then {install_command(package)}"
    )
