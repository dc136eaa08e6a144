"""Options of an objective function."""

import dataclasses

from tfstyle.config.config import Config


@dataclasses.dataclass(frozen=True)
class ObjectiveOptions:
    """Options of an objective function, besides network and targets.

    The fields are copied from the Config fields of the same names;
    `jit_compile` auto means XLA on a GPU, if it compiles and is faster.
    """

    loss_scale: str
    content_reduction: str
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    content_layer_weights: tuple[float, ...]
    style_layer_weights: tuple[float, ...]
    content_weight: float
    style_weight: float
    tv_weight: float
    chroma_weight: float
    range_weight: float
    temporal_weight: float | None
    jit_compile: str

    @classmethod
    def of(cls, config: Config) -> "ObjectiveOptions":
        """Copies the options from a resolved Config."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(config, name) for name in names})
