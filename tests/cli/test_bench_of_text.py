"""`bench` on a graph that takes texts too: ids are what it is timed with."""

import json

from tests.serving.toy_text import write_tagger


def test_a_graph_that_takes_texts_is_timed_on_ids(keras_seq_command, tmp_path, without_export_extra):
    path = write_tagger(tmp_path / "tagger", strings=True)
    done = keras_seq_command("bench", path, "--batch", "2", "--time", "3", "--rounds", "1", "--json")
    assert done.code == 0, done.err
    results = json.loads(done.out)["results"]
    assert [row["name"] for row in results] == ["bundle, Predictor", "bundle, plain onnxruntime"]
    assert [row["max_abs_diff"] for row in results] == [0, 0]
