import pytest


@pytest.fixture(autouse=True, scope="session")
def converter_that_hides_nothing():
    """The converter may go on without an optimisation of its own that fails. Here none must fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF2ONNX_CATCH_ERRORS", "FALSE")
        yield
