"""The OpenAPI schema as the server gives it: python -m tests.server.schema > docs/openapi.json"""

import json
import tempfile
from pathlib import Path

from sketchseek.gallery import Gallery
from sketchseek.server.app import create_app
from sketchseek.server.processes.indexing import Indexing
from sketchseek.server.query_encoder import QueryEncoder
from sketchseek.server.service import Service
from sketchseek.server.thumbnails import Thumbnails
from tests.gallery.grid_model import GridModel


def schema() -> str:
    """As text, the same on every run."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = QueryEncoder(GridModel())
        gallery = Gallery.open(Path(folder) / "gallery", encoder)
        service = Service(gallery, encoder, Indexing(), Thumbnails(Path(folder) / "cache", 0))
        found = create_app(service).openapi()
        service.close()
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
