"""What is loaded when: the server must start quickly, and its helpers must stay small."""

import pytest

from tests.cli.test_cli import imported_by

HEAVY = {"torch", "transformers", "matplotlib", "sklearn"}
OF_THE_SERVER = {"fastapi", "uvicorn", "starlette", "prometheus_client"}


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import sketchseek.cli.serve", HEAVY | OF_THE_SERVER | {"numpy"}),
        ("import sketchseek.server.start, sketchseek.server.routes.explain", HEAVY),
        (
            "import sketchseek.server.processes.decoder_child",
            HEAVY | OF_THE_SERVER | {"onnxruntime", "faiss", "sqlite3"},
        ),
        ("import sketchseek.server.processes.index_child", HEAVY | OF_THE_SERVER),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(code: str, never: set[str]) -> None:
    assert not imported_by(code) & never
