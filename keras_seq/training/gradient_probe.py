"""Takes the norm of the gradients out of a compiled training step, the same way under every backend."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

NORM, FAULT = "gradient_probe_norm", "gradient_probe_fault"
FINITE = -1  # in the place of a variable's index


class GradientProbe:
    """Reads the global gradient norm of every step of `fit`, as long as it is attached.

    `train_step` is wrapped, so that the norm leaves the compiled step among its logs, and so is the training function
    around it, which takes the norm out of the logs again before Keras or another callback sees them. No variable is
    added to the model or its optimizer: a checkpoint written meanwhile is the same as without the probe.

    Under `steps_per_execution` the values are those of the last step of each execution.

    Args:
        model: A compiled `keras.Model`.

    Attributes:
        norm: The last step's global norm, a scalar tensor; the loss scale is taken out.
        fault: Index in `paths` of the first gradient of the last step that is not finite, or -1; a scalar tensor.
        paths: Paths of the variables that have a gradient.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.norm = None
        self.fault = None
        self.paths: list[str] = []
        self._gradients: list[tuple[str, Any]] = []
        self._replaced: list[tuple[dict, str, Any]] = []

    def attach(self) -> None:
        """Wraps the training step and has it compiled anew, in the place of a probe that a broken `fit` has left."""
        earlier = getattr(self.model.train_step, "gradient_probe", None)
        if earlier is not None:
            earlier.detach()
        optimizer = self.model.optimizer
        if keras.backend.backend() == "jax":
            self._replace(optimizer, "stateless_apply", self._watch_stateless_apply(optimizer.stateless_apply))
        else:
            self._replace(optimizer, "apply", self._watch_apply(optimizer.apply))
        self._replace(self.model, "train_step", self._with_values(self.model.train_step))
        self.model.make_train_function(force=True)
        self.model.train_function = self._without_values(self.model.train_function)

    def detach(self) -> None:
        """Puts everything back; the next `fit` compiles the plain step."""
        for attributes, name, value in reversed(self._replaced):
            if value is None:
                del attributes[name]
            else:
                attributes[name] = value
        self._replaced.clear()
        self.model.train_function = None

    def _replace(self, owner: Any, name: str, function: Callable) -> None:
        # Straight into the instance's dictionary: Keras and the backends watch what is set as an attribute.
        attributes = vars(owner)
        self._replaced.append((attributes, name, attributes.get(name)))
        attributes[name] = function

    def _watch_apply(self, apply: Callable) -> Callable:
        @functools.wraps(apply)
        def watched(grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> Any:
            grads = list(grads)
            variables = self.model.trainable_variables if trainable_variables is None else list(trainable_variables)
            self._note(grads, variables, self.model.optimizer.scale_loss(ops.ones(())))
            return apply(grads, trainable_variables)

        return watched

    def _watch_stateless_apply(self, stateless_apply: Callable) -> Callable:
        @functools.wraps(stateless_apply)
        def watched(
            optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
        ) -> Any:
            optimizer = self.model.optimizer
            with keras.StatelessScope(state_mapping=zip(optimizer.variables, optimizer_variables, strict=True)):
                scale = optimizer.scale_loss(ops.ones(()))
            self._note(grads, self.model.trainable_variables, scale)
            return stateless_apply(optimizer_variables, grads, trainable_variables)

        return watched

    def _note(self, grads: Sequence[Any], variables: Sequence[Any], scale: Any) -> None:
        for grad, variable in zip(grads, variables, strict=True):
            if grad is not None:
                # A dense tensor: the rows of an embedding's gradient may come in pieces, which have to be added first.
                grad = ops.cast(ops.convert_to_tensor(grad), "float32")
                self._gradients.append((variable.path, grad / ops.cast(scale, "float32")))

    def _with_values(self, train_step: Callable) -> Callable:
        @functools.wraps(train_step)
        def step(*args: Any) -> Any:
            self._gradients.clear()  # of a step that raised half way
            result = train_step(*args)
            if not self._gradients:
                raise ValueError(
                    f"The gradients of {self.model.name!r} cannot be watched: its `train_step` was expected to apply "
                    "them with the `optimizer` that `compile` was given, and did not. Apply them with "
                    "`self.optimizer.apply`, or train without this callback."
                )
            self.paths = [path for path, _ in self._gradients]
            grads = [grad for _, grad in self._gradients]
            self._gradients.clear()
            values = {NORM: global_norm(grads), FAULT: first_fault(grads)}
            logs, *state = result if isinstance(result, tuple) else (result,)
            if not isinstance(logs, dict):
                raise TypeError(
                    f"`train_step` of {self.model.name!r} must return a dict of metrics to be watched. Received: "
                    f"{type(logs).__name__}."
                )
            return ({**logs, **values}, *state) if state else {**logs, **values}

        step.gradient_probe = self
        return step

    def _without_values(self, train_function: Callable) -> Callable:
        @functools.wraps(train_function)
        def function(*args: Any) -> Any:
            result = train_function(*args)
            logs = result[0] if isinstance(result, tuple) else result
            self.norm, self.fault = logs.pop(NORM), logs.pop(FAULT)
            return result

        return function


def global_norm(grads: Sequence[Any]) -> Any:
    """The norm of all gradients taken together, without overflow where they are huge.

    Args:
        grads: Float32 tensors of any shape.

    Returns:
        A scalar: the square root of the sum of all squares; NaN or infinite where a gradient is.

    Example:

    >>> norm = global_norm([ops.convert_to_tensor([3.0e30]), ops.convert_to_tensor([[0.0], [4.0e30]])])
    >>> f"{float(norm):.4g}"
    '5e+30'
    """
    largest = functools.reduce(ops.maximum, [ops.max(ops.abs(grad)) for grad in grads])
    usable = ops.logical_and(ops.isfinite(largest), largest > 0)
    unit = ops.where(usable, largest, ops.ones_like(largest))
    return unit * ops.sqrt(sum(ops.sum(ops.square(grad / unit)) for grad in grads))


def first_fault(grads: Sequence[Any]) -> Any:
    """The index of the first gradient that holds NaN or an infinity.

    Args:
        grads: Tensors of any shape.

    Returns:
        An int32 scalar, -1 where all gradients are finite.

    Example:

    >>> int(first_fault([ops.ones(2), ops.convert_to_tensor([1.0, float("nan")]), ops.ones(3)]))
    1
    """
    faults = ops.stack([ops.logical_not(ops.all(ops.isfinite(grad))) for grad in grads])
    first = ops.argmax(ops.cast(faults, "int32"))
    return ops.where(ops.any(faults), ops.cast(first, "int32"), ops.full_like(ops.cast(first, "int32"), FINITE))
