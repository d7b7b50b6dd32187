import json


def test_json_has_what_the_function_finds(keras_seq_command, model_path):
    import keras

    from keras_seq.export import explain

    done = keras_seq_command("explain", model_path, "--json")
    assert done.code == 0, done.err
    expected = explain(keras.saving.load_model(model_path)).to_dict()
    assert json.loads(done.out) == json.loads(json.dumps(expected))


def test_the_table_says_how_each_layer_exports(keras_seq_command, model_path):
    done = keras_seq_command("explain", model_path)
    assert (done.code, done.err) == (0, f"loading {model_path}\n")
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    assert rows["lstm"][1:2] + rows["lstm"][3:4] == ["LSTM", "native"]
    assert rows["embedding"][1:4] == ["Embedding", "keras", "traced"]
