"""The hook for scheduled sampling: what a decoder reads may come from its own outputs."""

import numpy as np
import pytest
from keras import ops

from tests.keras_seq.attention.cases import (
    BATCH,
    FEATURES,
    MEMORY_MASK,
    TARGET_MASK,
    TIME,
    assert_all_close,
    decoder,
    decoder_arguments,
    normal,
    numpy,
)

WAYS = {"before": ("bahdanau", {}), "after": ("luong-dot", {"attend": "after"}), "none": (None, {})}
CHOICE = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 1, 1]], bool)


@pytest.fixture(params=WAYS)
def made(request):
    attention, options = WAYS[request.param]
    return decoder("gru", attention, **options)


def feedback_of(made, choice):
    """Reads its own output through a matrix where `choice` `(batch, time)` says so."""
    matrix = normal(made.output_size, FEATURES, seed=20)

    def feedback(output, t):
        return made.project_inputs(ops.matmul(output, matrix)), ops.take(choice, t, axis=1)[:, None]

    return feedback, matrix


@pytest.mark.parametrize("masked", [True, False])
def test_chosen_steps_read_the_decoders_own_output(made, masked):
    feedback, matrix = feedback_of(made, CHOICE)
    arguments = decoder_arguments(made)
    masks = {"mask": TARGET_MASK, "memory_mask": MEMORY_MASK if made.attention else None} if masked else {}
    received = numpy(made(**arguments, **masks, feedback=feedback))

    # What each step has read, put together one step at a time, goes in as the teacher's.
    inputs = arguments.pop("inputs").copy()
    for t in range(1, TIME):
        outputs = numpy(made(inputs, **arguments, **masks))
        inputs[:, t] = np.where(CHOICE[:, t, None], outputs[:, t - 1] @ matrix, inputs[:, t])
    assert_all_close([received], [numpy(made(inputs, **arguments, **masks))], atol=1e-5)


def test_the_first_step_reads_the_teacher(made):
    arguments = decoder_arguments(made)
    feedback, _ = feedback_of(made, np.ones_like(CHOICE))
    first = numpy(made(**arguments, feedback=feedback))[:, 0]
    assert_all_close([first], [numpy(made(**arguments))[:, 0]])


def test_a_choice_of_nothing_is_teacher_forcing(made):
    arguments = decoder_arguments(made)
    feedback, _ = feedback_of(made, np.zeros((BATCH, TIME), bool))
    assert_all_close([numpy(made(**arguments, feedback=feedback))], [numpy(made(**arguments))])


def test_scores_and_state_come_too():
    made = decoder("lstm", "bahdanau")
    arguments = decoder_arguments(made)
    feedback, _ = feedback_of(made, CHOICE)
    outputs, state, scores = made(**arguments, feedback=feedback, return_state=True, return_attention_scores=True)
    assert list(state) == ["0.h", "0.c"]
    np.testing.assert_allclose(numpy(scores).sum(axis=-1), 1.0, atol=1e-5)
    assert_all_close([numpy(state["0.h"])], [numpy(outputs)[:, -1]])
