"""What the system refuses for want of resources is a 503; other errors of the system are our own."""

import errno

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sketchseek.errors import SketchseekError
from sketchseek.server.errors import install_handlers
from tests.server.uploads import refusal


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO])
def test_a_system_without_resources_is_busy(number: int) -> None:
    app = FastAPI()
    install_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise OSError(number, "refused")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/")
    if number == errno.EIO:
        assert answer.status_code == 500
    else:
        assert "at its limit" in refusal(answer, 503) and answer.headers["retry-after"] == "1"


def test_an_error_may_name_a_file_whose_name_is_not_text() -> None:
    app = FastAPI()
    install_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise SketchseekError("/models/\udcff is damaged.")

    with TestClient(app) as client:
        assert refusal(client.get("/"), 422) == r"/models/\xff is damaged."
