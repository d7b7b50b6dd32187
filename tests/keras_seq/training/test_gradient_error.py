import pytest

from keras_seq.training import GradientError


def error(clipped=False):
    return GradientError(epoch=2, batch=17, variable="lstm/kernel", logs={"loss": 3.14159, "mae": 2.0}, clipped=clipped)


def test_it_says_where_and_what_to_try():
    with pytest.raises(FloatingPointError, match=r"'lstm/kernel' .* epoch 2, batch 17 .*loss=3.142, mae=2.*clipnorm"):
        raise error()


def test_clipping_is_not_advised_to_whoever_clips_already():
    assert "clipnorm" not in str(error(clipped=True))
    assert "a lower learning rate" in str(error(clipped=True))


def test_its_parts_are_attributes():
    assert (error().epoch, error().batch, error().variable) == (2, 17, "lstm/kernel")
    assert error().logs == {"loss": 3.14159, "mae": 2.0}
