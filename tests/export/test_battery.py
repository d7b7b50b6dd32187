import numpy as np
import pytest

from keras_seq.export.battery import battery, random_inputs
from keras_seq.serving import TensorSpec

pytestmark = pytest.mark.backend("tensorflow")

WORDS = TensorSpec("words", "int32", ("batch", "time"), maximum=22)
MASK = TensorSpec("mask", "bool", ("batch", "time"))
SHAPES = TensorSpec("shapes", "float32", ("batch", "time", 3))
STYLE = TensorSpec("style", "float32", ("batch", 5))


def masks_of(cases):
    """The masks that the cases apply through `words`, with the label of each."""
    return {case.label: case.inputs["words"] != 0 for case in cases if "mask" in case.label}


def test_shapes_and_dtypes_are_those_of_the_specs():
    for case in battery([WORDS, SHAPES, STYLE, MASK], {}):
        batch, time = case.inputs["words"].shape
        assert case.inputs["shapes"].shape == (batch, time, 3)
        assert case.inputs["style"].shape == (batch, 5)
        assert case.inputs["mask"].shape == (batch, time)
        assert [value.dtype for value in case.inputs.values()] == ["int32", "float32", "float32", "bool"]


def test_sizes_have_one_of_each_and_one_of_both():
    sizes = {case.inputs["words"].shape for case in battery([WORDS], {})}
    assert {(1, 1)} <= sizes
    assert any(batch == 1 and time > 1 for batch, time in sizes)
    assert any(batch > 1 and time == 1 for batch, time in sizes)
    assert any(batch > 1 and time > 50 for batch, time in sizes)


def test_every_kind_of_mask_is_realised():
    masks = masks_of(battery([WORDS, SHAPES, STYLE], {"words": 0, "shapes": 0.0}))
    kinds = {
        kind: [mask for label, mask in masks.items() if label.endswith(f"mask {kind}")]
        for kind in ("none", "right", "left", "gaps", "whole rows")
    }
    assert all(kinds.values())
    for mask in kinds["none"]:
        assert mask.all()
    for mask in kinds["right"]:
        assert (np.diff(mask.astype(int), axis=1) <= 0).all()
        assert mask[:, 0].all()
        assert not mask[:, -1].any()
    for mask in kinds["left"]:
        assert (np.diff(mask.astype(int), axis=1) >= 0).all()
        assert mask[:, -1].all()
        assert not mask[:, 0].any()
    assert any(((np.diff(mask.astype(int), axis=1) < 0) & mask[:, :-1]).sum(axis=1).max() > 1 for mask in kinds["gaps"])
    assert any(mask.any() and not mask.any(axis=1).all() for mask in kinds["whole rows"])
    assert any(not mask.any() for mask in kinds["whole rows"])


def test_all_inputs_are_masked_at_the_same_steps():
    for case in battery([WORDS, SHAPES, MASK], {"words": 0, "shapes": -7.0, "mask": False}):
        if "mask" in case.label:
            np.testing.assert_array_equal(case.inputs["words"] != 0, case.inputs["mask"])
            np.testing.assert_array_equal((case.inputs["shapes"] != -7.0).any(axis=2), case.inputs["mask"])


def test_without_pad_values_there_are_no_masks():
    for case in battery([WORDS, SHAPES, MASK], {}):
        assert "mask" not in case.label
        assert case.inputs["mask"].all()


def test_ids_stay_within_the_embedding_and_both_ends_are_tried():
    ids = np.concatenate([case.inputs["words"].ravel() for case in battery([WORDS, SHAPES], {"words": 0})])
    assert (ids.min(), ids.max()) == (0, 22)


def test_embedding_of_a_single_row_gets_its_only_id():
    one = TensorSpec("words", "int32", ("batch", "time"), maximum=0)
    assert not any(case.inputs["words"].any() for case in battery([one], {}))


def test_extreme_values_are_among_the_floats():
    largest = {case.label: np.abs(case.inputs["shapes"]).max() for case in battery([SHAPES], {})}
    assert largest["zeros values"] == 0
    assert largest["large values"] > 20
    assert 0 < largest["tiny values"] < 1e-28


def test_same_seed_same_cases():
    first, second = battery([WORDS, SHAPES], {}), battery([WORDS, SHAPES], {})
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.inputs["shapes"], b.inputs["shapes"])
    other = battery([WORDS, SHAPES], {}, seed=1)
    assert not np.array_equal(first[-2].inputs["shapes"], other[-2].inputs["shapes"])


def test_model_without_a_time_axis_gets_several_batches():
    assert [case.inputs["style"].shape[0] for case in battery([STYLE], {})][:3] == [1, 2, 5]


def test_fixed_dimensions_stay_and_those_of_other_names_get_their_own_size():
    spec = TensorSpec("memory", "float32", ("batch", "memory_time", 11))
    inputs = random_inputs([spec, SHAPES], np.random.default_rng(0), batch=2, time=5, other=7)
    assert inputs["memory"].shape == (2, 7, 11)
    assert inputs["shapes"].shape == (2, 5, 3)


def test_models_that_attend_are_tried_far_beyond_the_other_lengths_and_within_their_limit():
    def longest(**options):
        return max(case.inputs["words"].shape[1] for case in battery([WORDS], {"words": 0}, **options))

    assert (longest(), longest(attends=True)) == (53, 257)
    assert longest(attends=True, limits={"time": 100}) == 100
    labels = [case.label for case in battery([WORDS], {"words": 0}, attends=True, limits={"time": 53})]
    assert len(set(labels)) == len(labels)
