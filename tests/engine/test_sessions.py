"""Where a model runs: the device that people name, and the sentence for one that is not there."""

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

from sketchseek.cli import cli
from sketchseek.engine import Encoder, EngineError
from sketchseek.engine.sessions import DEVICES, VARIABLE, OrtSession, batch_of, pick_provider
from sketchseek.installation import install_command, uninstall_command
from sketchseek.pictures import Sketch


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What onnxruntime says it has; change the list."""
    found = ["CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: found)
    monkeypatch.delenv(VARIABLE, raising=False)
    return found


@pytest.mark.parametrize(
    ("named", "provider"),
    [("cpu", "CPU"), ("cuda", "CUDA"), ("CUDA", "CUDA"), ("coreml", "CoreML"), ("CUDAExecutionProvider", "CUDA")],
)
def test_a_device_gives_its_provider(
    named: str, provider: str, providers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pick_provider(named) == provider
    monkeypatch.setenv(VARIABLE, named)
    assert pick_provider() == provider


def test_others_of_onnxruntime_are_found_by_their_own_name(providers: list[str]) -> None:
    providers[:] = ["DmlExecutionProvider", "OpenVINOExecutionProvider", "ROCMExecutionProvider"]
    assert [pick_provider(name) for name in ("directml", "dml", "openvino", "rocm")] == [
        "Dml",
        "Dml",
        "OpenVINO",
        "ROCM",
    ]


def test_without_a_device_it_is_the_processor(providers: list[str]) -> None:
    assert pick_provider() == "CPU"


@pytest.mark.parametrize("device", ["cuda", "directml", "openvino"])
def test_a_missing_device_names_the_package(device: str, providers: list[str]) -> None:
    providers[:] = ["CPUExecutionProvider"]
    with pytest.raises(EngineError) as caught:
        pick_provider(device)
    assert f"pip install {DEVICES[device][1]}" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_device_of_a_mac_says_so(providers: list[str]) -> None:
    providers[:] = ["CPUExecutionProvider"]
    with pytest.raises(EngineError, match=r"--device coreml: .*Mac"):
        pick_provider("coreml")


def test_batches_fit_the_provider() -> None:
    assert batch_of("CUDA") > batch_of("CPU") == batch_of("anything else") == 16


def test_the_batch_of_a_provider_reaches_the_graph(exported: Encoder, sketches: list[Sketch]) -> None:
    expected = exported.encode_sketches(sketches)
    sizes: list[int] = []

    class Counting(OrtSession):
        def __call__(self, inputs, outputs):
            sizes.append(len(next(iter(inputs.values()))))
            return super().__call__(inputs, outputs)

    model = Encoder(exported.folder, exported.record, name="tiny", provider="CPU", threads=1)
    model.batch = 2
    name = exported.record.graphs["sketch"]
    model._sessions[name] = Counting((exported.folder / name).read_bytes(), "CPU", 1, model.weights_of(name))
    np.testing.assert_allclose(model.encode_sketches(sketches), expected, atol=1e-5)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("verb", ["index", "search", "serve"])
def test_commands_stop_at_a_missing_device_before_they_begin(verb: str, providers: list[str]) -> None:
    providers[:] = ["CPUExecutionProvider"]
    done = CliRunner().invoke(cli, [verb, "--device", "cuda"])
    assert isinstance(done.exception, EngineError) and "needs onnxruntime-gpu in place" in str(done.exception)
    commands = f"; run: {uninstall_command('onnxruntime')}, then {install_command('onnxruntime-gpu')}"
    assert str(done.exception).endswith(commands)
    assert CliRunner().invoke(cli, [verb, "--device", "abacus"]).exit_code == 2
