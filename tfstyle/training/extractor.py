"""The feature extractor that a configuration describes."""

import dataclasses

from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import load_extractor
from tfstyle.network.options import NetworkOptions
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
    return load_extractor(NetworkOptions.of(config))


def check_extractor(extractor: Extractor, config: Config) -> None:
    """Checks that an extractor is the one that a config describes.

    Args:
        extractor: to be used.
        config: resolved for images and machine.

    Raises:
        ConfigError: names the first option that differs, or a missing layer.
    """
    asked = dataclasses.asdict(NetworkOptions.of(config))
    made = dataclasses.asdict(extractor.options)
    layers = asked.pop("layers")
    del asked["seed"]  # a run may start at the noise of another
    for name, value in asked.items():
        if value != made[name]:
            raise ConfigError(
                f"`extractor` was made with {name}={made[name]}, but the config"
                f" has {name}={value}. Make it by make_extractor(config)."
            )
    missing = [name for name in layers if name not in made["layers"]]
    if missing:
        raise ConfigError(
            f"`extractor` lacks the layer {missing[0]} of the config. Make it"
            " by make_extractor(config)."
        )
