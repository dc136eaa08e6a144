"""Session: starts TensorFlow once and caches networks."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from absl import logging

from tfstyle.config.config import Config
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.network.options import NetworkOptions
from tfstyle.network.weights import load_weights
from tfstyle.system import tensorflow_setup
from tfstyle.system.lru_cache import LRUCache
from tfstyle.system.machine import Machine

if TYPE_CHECKING:
    from tfstyle.network.extractor import Extractor

MAX_EXTRACTORS = 2
"""Size of the cache of networks; each takes 0.3 GB."""
_STARTING = threading.Lock()
"""Held while TensorFlow starts, because stderr is redirected meanwhile."""


class Session:
    """Starts TensorFlow once and caches networks.

    Args:
        verbose: True to let TensorFlow's own messages reach stderr.
        is_guest: True if the process belongs to another program, which may use
            the remaining GPUs.
        num_threads: TensorFlow's threads within one operation if the options
            do not say; 0: all cores.

    Attributes:
        device: description of TensorFlow's device; empty before `start`.
        replicas: replicas that share each evaluation, or None.
    """

    def __init__(
        self,
        verbose: bool = False,
        is_guest: bool = False,
        num_threads: int = 0,
    ):
        self.device = ""
        self.replicas = None
        self._strategy = ""
        self._verbose = verbose
        self._is_guest = is_guest
        self._num_threads = num_threads
        self._extractors = LRUCache(MAX_EXTRACTORS)
        self._hashes = LRUCache(MAX_EXTRACTORS)

    def start(self, config: Config, place: Cluster = ALONE) -> Machine:
        """Starts TensorFlow, once, and describes the machine.

        Args:
            config: options; the strategy, threads and numerics are used.
            place: place of this process in the cluster.

        Raises:
            ClusterError: if the other processes cannot be reached.
            SetupError: if TensorFlow cannot run on this machine or with these
                settings.
        """
        with _STARTING:
            if not self.device:
                tensorflow_setup.start_tensorflow(
                    verbose=self._verbose, is_alone=place.size == 1
                )
            tensorflow_setup.apply_settings(
                intra_op_threads=config.intra_op_threads or self._num_threads,
                inter_op_threads=config.inter_op_threads,
                tf32=config.tf32,
                deterministic=config.deterministic,
            )
            tensorflow_setup.check_usable()
            from tfstyle.distributed import strategy

            if not self.device:
                self._strategy = strategy.choose_strategy(config, place)
                self.replicas = strategy.make_replicas(
                    self._strategy, config, place
                )
                self.device = tensorflow_setup.use_devices(
                    one_gpu=self.replicas is None and not self._is_guest,
                    verbose=self._verbose,
                )
                tensorflow_setup.warn_of_unused_gpus()
        shared = self.replicas
        return Machine.find(
            self._strategy, shared.num_replicas if shared else 1
        )

    def make_extractor(self, options: NetworkOptions) -> "Extractor":
        """Returns a feature extractor from the cache, or loads it.

        Raises:
            WeightsError: if the weights cannot be loaded.
        """
        from tfstyle.network.extractor import load_extractor

        shared = self.replicas
        with shared.scope() if shared else contextlib.nullcontext():
            return self._extractors.get(
                options, lambda: load_extractor(options)
            )

    def hash_weights(self, config: Config) -> str:
        """Returns the SHA-256 of the weights' values, without TensorFlow.

        Raises:
            WeightsError: if the weights cannot be loaded.
        """
        options = NetworkOptions.of(config)
        key = options.weights, options.seed
        choices = {
            name: getattr(options, name)
            for name in ("weights_input", "rescale_filters")
        }
        return self._hashes.get(
            (*key, *choices.values()),
            lambda: load_weights(*key, **choices).sha256,
        )


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Logs only warnings in the block, unless verbosity was raised."""
    verbosity = logging.get_verbosity()
    if verbosity == logging.INFO:
        logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
