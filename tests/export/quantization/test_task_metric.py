"""Scores of a task, against NumPy."""

import keras
import numpy as np
import pytest

from keras_seq.export.errors import ExportError
from keras_seq.export.quantization.task_metric import Score, TaskMetric
from keras_seq.export.quantization.validation_set import Batch

CLASSES = 7


def batches(shapes=((5, 3), (2, 11)), weights=False):
    """Batches of ids to name, and what a model says, of which about half is right."""
    rng = np.random.default_rng(3)
    made, outputs = [], []
    for shape in shapes:
        targets = rng.integers(0, CLASSES, shape)
        scores = rng.random((*shape, CLASSES)) + 0.2 * np.eye(CLASSES)[targets]
        outputs.append({"tags": (scores / scores.sum(-1, keepdims=True)).astype("float32")})
        made.append(Batch({"x": targets}, targets, rng.random(shape).astype("float32") if weights else None))
    return made, outputs


def right(made, outputs):
    return [b.targets == o["tags"].argmax(-1) for b, o in zip(made, outputs, strict=True)]


def log_losses(made, outputs):
    tables = [(b.targets[..., None], o["tags"]) for b, o in zip(made, outputs, strict=True)]
    return [-np.log(np.take_along_axis(table, targets, -1))[..., 0] for targets, table in tables]


def mean_of_rows(values, weights=None):
    """Of Keras' metrics each row has one share, whatever its length."""
    weights = weights or [np.ones(one.shape) for one in values]
    sums = np.concatenate([(value * weight).mean(-1) for value, weight in zip(values, weights, strict=True)])
    return sums.sum() / np.concatenate([weight.mean(-1) for weight in weights]).sum()


@pytest.mark.parametrize("metric", ["accuracy", "acc", "sparse_categorical_accuracy", "SparseCategoricalAccuracy"])
def test_the_name_of_a_metric_and_the_accuracy_that_suits(metric):
    made, outputs = batches()
    found = TaskMetric(metric)
    expected = mean_of_rows(right(made, outputs))
    assert 0.2 < expected < 0.9
    assert found.name == metric
    assert found.compute(made, outputs) == pytest.approx(expected)
    assert found.drop(made, outputs, expected, 0.5 * expected) == pytest.approx(0.5)  # more is better
    assert found.drop(made, outputs, expected, 1.25 * expected) == pytest.approx(-0.25)


@pytest.mark.parametrize("metric", ["accuracy", keras.losses.SparseCategoricalCrossentropy()])
def test_sample_weights_count(metric):
    made, outputs = batches(weights=True)
    values = right(made, outputs) if metric == "accuracy" else log_losses(made, outputs)
    expected = mean_of_rows(values, [batch.weights for batch in made])
    assert expected != pytest.approx(mean_of_rows(values), abs=1e-3)
    assert TaskMetric(metric).compute(made, outputs) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("metric", [keras.losses.SparseCategoricalCrossentropy(), "sparse_categorical_crossentropy"])
def test_of_losses_less_is_better(metric):
    made, outputs = batches()
    found = TaskMetric(metric)
    assert found.compute(made, outputs) == pytest.approx(mean_of_rows(log_losses(made, outputs)), rel=1e-5)
    assert found.drop(made, outputs, 2.0, 2.5) == pytest.approx(0.25)
    assert found.drop(made, outputs, 2.0, 1.5) == pytest.approx(-0.25)


def test_the_users_own_metric_keeps_its_state():
    made, outputs = batches()
    metric = keras.metrics.SparseCategoricalAccuracy(name="mine")
    metric.update_state(np.array([[1]]), np.eye(CLASSES, dtype="float32")[None, :1])  # one, wrong
    metric.update_state(np.array([[0]]), np.eye(CLASSES, dtype="float32")[None, :1])
    found = TaskMetric(metric)
    assert found.name == "mine"
    for _ in range(2):
        assert found.compute(made, outputs) == pytest.approx(mean_of_rows(right(made, outputs)))
    assert found.drop(made, outputs, 1.0, 0.75) == pytest.approx(0.25)
    assert float(metric.result()) == 0.5


def test_a_metric_of_the_users_own_functions_needs_no_registration():
    made, outputs = batches()

    class Most(keras.metrics.MeanMetricWrapper):
        def __init__(self):
            super().__init__(lambda y, p: keras.ops.max(p, axis=-1))
            self._direction = "up"

    expected = mean_of_rows([one["tags"].max(-1) for one in outputs])
    assert TaskMetric(Most()).compute(made, outputs) == pytest.approx(expected)


def test_a_function_gets_all_batches_together():
    seen = {}

    def metric(targets, outputs):
        seen.update(targets=targets, outputs=outputs)
        return 0.25

    made, outputs = batches(((5, 3), (2, 3)))
    found = TaskMetric(metric)
    assert (found.compute(made, outputs), found.name) == (0.25, "metric")
    np.testing.assert_array_equal(seen["targets"], np.concatenate([batch.targets for batch in made]))
    np.testing.assert_array_equal(seen["outputs"], np.concatenate([one["tags"] for one in outputs]))
    assert found.drop(made, outputs, 0.5, 0.25) == 0.5


def test_a_function_gets_lists_of_rows_where_batches_differ_in_length():
    made, outputs = batches()
    seen = []
    TaskMetric(lambda targets, found: seen.extend((targets, found)) or 1).compute(made, outputs)
    targets, found = seen
    assert [row.shape for row in targets] == [(3,)] * 5 + [(11,)] * 2
    assert [row.shape for row in found] == [(3, CLASSES)] * 5 + [(11, CLASSES)] * 2
    np.testing.assert_array_equal(targets[6], made[1].targets[1])


def test_a_function_gets_several_outputs_and_targets_by_name():
    made, outputs = batches(((5, 3), (2, 3)))
    made = [Batch(b.inputs, {"tags": b.targets, "style": b.targets[:, 0]}) for b in made]
    outputs = [{**one, "style": one["tags"][:, 0]} for one in outputs]

    def metric(targets, found):
        assert targets["style"].shape == (7,)
        assert found["style"].shape == (7, CLASSES)
        return np.mean(targets["tags"] == found["tags"].argmax(-1))

    (hits,) = right([Batch({}, np.concatenate([b.targets["tags"] for b in made]))], [_joined(outputs)])
    assert TaskMetric(metric).compute(made, outputs) == pytest.approx(hits.mean())
    message = r"'accuracy' of Keras compares one target with one output, and there are 2 and 2\. Give a function"
    with pytest.raises(ExportError, match=message):
        TaskMetric("accuracy").compute(made, outputs)


def _joined(outputs):
    return {"tags": np.concatenate([one["tags"] for one in outputs])}


def test_a_score_of_zero_may_stay_and_may_not_fall():
    made, outputs = batches()
    found = TaskMetric("accuracy")
    assert found.drop(made, outputs, 0.0, 0.0) == 0
    assert found.drop(made, outputs, 0.0, 0.5) < 0
    assert TaskMetric("sparse_categorical_crossentropy").drop(made, outputs, 0.0, 0.5) > 1
    assert TaskMetric(lambda t, o: 0).drop(made, outputs, -2.0, -3.0) == 0.5


REFUSED = {
    "a number": (3, r"must be the name of a Keras metric, a keras\.metrics\.Metric or a function.*Received: 3"),
    "an unknown name": ("perplexity", "is no name of a Keras metric. Received: 'perplexity'"),
    "a class": (keras.metrics.SparseCategoricalAccuracy, r"not its class\. Give SparseCategoricalAccuracy\(\.\.\.\)"),
    "NaN": (lambda y, p: float("nan"), r"`metric` \(<lambda>\) must give a finite number\. Received: nan"),
    "infinity": (lambda y, p: np.inf, "must give a finite number. Received: inf"),
    "an array": (lambda y, p: np.ones((5, 3)), r"must give a number\. Received: shape \(5, 3\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_metric_is_refused(case):
    metric, message = REFUSED[case]
    with pytest.raises(ExportError, match=message):
        TaskMetric(metric).compute(*batches())


def test_a_keras_metric_that_becomes_nan_is_refused_too():
    made, outputs = batches()
    outputs[1]["tags"][0, 0] = np.nan
    with pytest.raises(ExportError, match=r"must give a finite number\. Received: nan"):
        TaskMetric("sparse_categorical_crossentropy").compute(made, outputs)


def test_a_metric_of_which_keras_does_not_say_what_is_better_is_refused():
    made, outputs = batches()
    found = TaskMetric(keras.metrics.MeanMetricWrapper(lambda y, p: keras.ops.max(p, axis=-1), name="most"))
    with pytest.raises(ExportError, match=r"does not say whether more of the metric 'most' is better\. Give"):
        found.drop(made, outputs, 1.0, 0.5)


def test_a_score_reads_as_a_line():
    line = str(Score("model", "accuracy", 0.8, 0.796, 0.005))
    assert line == "model: accuracy 0.8000 in float32, 0.7960 quantised, drop +0.50%"
