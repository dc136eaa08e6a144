"""The feature extractor that a configuration describes."""

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import load_extractor
from tfstyle.training.plan import resolve_for_machine


def make_extractor(config: Config) -> Extractor:
    """Makes the extractor of a run's content and style layers.

    Args:
        config: gives layers, weights, pooling, padding and precision.

    Raises:
        SetupError: if the machine cannot run it.
        WeightsError: if the weights cannot be had.
    """
    config = resolve_for_machine(config.resolved())
    return load_extractor(
        (*config.content_layers, *config.style_layers),
        weights=config.weights,
        seed=config.seed,
        rescale_filters=config.rescale_filters,
        pooling=config.pooling,
        convolution=config.convolution,
        precision=config.precision,
        padding=config.padding,
    )


def check_extractor(extractor: Extractor, config: Config) -> None:
    """Checks that an extractor is the one that a config describes.

    Args:
        extractor: to be used.
        config: resolved for images and machine.

    Raises:
        ConfigError: names the first option that differs, or a missing layer.
    """
    made = {"precision": extractor.precision, **extractor.options}
    for name, value in made.items():
        if value != getattr(config, name):
            raise ConfigError(
                f"`extractor` was made with {name}={value}, but the config has"
                f" {name}={getattr(config, name)}. Make it by"
                " make_extractor(config)."
            )
    layers = (*config.content_layers, *config.style_layers)
    missing = [n for n in layers if n not in extractor.model.output_names]
    if missing:
        raise ConfigError(
            f"`extractor` lacks the layer {missing[0]} of the config. Make it"
            " by make_extractor(config)."
        )
