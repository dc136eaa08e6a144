"""The plan of a run: all options decided for its images and machine.

`make_plan` is the only place where requested options, a `Config`, become
resolved options, a `Plan`.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from tfstyle.config import validation
from tfstyle.config.config import Config
from tfstyle.errors import SetupError
from tfstyle.images.frame import Frame
from tfstyle.images.image_set import ImageSet
from tfstyle.images.resize import fit_size
from tfstyle.network.options import NetworkOptions
from tfstyle.system.machine import Machine
from tfstyle.training.memory import TILE_SIZES
from tfstyle.training.memory import count_kept_tiles
from tfstyle.training.memory import fit_to_memory
from tfstyle.training.pyramid import Level
from tfstyle.training.pyramid import choose_levels
from tfstyle.training.pyramid import make_levels

DECIDED_BY_MACHINE = (
    "convolution",
    "jit_compile",
    "num_correction_pairs",
    "precision",
    "tile_size",
)
"""Options whose `auto` depends on the machine."""
NOTHING_DECIDED: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run with all options resolved.

    Attributes:
        config: options without `auto` or unset defaults; only `jit_compile` may
            stay `auto` on a GPU, where XLA is benchmarked during the run.
        levels: pyramid levels, coarsest first.
        machine: machine that runs the plan.
        can_cut: True if the frame may be cut into tiles.
        num_kept_tiles: number of tiles whose activations are kept between the
            two passes of an evaluation.
        smaller_tiles: tile sizes to fall back to, in this order, if memory runs
            out; empty if the config sets the tile size.
    """

    config: Config
    levels: tuple[Level, ...]
    machine: Machine
    can_cut: bool = True
    num_kept_tiles: int = 0
    smaller_tiles: tuple[int, ...] = ()

    @property
    def network(self) -> NetworkOptions:
        """Options of the network."""
        return NetworkOptions.of(self.config)

    @property
    def frame(self) -> Frame:
        """Frame of the finest level, which holds the output."""
        return self.levels[-1].frame


def make_plan(
    config: Config,
    images: ImageSet,
    machine: Machine,
    decided: Mapping[str, str] = NOTHING_DECIDED,
    *,
    is_whole: bool = False,
) -> Plan:
    """Resolves all options of a run for its images and machine.

    Args:
        config: requested options.
        images: images of the run.
        machine: machine that runs the plan.
        decided: values of DECIDED_BY_MACHINE that replace `auto`, from the run
            that is resumed or from another process of this run.
        is_whole: True if some losses need the whole frame.

    Raises:
        ConfigError: if images and options contradict each other.
        SetupError: if the machine cannot run the plan.
    """
    validation.check_images(
        config,
        images.content is not None,
        len(images.styles),
        len(images.content_masks),
        len(images.style_masks),
    )
    config = complete_options(config, images)
    is_alone = machine.num_replicas == 1
    has_open_tiles = config.tile_size == "auto" and is_alone
    config = choose_operations(_adopt(config, decided), machine)
    can_cut = config.precision != "mixed_float16" and not is_whole
    size = fit_size(*images.layout_size, config.image_size)
    config = fit_to_memory(config, *size, machine, can_cut)
    levels = make_levels(size, config)
    kept, smaller_tiles = 0, ()
    if config.tile_size and is_alone:
        kept = count_kept_tiles(config, *size, machine)
    if has_open_tiles and can_cut:
        most = config.tile_size or max(levels[-1].frame.size)
        smaller_tiles = tuple(tile for tile in TILE_SIZES if tile < most)
    return Plan(config, levels, machine, can_cut, kept, smaller_tiles)


def complete_options(config: Config, images: ImageSet) -> Config:
    """Fills in the defaults that do not depend on the machine.

    With content and style the optimisation starts from the content, otherwise
    from noise.

    Args:
        config: requested options.
        images: images of the run.

    Raises:
        ConfigError: if the output is too small for the number of levels.
    """
    config = config.resolved()
    changes = {}
    if config.init == "auto":
        has_both = images.content is not None and len(images.styles)
        changes["init"] = "content" if has_both else "noise"
    if config.style_figures == "auto":
        is_painted = (
            images.content is not None and config.loss_scale == "relative"
        )
        changes["style_figures"] = "few" if is_painted else "all"
    size = fit_size(*images.layout_size, config.image_size)
    changes["num_levels"], changes["num_steps"] = choose_levels(size, config)
    return dataclasses.replace(config, **changes)


def choose_network(config: Config, machine: Machine) -> NetworkOptions:
    """Returns the network options that a plan would have."""
    return NetworkOptions.of(choose_operations(config.resolved(), machine))


def _adopt(config: Config, decided: Mapping[str, str]) -> Config:
    """Replaces `auto` by previously decided values."""
    changes = {
        name: decided[name]
        for name in DECIDED_BY_MACHINE
        if name in decided and getattr(config, name) == "auto"
    }
    return dataclasses.replace(config, **changes)


def choose_operations(config: Config, machine: Machine) -> Config:
    """Chooses strategy, precision, convolution and compiler for the machine.

    On a GPU `jit_compile` stays `auto`, as XLA is benchmarked during the run; a
    deterministic run does not use it.

    Raises:
        SetupError: if the machine cannot run these options.
    """
    if machine.has_gpu and config.convolution == "winograd":
        raise SetupError(
            "`convolution` must not be winograd on a GPU. Received:"
            " convolution=winograd. Use direct, or hide the GPU:"
            " CUDA_VISIBLE_DEVICES=''."
        )
    is_replicated = machine.strategy in validation.REPLICATED
    precision, convolution = config.precision, config.convolution
    jit_compile = config.jit_compile
    if precision == "auto":
        is_float32 = (
            machine.has_gpu
            or is_replicated
            or convolution == "direct"
            or jit_compile == "true"
            or not machine.is_bfloat16_faster
        )
        precision = "float32" if is_float32 else "mixed_bfloat16"
    if convolution == "auto":
        is_direct = (
            machine.has_gpu or is_replicated or precision == "mixed_float16"
        )
        convolution = "direct" if is_direct else "winograd"
    if jit_compile == "auto":
        is_timed = machine.has_gpu and not config.deterministic
        jit_compile = "auto" if is_timed else "false"
    return dataclasses.replace(
        config,
        strategy=machine.strategy,
        precision=precision,
        convolution=convolution,
        jit_compile=jit_compile,
    )
