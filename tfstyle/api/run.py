"""One run of the Python API: reads images, plans, yields pictures."""

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

import numpy as np

from tfstyle.api import images as api_images
from tfstyle.api.images import ImageLike
from tfstyle.api.result import Result
from tfstyle.api.result import Source
from tfstyle.api.result import Step
from tfstyle.config.config import Config
from tfstyle.distributed.environment import ALONE
from tfstyle.errors import ConfigError
from tfstyle.experiment import provenance
from tfstyle.experiment import resources
from tfstyle.experiment.session import Session
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import NOTHING
from tfstyle.images.picture import Picture
from tfstyle.images.resize import resize
from tfstyle.images.transparency import show
from tfstyle.system.lru_cache import LRUCache
from tfstyle.system.machine import Machine
from tfstyle.system.paths import expand_path
from tfstyle.training.plan import Plan
from tfstyle.training.plan import make_plan

if TYPE_CHECKING:
    from tfstyle.network.extractor import Extractor

_SESSIONS = LRUCache(2)
"""Sessions by strategy, each with its replicas and cache of networks."""


def start_session(config: Config) -> tuple[Session, Machine]:
    """Starts TensorFlow; returns the session and a description of the machine.

    Runs with one strategy share a session, and so its networks.
    """
    session = _SESSIONS.get("one_device", _make_session)
    alone = dataclasses.replace(config, strategy="one_device")
    machine = session.start(alone)

    from tfstyle.distributed.strategy import choose_strategy

    strategy = choose_strategy(config, ALONE)
    if strategy != "one_device":
        session = _SESSIONS.get(strategy, _make_session)
        machine = session.start(dataclasses.replace(config, strategy=strategy))
    return session, machine


def _make_session() -> Session:
    """Makes a session that leaves stderr and other GPUs to its host."""
    return Session(verbose=True, is_guest=True)


class Given(NamedTuple):
    """Images as given by the caller of the API; see `ImageLike`.

    Attributes:
        content: the content image, or None.
        styles: one or several style images, or None.
        content_masks: one or several masks of the content, or None.
        style_masks: one or several masks of the styles, or None.
        initial_image: the starting point, or None.
    """

    content: ImageLike | None
    styles: ImageLike | Sequence[ImageLike] | None
    content_masks: ImageLike | Sequence[ImageLike] | None
    style_masks: ImageLike | Sequence[ImageLike] | None
    initial_image: ImageLike | None

    def to_lists(self) -> dict[str, list[ImageLike]]:
        """Returns the images as lists, by field.

        Raises:
            ConfigError: if there are several contents or initial images.
        """
        lists = {
            name: api_images.as_list(value)
            for name, value in self._asdict().items()
        }
        for name in ("content", "initial_image"):
            if len(lists[name]) > 1:
                raise ConfigError(
                    f"`{name}` must be one image. Received: {len(lists[name])}."
                )
        return lists


def read_images(given: dict[str, list[ImageLike]], max_pixels: int) -> ImageSet:
    """Reads the images of a call.

    Args:
        given: images by field of `Given`.
        max_pixels: files with more pixels are refused.

    Raises:
        ConfigError: if the type, shape or range of an image is not supported.
        ImageError: if a file cannot be read.
    """

    def read(name: str) -> list[Picture]:
        return [
            show(api_images.read_pixels(image, name, max_pixels), f"`{name}`")
            for image in given[name]
        ]

    def read_masks(name: str) -> list[np.ndarray]:
        return [
            api_images.read_mask(image, name, max_pixels)
            for image in given[name]
        ]

    content = next(iter(read("content")), None)
    initial = next(iter(read("initial_image")), None)
    return ImageSet(
        content,
        read("styles"),
        read_masks("content_masks"),
        read_masks("style_masks"),
        initial and initial.pixels,
    )


class Run:
    """One planned run of a `Stylizer`, with its network loaded.

    Args:
        config: the requested options.
        session: the session that was started with `config`.
        given: the images of the call.
        is_whole: True if extra losses need the whole frame, without tiles.

    Attributes:
        images: the input images.
        plan: the plan for these images on this machine.
        extractor: feature extractor for the layers of the plan.
        replicas: replicas that share each evaluation, or None.
        source: inputs of the picture, for its metadata.
    """

    def __init__(
        self,
        config: Config,
        session: Session,
        given: Given,
        *,
        is_whole: bool = False,
    ):
        lists = given.to_lists()
        self.images = images = read_images(lists, config.max_image_pixels)
        machine = session.start(config)
        self.plan: Plan = make_plan(config, images, machine, is_whole=is_whole)
        resources.check_memory(self.plan)
        self.extractor: Extractor = session.make_extractor(self.plan.network)
        self.replicas = session.replicas
        content, frame = None, self.plan.frame
        if images.content is not None:
            pixels = images.content.pixels
            content = resize(pixels, frame.height, frame.width)
        facts = provenance.describe_weights(self.extractor)
        self.source = Source(
            facts | images.describe(),
            *_find_files(lists),
            images.alpha,
            images.content.attribution if images.content else NOTHING,
            content,
        )

    def records(
        self, extra_losses, should_stop=lambda: None
    ) -> Generator[Any, str | None, Any]:
        """Runs the optimisation; yields its records and returns its result."""
        from tfstyle.training.stylize import iterate

        with resources.naming_flags_that_fit(self.plan):
            return (
                yield from iterate(
                    self.images,
                    self.plan,
                    self.extractor,
                    extra_losses=extra_losses,
                    should_stop=should_stop,
                    replicas=self.replicas,
                )
            )

    def iterate(self, every: int, extra_losses) -> Iterator[Step]:
        """Yields the picture at every n-th step and at the last."""
        with contextlib.closing(self.records(extra_losses)) as records:
            record, is_shown = None, True
            for record in records:
                if is_shown := record.step % every == 0:
                    yield self.make_step(record)
            if not is_shown:
                yield self.make_step(record)

    def make_step(self, record) -> Step:
        """Makes a `Step` from a record; copies the picture."""
        return Step(
            pixels=record.pixels(),
            losses=record.losses,
            steps=record.steps,
            evaluations=record.evaluations,
            seconds=record.seconds,
            config=self.plan.config,
            _source=self.source,
            level=record.level,
            num_steps=record.num_steps,
        )


def make_result(
    made, config: Config, source: Source, history: list[dict[str, Any]]
) -> Result:
    """Makes the API's `Result` from the result of the training.

    Args:
        made: result of the training.
        config: resolved options.
        source: inputs of the picture.
        history: entries of all steps.
    """
    return Result(
        pixels=made.pixels,
        losses=made.losses,
        steps=made.steps,
        evaluations=made.evaluations,
        seconds=made.seconds,
        config=config,
        _source=source,
        history=history,
        reason=made.reason,
        unclipped=made.image,
        _is_complete=made.is_complete,
        _to_pixels=made.to_pixels,
    )


def describe_record(record) -> dict[str, Any]:
    """Returns the entry of a record in `Result.history`."""
    return {
        "step": record.step,
        "level": record.level,
        "evaluations": record.evaluations,
        "seconds": record.seconds,
        **record.losses,
    }


def _find_files(
    given: dict[str, list[ImageLike]],
) -> tuple[list[str], dict[str, Any]]:
    """Returns the paths of image files, and the `RunConfig` fields with them.

    There are no fields if any image is not a file.
    """
    images = list(itertools.chain(*given.values()))
    paths = [
        expand_path(os.fspath(image))
        for image in images
        if isinstance(image, str | os.PathLike)
    ]
    if len(paths) < len(images):
        return paths, {}
    fields = {
        "content_image": next(iter(given["content"]), None),
        "style_images": given["styles"],
        "content_masks": given["content_masks"],
        "style_masks": given["style_masks"],
        "init": next(iter(given["initial_image"]), None),
    }
    return paths, {name: value for name, value in fields.items() if value}
