import pytest


@pytest.fixture(autouse=True, scope="session")
def converter_that_hides_nothing():
    """The converter copies the graph before each of its optimisations, to go on without one that fails. Here it must
    not fail: so nothing is copied either, which saves a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF2ONNX_CATCH_ERRORS", "FALSE")
        yield
