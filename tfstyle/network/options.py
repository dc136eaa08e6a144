"""The options of a network."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Everything that decides the outputs of a network.

    Equal options make the same network, so they are the key under which
    networks are cached. The fields but `layers` are those of the same names of
    a resolved `Config`.

    Attributes:
        layers: Keras names of the outputs, in the order of the network's
            first use, each once.
        weights: `auto`, `imagenet`, `random` or the path of a file.
        seed: of random weights; 0 for others.
        rescale_filters: whether every filter has a mean activation of 1.
        pooling: `average`, `max` or `rms`.
        padding: of the first convolution, `zero` or `replicate`.
        convolution: `direct` or `winograd`.
        precision: a Keras dtype policy.
    """

    layers: tuple[str, ...]
    weights: str = "auto"
    seed: int = 0
    rescale_filters: bool = False
    pooling: str = "average"
    padding: str = "zero"
    convolution: str = "direct"
    precision: str = "float32"

    @classmethod
    def of(cls, config: Any) -> "NetworkOptions":
        """Takes the options out of a resolved `Config`."""
        names = {field.name for field in dataclasses.fields(cls)} - {"layers"}
        chosen = {name: getattr(config, name) for name in names}
        if config.weights != "random":
            chosen["seed"] = 0
        layers = dict.fromkeys((*config.content_layers, *config.style_layers))
        return cls(tuple(layers), **chosen)
