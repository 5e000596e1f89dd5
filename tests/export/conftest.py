from tests.engine.conftest import exported, photos, sketches  # noqa: F401 - fixtures
