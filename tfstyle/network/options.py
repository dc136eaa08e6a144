"""Options of a network."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Options that determine the outputs of a network.

    Equal options give the same network, so they serve as its cache key. All
    fields but `layers` are copied from the Config fields of the same names.

    Attributes:
        layers: Keras names of the outputs without duplicates, in order of first
            use.
        weights: `auto`, `imagenet`, `torchvision`, `random` or the path of a
            file.
        weights_input: input of the network of a file, or `auto`.
        seed: seed of random weights; 0 for other weights.
        rescale_filters: True if every filter has a mean activation of 1.
        pooling: `average`, as in the paper; `max`, as VGG19 was trained; or
            `rms`, which does not alias.
        padding: padding of the first convolution, `zero`, as VGG19 was trained,
            or `replicate`. All other convolutions pad with zeros.
        convolution: `direct`, or `winograd`, for single images on the CPU.
        precision: Keras dtype policy. With `mixed_float16` the biases are
            divided by FLOAT16_DIVISOR, and the image must be divided by it too.
    """

    layers: tuple[str, ...] = ()
    weights: str = "auto"
    weights_input: str = "auto"
    seed: int = 0
    rescale_filters: bool = False
    pooling: str = "average"
    padding: str = "zero"
    convolution: str = "direct"
    precision: str = "float32"

    @classmethod
    def of(cls, config: Any) -> "NetworkOptions":
        """Copies the options from a resolved `Config`."""
        names = {field.name for field in dataclasses.fields(cls)} - {"layers"}
        chosen = {name: getattr(config, name) for name in names}
        if config.weights != "random":
            chosen["seed"] = 0
        layers = dict.fromkeys((*config.content_layers, *config.style_layers))
        return cls(tuple(layers), **chosen)
