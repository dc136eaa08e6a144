"""The feature extractor that a configuration describes."""

from tfstyle.config.config import Config
from tfstyle.network.extractor import Extractor
from tfstyle.network.extractor import load_extractor
from tfstyle.training.plan import resolve_for_machine


def make_extractor(config: Config) -> Extractor:
    """Makes the extractor of a run's content and style layers.

    Raises:
        SetupError: if the machine cannot run it.
        WeightsError: if the weights cannot be had.
    """
    config = resolve_for_machine(config)
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
