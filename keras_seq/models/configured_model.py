"""Keras models whose config is the list of their constructor's arguments."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import keras


class ConfiguredModel:
    """Mixin over a Keras model whose constructor keeps every argument under its own name."""

    arguments: ClassVar[tuple[str, ...]]
    """Names of the constructor's arguments, but for `name`, `dtype`, `trainable` and those that are layers."""

    layer_arguments: ClassVar[tuple[str, ...]] = ()
    """Names of the arguments that are layers, or `None`."""

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        layers = {name: getattr(self, name) for name in self.layer_arguments}
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **{name: getattr(self, name) for name in self.arguments},
            **{name: layer and keras.saving.serialize_keras_object(layer) for name, layer in layers.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        """Makes the model from what `get_config` gave."""
        config = dict(config)
        for name in cls.layer_arguments:
            config[name] = keras.saving.deserialize_keras_object(config.get(name), custom_objects=custom_objects)
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """What `build_from_config` needs: whether there are weights."""
        return {"built": self.built}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Makes the weights as `build` did."""
        if config and config["built"]:
            self.build()
