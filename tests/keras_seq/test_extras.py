import pytest

from keras_seq._extras import naming_extra


def missing(package):
    def load(name):
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    return naming_extra(load, "export", ["onnx", "tf2onnx"])


@pytest.mark.parametrize("package", ["onnx", "tf2onnx", "tf2onnx.tfonnx"])
def test_a_package_of_the_extra_is_named_with_the_line_to_install_it(package):
    top = package.partition(".")[0]
    with pytest.raises(ModuleNotFoundError, match=rf"`export_model` needs {top},.*'keras_seq\[export\]'$") as caught:
        missing(package)("export_model")
    assert caught.value.name == package


def test_any_other_missing_module_is_left_alone():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'keras_seq.export.typo'$"):
        missing("keras_seq.export.typo")("export_model")


def test_what_is_there_is_returned():
    assert naming_extra(len, "export", ["onnx"])("four") == 4
