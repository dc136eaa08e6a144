"""A run of the library: images read, options resolved, records as pictures."""

import contextlib
import dataclasses
import os
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfstyle.api import images as api_images
from tfstyle.api.images import ImageLike
from tfstyle.api.result import Result
from tfstyle.api.result import Source
from tfstyle.api.result import Step
from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.environment import ALONE
from tfstyle.experiment import provenance
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.experiment.session import Session
from tfstyle.images.attribution import NOTHING
from tfstyle.images.files import ImageFile
from tfstyle.images.transparency import show
from tfstyle.system.paths import expand_path
from tfstyle.system.recent import Recent

_SESSIONS = Recent(2)
"""By strategy: TensorFlow's replicas and the networks made last."""


def start_session(config: Config) -> tuple[Session, Config]:
    """Starts TensorFlow; returns a session and the config with its strategy.

    All of one strategy share a session, and with it the networks.
    """
    session = _SESSIONS.get("one_device", _make_session)
    session.start(dataclasses.replace(config, strategy="one_device"))

    from tfstyle.distributed.strategy import choose_strategy

    config = choose_strategy(config, ALONE)
    if config.strategy != "one_device":
        session = _SESSIONS.get(config.strategy, _make_session)
    return session, session.start(config)


def _make_session() -> Session:
    """Makes a session that leaves stderr and other GPUs to the host."""
    return Session(verbose=True, is_guest=True)


def prepare(
    config: Config,
    session: Session,
    content: ImageLike | None,
    styles: ImageLike | Sequence[ImageLike] | None,
    content_masks: ImageLike | Sequence[ImageLike] | None,
    style_masks: ImageLike | Sequence[ImageLike] | None,
    initial_image: ImageLike | None,
    *,
    is_whole: bool = False,
) -> "Run":
    """Reads the images of a run, and resolves its options.

    Args:
        config: a resolved one.
        session: that was started with it.
        content: as a `Stylizer` is called with, and the others.
        styles: the same.
        content_masks: the same.
        style_masks: the same.
        initial_image: the same.
        is_whole: whether there are losses that must see the whole frame.
    """
    config = session.start(config)
    given = {
        "content": api_images.as_list(content),
        "styles": api_images.as_list(styles),
        "content_masks": api_images.as_list(content_masks),
        "style_masks": api_images.as_list(style_masks),
        "initial_image": api_images.as_list(initial_image),
    }
    for name in ("content", "initial_image"):
        if len(given[name]) > 1:
            raise ConfigError(
                f"`{name}` must be one image. Received: {len(given[name])}."
            )
    most = config.max_image_pixels

    def read(name: str) -> list[ImageFile]:
        return [
            show(api_images.read_pixels(image, name, most), f"`{name}`")
            for image in given[name]
        ]

    def read_masks(name: str) -> list[np.ndarray]:
        return [
            api_images.read_mask(image, name, most) for image in given[name]
        ]

    content_file = next(iter(read("content")), None)
    initial_file = next(iter(read("initial_image")), None)
    style_files = read("styles")
    files = ImageFiles(
        content=content_file and content_file.pixels,
        alpha=content_file and content_file.alpha,
        styles=[style.pixels for style in style_files],
        style_alphas=[style.alpha for style in style_files],
        content_masks=read_masks("content_masks"),
        style_masks=read_masks("style_masks"),
        initial_image=initial_file and initial_file.pixels,
        attribution=content_file.attribution if content_file else NOTHING,
    )
    paths = [
        expand_path(os.fspath(image))
        for images in given.values()
        for image in images
        if isinstance(image, str | os.PathLike)
    ]
    return Run(config, files, session, _name_files(given), paths, is_whole)


class Run:
    """One run of a Stylizer: its images, and its options with nothing open."""

    def __init__(
        self,
        config: Config,
        images: ImageFiles,
        session: Session,
        files: dict[str, Any],
        paths: list[str],
        is_whole: bool,
    ):
        from tfstyle.training import memory_advice
        from tfstyle.training.plan import make_plan

        config.check_images(
            images.content is not None,
            len(images.styles),
            len(images.content_masks),
            len(images.style_masks),
        )
        replicas = session.replicas
        number = replicas.num_replicas if replicas else 1
        plan = make_plan(
            config, images.content, images.styles, number, is_whole=is_whole
        )
        frame = plan.levels[-1].frame
        self._sizes = frame.height, frame.width, number
        self._can_cut = not is_whole
        memory_advice.check_memory(
            plan.config, *self._sizes, can_cut=self._can_cut
        )
        self._last: tuple[int, int] | None = None
        self._plan = plan
        self._config = plan.config
        self._images = images
        self._replicas = replicas
        self._extractor = session.make_extractor(plan.config)
        facts = provenance.describe_weights(
            self._extractor.origin, self._extractor.sha256
        )
        self._source = Source(
            facts | images.describe(),
            files,
            images.alpha,
            paths,
            images.attribution,
        )

    def make_problem(self, extra_losses):
        """Returns what an Objective is made of."""
        from tfstyle.training.problem import Problem
        from tfstyle.training.stylize import make_finish

        images = self._images
        problem = Problem(
            images.content,
            images.styles,
            self._plan,
            content_masks=images.content_masks,
            style_masks=images.style_masks,
            alpha=images.alpha,
            style_alphas=images.style_alphas,
            extractor=self._extractor,
            extra_losses=extra_losses,
            replicas=self._replicas,
        )
        finish = make_finish(images.content, self._config)
        return problem, images.initial_image, finish

    def records(
        self, extra_losses, should_stop
    ) -> Generator[Any, str | None, Any]:
        """Runs the optimisation; yields its records."""
        from tfstyle.training.stylize import iterate

        images = self._images
        return iterate(
            images.content,
            images.styles,
            self._plan,
            self._extractor,
            content_masks=images.content_masks,
            style_masks=images.style_masks,
            alpha=images.alpha,
            style_alphas=images.style_alphas,
            initial_image=images.initial_image,
            extra_losses=extra_losses,
            should_stop=should_stop,
            replicas=self._replicas,
        )

    def naming_flags_that_fit(self):
        """Returns the context in which the run's records are computed."""
        from tfstyle.training import memory_advice

        return memory_advice.naming_flags_that_fit(
            self._config, *self._sizes, can_cut=self._can_cut
        )

    def iterate(self, every: int, extra_losses) -> Iterator[Step]:
        """Yields a step when it is time to."""
        records = self.records(extra_losses, lambda: None)
        with (
            self.naming_flags_that_fit(),
            contextlib.closing(records),
        ):
            for record in records:
                is_time = record.step % every == 0 or record.is_last
                if is_time and self.is_new(record):
                    yield self.make_step(record)

    def is_new(self, record) -> bool:
        """Returns whether a record's image is not the one asked for before.

        A run's last image has two records, as its being the last is found
        after the first.
        """
        before, self._last = self._last, (record.level, record.evaluations)
        return self._last != before

    def make_step(self, record) -> Step:
        """Copies the picture of a record."""
        return Step(
            pixels=record.pixels(),
            losses=record.losses,
            steps=record.steps,
            evaluations=record.evaluations,
            seconds=record.seconds,
            config=self._config,
            _source=self._source,
            level=record.level,
            num_steps=record.num_steps,
        )

    def make_result(self, made, history: list[dict[str, Any]]) -> Result:
        """Makes the library's result of the training's."""
        return Result(
            pixels=made.pixels,
            losses=made.losses,
            steps=made.steps,
            evaluations=made.evaluations,
            seconds=made.seconds,
            config=self._config,
            _source=self._source,
            history=history,
            reason=made.reason,
            unclipped=made.image,
            _is_complete=made.is_complete,
            _to_pixels=made.to_pixels,
        )


def describe_record(record) -> dict[str, Any]:
    """Returns the entry of a result's history."""
    return {
        "step": record.step,
        "level": record.level,
        "evaluations": record.evaluations,
        "seconds": record.seconds,
        **record.losses,
    }


def _name_files(given: dict[str, list]) -> dict[str, Any]:
    """Returns the options that name the images' files, if all are files."""
    paths = {}
    for name, images in given.items():
        found = api_images.paths_of(images)
        if found is None:
            return {}
        paths[name] = found
    named = {
        "content_image": next(iter(paths["content"]), None),
        "style_images": paths["styles"],
        "content_masks": paths["content_masks"],
        "style_masks": paths["style_masks"],
        "init": next(iter(paths["initial_image"]), None),
    }
    return {name: value for name, value in named.items() if value}
