"""The feature extractor of a run."""

import dataclasses

from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import load_extractor
from tfstyle.network.options import NetworkOptions
from tfstyle.system.machine import Machine
from tfstyle.training.plan import choose_network


def make_extractor(config: Config) -> Extractor:
    """Makes the feature extractor for a config's content and style layers.

    Args:
        config: options, including layers, weights, pooling, padding and
            precision.

    Raises:
        SetupError: if the machine cannot run these options.
        WeightsError: if the weights cannot be loaded.
    """
    return load_extractor(choose_network(config, Machine.find()))


def check_extractor(extractor: Extractor, asked: NetworkOptions) -> None:
    """Checks that an extractor has the options of a plan's network.

    Raises:
        ConfigError: if an option differs or a layer is missing.
    """
    made, needed = map(dataclasses.asdict, (extractor.options, asked))
    for name, value in needed.items():
        fits = value == made[name] or name == "seed"  # runs may differ in seeds
        if name == "layers":
            fits = set(value) <= set(made[name])
        if not fits:
            raise ConfigError(
                f"`extractor` was made with {name}={made[name]}, but the config"
                f" needs {name}={value}. Make it with make_extractor(config)."
            )
