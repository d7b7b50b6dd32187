"""Every way in which a model file can fail to load, through the command that is quickest to get there."""

import sys

import pytest

HOUSE_LAYERS = """
import keras

print("hello from the module")

@keras.saving.register_keras_serializable(package="house")
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


@pytest.fixture
def house_model_path(tmp_path, monkeypatch):
    """A model with a class that this process has forgotten again; its module lies in the working folder."""
    import keras

    (tmp_path / "house_layers.py").write_text(HOUSE_LAYERS)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        import house_layers

        inputs = keras.Input((None, 5), name="sounds")
        outputs = house_layers.Doubling(name="doubling")(inputs)
        keras.Model(inputs, outputs, name="house").save(tmp_path / "house.keras")
    _forget()
    yield tmp_path / "house.keras"
    _forget()


def _forget():
    import keras

    sys.modules.pop("house_layers", None)
    keras.saving.get_custom_objects().pop("house>Doubling", None)


def test_an_unknown_class_is_named_with_the_option_that_helps(keras_seq_command, house_model_path):
    done = keras_seq_command("explain", house_model_path)
    assert (done.code, done.out) == (2, "")
    last = done.err.splitlines()[-1]
    assert "house.keras uses 'Doubling', which Keras does not know. Give --import MODULE" in last


def test_import_loads_a_module_of_the_working_folder_and_keeps_its_prints_off_stdout(
    keras_seq_command, house_model_path
):
    done = keras_seq_command("explain", house_model_path, "--import", "house_layers")
    assert done.code == 0, done.err
    assert "doubling" in done.out
    assert "hello" not in done.out
    assert "hello from the module" in done.err


def test_a_module_that_is_not_there_is_told_apart_from_one_that_fails(keras_seq_command, house_model_path, tmp_path):
    done = keras_seq_command("explain", house_model_path, "--import", "hose_layers")
    assert done.code == 2
    assert "--import hose_layers: there is no such module here." in done.err
    (tmp_path / "failing_layers.py").write_text("import no_such_package_at_all\n")
    done = keras_seq_command("explain", house_model_path, "--import", "failing_layers")
    assert done.code == 2
    assert "ModuleNotFoundError: No module named 'no_such_package_at_all'" in done.err


def test_python_code_in_a_model_is_not_run(keras_seq_command, tmp_path):
    import keras

    keras.Sequential([keras.Input((None, 5)), keras.layers.Lambda(lambda x: 2 * x)]).save(tmp_path / "code.keras")
    done = keras_seq_command("explain", tmp_path / "code.keras")
    assert (done.code, done.out) == (2, "")
    assert "holds Python code (a Lambda layer), which is not run unasked." in done.err.splitlines()[-1]


def test_what_is_no_model_file_is_said_before_anything_heavy_happens(keras_seq_command, model_path, tmp_path):
    cut = tmp_path / "cut.keras"
    cut.write_bytes(model_path.read_bytes()[:1000])
    cases = {
        tmp_path / "nowhere.keras": "does not exist",
        tmp_path: "is a folder, not a model file",
        cut: "is no model file of Keras, or it is damaged",
    }
    for path, message in cases.items():
        done = keras_seq_command("explain", path)
        assert done == (2, "", f"keras-seq explain: {path} {message}. Save the model with model.save('model.keras'), "
                               "and give that file.\n")  # fmt: skip
