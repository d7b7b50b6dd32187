"""A recurrent decoder that attends to a memory at each step."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree
from keras.src import backend

from keras_seq.attention.decoder_arguments import check_arguments, check_cells
from keras_seq.attention.decoder_loop import run_decoder
from keras_seq.attention.decoder_step import Feedback, State, StepWeights, fold_context
from keras_seq.attention.memory import Memory
from keras_seq.attention.memory_attention import MemoryAttention
from keras_seq.recurrent.cell import StepCell, Tensor, gate_matmul
from keras_seq.recurrent.cell_stack import CellDropout, CellWeights, run_cells
from keras_seq.recurrent.layer import as_time_mask


@keras.saving.register_keras_serializable(package="keras_seq")
class AttentionDecoder(keras.layers.Layer):
    """A recurrent network over a target sequence that looks at a memory at every step.

    With `attend="before"`, after Bahdanau, Cho & Bengio 2015 (https://arxiv.org/abs/1409.0473, A.2.2), the context goes
    into the cell; in the course's notation, with the state s<t> and the encoder's outputs a<t'>:

        alpha<t,t'>, context<t> = attention(s<t-1>, a)
        s<t> = cell([x<t>; context<t>], s<t-1>)
        output<t> = s<t>

    With `attend="after"`, after Luong, Pham & Manning 2015 (https://arxiv.org/abs/1508.04025, equation 5 and 3.3), it
    comes behind the cell:

        s<t> = cell([x<t>; output<t-1>], s<t-1>)                output<t-1> with input_feeding=True alone
        alpha<t,t'>, context<t> = attention(s<t>, a)
        output<t> = tanh([s<t>; context<t>] W_c)                no bias, as in the paper

    Without an attention it is the plain decoder, which knows of the source what its initial state says.

    In `fit` the inputs of all steps are known (teacher forcing) and the layer is called on the whole target. To
    generate, one step at a time is made. Both are the same `step`:

        memory, weights = decoder.prepare(values, mask), decoder.step_weights()     once
        state = decoder.initial_state(cell_states, rows)
        output, state, scores = decoder.step(decoder.project_inputs(x), state, memory, weights)

    A masked step of the target leaves the state as it is and repeats the output of the step before (zeros before the
    first valid step), as in the recurrent layers.

    Weights: those of the cells, the first cell's `kernel` with `features + fed` rows, where `fed` is the size of the
    context or of the fed output; those of the attention; with `attend="after"` `attentional_kernel` W_c
    `(units + memory features, attention_units)`.

    Args:
        cell: a cell of this library (`keras_seq.GRUCell`, `LSTMCell`, `PeepholeLSTMCell`, `SimpleRNNCell`), or a list
            of them: the first reads the inputs, each other the output of the one below, and the last one's state is
            the query.
        attention: a `keras_seq.MemoryAttention`, or `None`.
        attend: `"before"` or `"after"` the cell.
        input_feeding: with `attend="after"`, whether the output is fed to the next step, so that the decoder knows
            what it attended to.
        attention_units: with `attend="after"`, the size of the output; by default the units of the last cell.
        kernel_initializer: initialiser of `attentional_kernel`.
        **kwargs: `name`, `dtype`, `trainable`. The dtype is that of the first cell if left out.

    Call arguments:
        inputs: `(batch, time, features)`, what each step reads: the embedded target, one step late.
        memory_values: `(batch, steps, features)`, the outputs of the encoder; only with an attention.
        initial_state: the list of the cells' states, in the order of `state_names`, each `(batch, units)`; or a whole
            state as `initial_state()` and `step` give it; zeros if left out.
        mask: booleans `(batch, time)`, `False` at the steps to leave out; by default the mask that `inputs` carry.
        memory_mask: booleans `(batch, steps)`; by default the mask that `memory_values` carry.
        feedback: for scheduled sampling (Bengio et al. 2015, https://arxiv.org/abs/1506.03099): called in each step as
            `feedback(output, t)` with the output of the step before, `(batch, output_size)`, and the index of this
            one, a scalar. It returns projected inputs `(batch, gates * units)` and booleans `(batch, 1)`, `True`
            where they take the place of the teacher's. Its choice at the first step has no effect.
        return_state: whether to return the final state too, a dict.
        return_attention_scores: whether to return the attention scores too.
        training: whether the cells' dropout applies.

    Output shape:
        `(batch, time, output_size)`; with `return_state` followed by the state, with `return_attention_scores` by
        `(batch, time, steps)`.

    Raises:
        TypeError: for a cell or an attention of another kind.
        ValueError: for arguments that do not go together, a memory without attention or an attention without memory,
            or a wrong number of states.

    Example:
    >>> import keras, keras_seq
    >>> decoder = keras_seq.AttentionDecoder(keras_seq.GRUCell(5), keras_seq.BahdanauAttention(11))
    >>> inputs, memory = keras.ops.ones((2, 3, 13)), keras.ops.ones((2, 7, 17))
    >>> outputs, scores = decoder(inputs, memory, return_attention_scores=True)
    >>> tuple(outputs.shape), tuple(scores.shape), decoder.state_names
    ((2, 3, 5), (2, 3, 7), ('0.h',))
    """

    def __init__(
        self,
        cell: StepCell | Sequence[StepCell],
        attention: MemoryAttention | None = None,
        *,
        attend: str = "before",
        input_feeding: bool = True,
        attention_units: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        cells = list(cell) if isinstance(cell, (list, tuple)) else [cell]
        check_cells(cells)
        kwargs.setdefault("dtype", cells[0].dtype_policy)
        super().__init__(**kwargs)
        self.cells = cells
        self.attention = attention
        self.attend = attend
        self.input_feeding = input_feeding
        self.attention_units = attention_units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True
        check_arguments(self)
        self.attentional_kernel = None
        self.output_size = cells[-1].units
        if self.attends_after:
            self.output_size = attention_units or self.output_size

    @property
    def attends_after(self) -> bool:
        """Whether an attention comes behind the cells."""
        return self.attention is not None and self.attend == "after"

    @property
    def feeds_output(self) -> bool:
        """Whether each step reads the output of the one before."""
        return self.attends_after and self.input_feeding

    @property
    def state_sizes(self) -> dict[str, int]:
        """The names and sizes of the cells' states: what an initial state consists of."""
        return {
            f"{index}.{name}": size
            for index, cell in enumerate(self.cells)
            for name, size in zip(cell.state_names, tree.flatten(cell.state_size), strict=True)
        }

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the cells' states, in their order in `initial_state`."""
        return tuple(self.state_sizes)

    def build(self, inputs_shape: tuple[int | None, ...], memory_values_shape: tuple[int | None, ...] | None = None):
        """Makes the weights for inputs and a memory of `inputs_shape[-1]` and `memory_values_shape[-1]` features."""
        self._check_memory(memory_values_shape)
        self.features = inputs_shape[-1]
        units = self.cells[-1].units
        fed = 0
        if self.attention is not None:
            if not self.attention.built:
                self.attention.build((None, units), memory_values_shape)
            fed = memory_values_shape[-1]
        if self.attends_after:
            self.attentional_kernel = self.add_weight(
                shape=(units + memory_values_shape[-1], self.output_size),
                name="attentional_kernel",
                initializer=self.kernel_initializer,
            )
            fed = self.output_size if self.input_feeding else 0
        size = self.features + fed
        for cell in self.cells:
            if not cell.built:
                cell.build((None, size))
            if cell.kernel.shape[0] != size:
                raise ValueError(
                    f'Cell "{cell.name}" of layer "{self.name}" has to read {size} features, but was built for '
                    f"{cell.kernel.shape[0]}. Give the decoder a cell of its own."
                )
            size = cell.units
        self.built = True

    def prepare(self, memory_values: Tensor | None, mask: Tensor | None = None) -> Memory | None:
        """Does once a source what all steps have in common, see `MemoryAttention.prepare`; `None` without attention."""
        self._check_memory(memory_values)
        return None if self.attention is None else self.attention.prepare(memory_values, mask)

    def initial_state(self, cell_states: Sequence[Tensor] | None, rows: int | Tensor) -> State:
        """The state before the first step.

        Args:
            cell_states: the states of the cells in the order of `state_names`, each `(rows, units)`; `None` for zeros.
            rows: how many rows the state has, a number or a scalar tensor.

        Returns:
            The states of the cells by name and, where the output is fed to the next step, zeros as `"attentional"`.
        """
        if cell_states is None:
            cell_states = [ops.zeros((rows, size), self.compute_dtype) for size in self.state_sizes.values()]
        if not isinstance(cell_states, (list, tuple)):
            cell_states = [cell_states]
        if len(cell_states) != len(self.state_names):
            raise ValueError(
                f'The initial state of layer "{self.name}" must hold {len(self.state_names)} states, in the order '
                f"{', '.join(self.state_names)}. Received: {len(cell_states)}"
            )
        state = {}
        for (name, size), tensor in zip(self.state_sizes.items(), cell_states, strict=True):
            state[name] = ops.cast(tensor, self.compute_dtype)
            if tuple(state[name].shape)[1:] != (size,):
                raise ValueError(
                    f'State {name} of layer "{self.name}" must have the shape (rows, {size}). '
                    f"Received: {tuple(state[name].shape)}"
                )
        if self.feeds_output:
            state["attentional"] = ops.zeros((rows, self.output_size), self.compute_dtype)
        return state

    def _whole_state(self, initial_state: Sequence[Tensor] | State | None, rows: int | Tensor) -> State:
        if not isinstance(initial_state, dict):
            return self.initial_state(initial_state, rows)
        names = [*self.state_names, *(["attentional"] if self.feeds_output else [])]
        if set(initial_state) != set(names):
            raise ValueError(
                f'A whole state of layer "{self.name}" must hold {", ".join(names)}. '
                f"Received: {', '.join(initial_state) or 'nothing'}"
            )
        return {name: ops.cast(initial_state[name], self.compute_dtype) for name in names}

    def project_inputs(self, inputs: Tensor, dropout_masks: Any = None) -> Tensor:
        """The part of the first cell's step that depends on the inputs alone.

        Args:
            inputs: `(rows, features)`, `(batch, time, features)`, or a whole table of embeddings `(ids, features)`.
            dropout_masks: for the decoder's own use.

        Returns:
            The inputs' leading dimensions and `gates * units` features.
        """
        cell = self.cells[0]
        kernel = self._read(cell.kernel)[: self.features]
        projected = gate_matmul(ops.cast(inputs, self.compute_dtype), kernel, dropout_masks)
        return projected if cell.input_bias is None else projected + self._read(cell.input_bias)

    def step_weights(self) -> StepWeights:
        """The weights of `step`, read and cast to the compute dtype once for a whole loop."""
        cells = []
        for index, cell in enumerate(self.cells):
            recurrent = tuple(self._read(weight) for weight in cell.step_weights())
            kernel, bias = self._read(cell.kernel), self._read(cell.input_bias)
            if index == 0:
                bias, kernel = None, kernel[self.features :] if cell.kernel.shape[0] > self.features else None
            cells.append(CellWeights(kernel, bias, recurrent))
        attention = () if self.attention is None else self.attention.step_weights()
        return StepWeights(tuple(cells), attention, self._read(self.attentional_kernel))

    def fold_context(self, memory: Memory | None, weights: StepWeights) -> tuple[Memory | None, StepWeights]:
        """Memory and weights of steps that multiply less, see `fold_context` in `decoder_step.py`; without dropout."""
        return (memory, weights) if memory is None or self.attends_after else fold_context(memory, weights)

    def step(
        self,
        projected: Tensor,
        state: State,
        memory: Memory | None,
        weights: StepWeights,
        *,
        queries_per_source: int = 1,
        dropout: Sequence[CellDropout] | None = None,
    ) -> tuple[Tensor, State, Tensor | None]:
        """One pure time step.

        Args:
            projected: `(rows, gates * units)`, from `project_inputs`.
            state: from `initial_state` or the step before; tensors with `rows` rows.
            memory: what `prepare` gave, or `fold_context`.
            weights: what `step_weights` gave, or `fold_context`.
            queries_per_source: how many rows a source has; they are neighbours, `rows = batch * queries_per_source`.
            dropout: for the decoder's own use.

        Returns:
            The output `(rows, output_size)`, the new state, and the attention scores `(rows, steps)` or `None`.
        """
        scores, fed = None, state.get("attentional")
        if self.attention is not None and self.attend == "before":
            query = state[f"{len(self.cells) - 1}.h"]
            fed, scores = self.attention.attend(query, memory, weights.attention, queries_per_source=queries_per_source)
        if fed is not None:
            kernel = weights.cells[0].kernel
            projected = projected + (
                fed if kernel is None else gate_matmul(fed, kernel, dropout[0].inputs if dropout else None)
            )
        states = [state[name] for name in self.state_names]
        output, states = run_cells(self.cells, projected, states, weights.cells, dropout)
        new_state = dict(zip(self.state_names, states, strict=True))
        if self.attends_after:
            context, scores = self.attention.attend(
                output, memory, weights.attention, queries_per_source=queries_per_source
            )
            output = ops.tanh(ops.matmul(ops.concatenate([output, context], axis=-1), weights.attentional_kernel))
            if self.feeds_output:
                new_state["attentional"] = output
        return output, new_state, scores

    def call(
        self,
        inputs: Tensor,
        memory_values: Tensor | None = None,
        initial_state: Sequence[Tensor] | State | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        feedback: Feedback | None = None,
        return_state: bool = False,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Runs the decoder over `inputs`; see the class for the shapes."""
        if return_attention_scores and self.attention is None:
            raise ValueError(f'`return_attention_scores=True`, but layer "{self.name}" has no attention.')
        # Keras fills in `mask` only where `inputs` is the only tensor.
        mask = backend.get_keras_mask(inputs) if mask is None else mask
        if memory_mask is None and memory_values is not None:
            memory_mask = backend.get_keras_mask(memory_values)
        memory = self.prepare(memory_values, memory_mask)
        rows = ops.shape(inputs)[0]
        state = self._whole_state(initial_state, rows)
        input_masks, dropout = self._dropout(rows, training)
        outputs, state, scores = run_decoder(
            self,
            self.project_inputs(inputs, input_masks),
            state,
            memory,
            as_time_mask(mask),
            dropout=dropout,
            feedback=feedback,
            return_attention_scores=return_attention_scores,
        )
        results = [outputs, *([state] if return_state else []), *([scores] if return_attention_scores else [])]
        return tuple(results) if len(results) > 1 else outputs

    def _dropout(self, rows: int | Tensor, training: bool | None) -> tuple[Any, list[CellDropout] | None]:
        """The masks of the inputs, and those of each cell in a step."""
        if not training:
            return None, None
        input_masks, dropout = None, []
        for index, cell in enumerate(self.cells):
            template = ops.zeros((rows, cell.kernel.shape[0]), self.compute_dtype)
            masks = cell.input_dropout_masks(template, training)
            if index == 0 and masks is not None:
                input_masks = tree.map_structure(lambda mask: mask[:, : self.features], masks)
                masks = tree.map_structure(lambda mask: mask[:, self.features :], masks)
            state = ops.zeros((rows, cell.units), self.compute_dtype)
            dropout.append(CellDropout(masks, cell.recurrent_dropout_masks(state, training)))
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()
        return input_masks, dropout

    def _read(self, weight: Any) -> Tensor | None:
        return None if weight is None else ops.cast(ops.convert_to_tensor(weight), self.compute_dtype)

    def _check_memory(self, memory: Any) -> None:
        if self.attention is not None and memory is None:
            raise ValueError(
                f'Layer "{self.name}" has an attention and needs `memory_values` to attend to, (batch, steps, '
                "features), such as the outputs of an encoder with return_sequences=True."
            )
        if self.attention is None and memory is not None:
            raise ValueError(
                f'Layer "{self.name}" has no attention, so it can do nothing with `memory_values`. Give it one, '
                "such as keras_seq.BahdanauAttention(units), or leave the memory out."
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, with a single cell as a list of one."""
        return {
            **super().get_config(),
            "cell": [keras.saving.serialize_keras_object(cell) for cell in self.cells],
            "attention": None if self.attention is None else keras.saving.serialize_keras_object(self.attention),
            "attend": self.attend,
            "input_feeding": self.input_feeding,
            "attention_units": self.attention_units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "AttentionDecoder":
        """Makes the layer from what `get_config` gave."""
        cells = [keras.saving.deserialize_keras_object(cell, custom_objects=custom_objects) for cell in config["cell"]]
        attention = keras.saving.deserialize_keras_object(config["attention"], custom_objects=custom_objects)
        return cls(**{**config, "cell": cells, "attention": attention})
