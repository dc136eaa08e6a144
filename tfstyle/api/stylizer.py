"""Style transfer as a function of images: `Stylizer` and `stylize`."""

import contextlib
import sys
import threading
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfstyle.api import images as api_images
from tfstyle.api.images import ImageLike
from tfstyle.api.interrupt import REASON
from tfstyle.api.interrupt import catching_interrupt
from tfstyle.api.options import make_config
from tfstyle.api.result import Result
from tfstyle.api.result import Source
from tfstyle.api.result import Step
from tfstyle.config.config import Config
from tfstyle.config.validation import ConfigError
from tfstyle.experiment import provenance
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.experiment.session import Session
from tfstyle.images.files import ImageFile
from tfstyle.system.recent import Recent

Callback = Callable[[Step], object]
"""Called with the `Step` of every step. A text that it returns ends the run,
as the reason; whatever else it returns is ignored."""

_SESSIONS = Recent(3)
"""By strategy: TensorFlow's replicas and the networks made last."""


class Stylizer:
    """Paints pictures with one network and one set of options.

    The network is loaded once, and compiled steps and the styles' Gram
    matrices are kept. Threads may share a Stylizer.

    Example:
        >>> import tfstyle
        >>> stylizer = tfstyle.Stylizer(
        ...     weights="random", image_size=32, num_steps=2
        ... )
        >>> scene, strokes = tfstyle.sample("scene"), tfstyle.sample("strokes")
        >>> result = stylizer(scene, strokes)
        >>> result.pixels.shape, result.step, result.reason
        ((24, 32, 3), 2, 'steps')
        >>> [step.step for step in stylizer.iterate(scene, strokes)]
        [0, 1, 2]

    Args:
        config: the options; by default those of the preset `photo`.
        preset: their beginning by name in place of `config`: `photo`,
            `gatys2015`, `texture` and the others that `tfstyle --help` names.
        **options: fields of `Config`, which win over both.

    Attributes:
        config: the options.

    Raises:
        ConfigError: if an option is wrong.
        SetupError: if the machine cannot run it.
        WeightsError: if the weights cannot be loaded.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        preset: str | None = None,
        **options: Any,
    ):
        self.config = make_config(config, preset, options)
        self._session = get_session(self.config)
        self._resolved = self._session.start(self.config.resolved())
        from tfstyle.training.plan import resolve_for_machine

        # Loaded now, so that the first call does not wait for it.
        self._session.make_extractor(resolve_for_machine(self._resolved))

    def __call__(
        self,
        content: ImageLike | None,
        styles: ImageLike | Sequence[ImageLike] | None = None,
        *,
        content_masks: ImageLike | Sequence[ImageLike] | None = None,
        style_masks: ImageLike | Sequence[ImageLike] | None = None,
        initial_image: ImageLike | None = None,
        callbacks: Sequence[Callback] = (),
        extra_losses: dict[str, Callable] | None = None,
        progress: bool | None = None,
    ) -> Result:
        """Renders the content in the style of the styles.

        Ctrl-C, or a notebook's stop button, ends the run after the step that
        it is at: the result is the picture so far, its reason `interrupted`.

        Args:
            content: the image whose layout is kept; None makes a texture.
            styles: one image or several; without any the content is
                reconstructed. Several blend, or have a region each by masks.
            content_masks: one per region, white inside.
            style_masks: one per style: where its style is taken from.
            initial_image: to start from, in place of the option `init`.
            callbacks: called with the `Step` of every step, in the order
                given. A text that one returns ends the run.
            extra_losses: losses of one's own by name: functions from the
                image, float32 `[1, H, W, 3]`, BGR without ImageNet's mean, and
                its features by Keras layer name to a float32 scalar, weighted.
            progress: whether to show a bar; None: on a terminal or in a
                notebook.

        Raises:
            ConfigError: if images and options contradict.
            ImageError: if an image file cannot be read.
            NotFiniteError: if the loss stops being finite.
        """
        run = self.prepare(
            content, styles, content_masks, style_masks, initial_image
        )
        history: list[dict[str, Any]] = []
        with contextlib.ExitStack() as stack:
            should_stop = stack.enter_context(catching_interrupt())
            show = stack.enter_context(_showing_progress(progress))
            records = run.records(extra_losses, should_stop)
            stack.enter_context(contextlib.closing(records))
            reason: str | None = None
            while True:
                try:
                    record = records.send(reason)
                except StopIteration as end:
                    return run.make_result(end.value, history)
                show(record)
                reason = None
                if run.is_new(record):
                    history.append(_describe_record(record))
                    reason = _call(callbacks, record, run)

    def iterate(
        self,
        content: ImageLike | None,
        styles: ImageLike | Sequence[ImageLike] | None = None,
        *,
        every: int = 1,
        content_masks: ImageLike | Sequence[ImageLike] | None = None,
        style_masks: ImageLike | Sequence[ImageLike] | None = None,
        initial_image: ImageLike | None = None,
        extra_losses: dict[str, Callable] | None = None,
    ) -> Iterator[Step]:
        """Yields the picture at step 0, at every n-th step and at the last.

        Leaving the loop ends the run. The arguments are those of a call.

        Args:
            content: the image whose layout is kept; None makes a texture.
            styles: one image or several.
            every: n.
            content_masks: one per region, white inside.
            style_masks: one per style.
            initial_image: to start from.
            extra_losses: losses of one's own by name.

        Raises:
            ConfigError: if images and options contradict.
            ImageError: if an image file cannot be read.
            NotFiniteError: if the loss stops being finite.
        """
        if type(every) is not int or every < 1:
            raise ConfigError(
                f"`every` must be an integer of at least 1. Received: {every!r}"
            )
        run = self.prepare(
            content, styles, content_masks, style_masks, initial_image
        )
        return run.iterate(every, extra_losses)

    def prepare(
        self, content, styles, content_masks, style_masks, initial_image
    ) -> "Run":
        """Reads the images of a run, and resolves its options."""
        config = self._session.start(self._resolved)
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
                api_images.read_pixels(image, name, most)
                for image in given[name]
            ]

        def read_masks(name: str) -> list[np.ndarray]:
            return [
                api_images.read_mask(image, name, most) for image in given[name]
            ]

        content_file = next(iter(read("content")), None)
        initial_file = next(iter(read("initial_image")), None)
        files = ImageFiles(
            content=content_file and content_file.pixels,
            alpha=content_file and content_file.alpha,
            styles=[style.pixels for style in read("styles")],
            content_masks=read_masks("content_masks"),
            style_masks=read_masks("style_masks"),
            initial_image=initial_file and initial_file.pixels,
        )
        return Run(config, files, self._session, _name_files(given))


class Run:
    """One run of a Stylizer: its images, and its options with nothing open."""

    def __init__(
        self,
        config: Config,
        images: ImageFiles,
        session: Session,
        files: dict[str, Any],
    ):
        from tfstyle.training.plan import make_plan

        config.check_images(
            images.content is not None,
            len(images.styles),
            len(images.content_masks),
            len(images.style_masks),
        )
        replicas = session.replicas
        number = replicas.num_replicas if replicas else 1
        plan = make_plan(config, images.content, images.styles, number)
        self._last: tuple[int, int] | None = None
        self._plan = plan
        self._config = plan.config
        self._images = images
        self._replicas = replicas
        self._extractor = session.make_extractor(plan.config)
        facts = provenance.describe_weights(
            self._extractor.origin, self._extractor.sha256
        )
        self._source = Source(facts | images.describe(), files, images.alpha)

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
            self._config,
            content_masks=images.content_masks,
            style_masks=images.style_masks,
            initial_image=images.initial_image,
            extractor=self._extractor,
            extra_losses=extra_losses,
            should_stop=should_stop,
            replicas=self._replicas,
        )

    def iterate(self, every: int, extra_losses) -> Iterator[Step]:
        """Yields a step when it is time to."""
        records = self.records(extra_losses, lambda: None)
        with contextlib.closing(records):
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
        )


def stylize(
    content: ImageLike | None,
    styles: ImageLike | Sequence[ImageLike] | None = None,
    config: Config | None = None,
    *,
    preset: str | None = None,
    content_masks: ImageLike | Sequence[ImageLike] | None = None,
    style_masks: ImageLike | Sequence[ImageLike] | None = None,
    initial_image: ImageLike | None = None,
    callbacks: Sequence[Callback] = (),
    extra_losses: dict[str, Callable] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Result:
    """Renders the content in the style of the styles, in one call.

    The networks that were used last are kept.

    Example:
        >>> import tfstyle
        >>> result = tfstyle.stylize(
        ...     tfstyle.sample("scene"),
        ...     [tfstyle.sample("strokes"), tfstyle.sample("mosaic")],
        ...     style_blend_weights=[2, 1],
        ...     weights="random",
        ...     image_size=32,
        ...     num_steps=2,
        ... )
        >>> result.image.size
        (32, 24)

    Args:
        content: as a `Stylizer` is called with, and the others.
        styles: the same.
        config: as `Stylizer` takes it, and `preset` and `options`.
        preset: the same.
        content_masks: as a `Stylizer` is called with.
        style_masks: the same.
        initial_image: the same.
        callbacks: the same.
        extra_losses: the same.
        progress: the same.
        **options: fields of `Config`.

    Raises:
        TfstyleError: as `Stylizer` and its call do.
    """
    stylizer = Stylizer(config, preset=preset, **options)
    return stylizer(
        content,
        styles,
        content_masks=content_masks,
        style_masks=style_masks,
        initial_image=initial_image,
        callbacks=callbacks,
        extra_losses=extra_losses,
        progress=progress,
    )


def get_session(config: Config) -> Session:
    """Returns the session of a config's strategy, shared by all Stylizers."""
    return _SESSIONS.get(config.strategy, Session)


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


def _describe_record(record) -> dict[str, Any]:
    return {
        "step": record.step,
        "level": record.level,
        "evaluations": record.evaluations,
        "seconds": record.seconds,
        **record.losses,
    }


def _call(callbacks: Sequence[Callback], record, run: Run) -> str | None:
    """Calls the callbacks; returns the text that one of them returned."""
    if not callbacks:
        return None
    step = run.make_step(record)
    try:
        returned = [callback(step) for callback in callbacks]
    except KeyboardInterrupt:
        return REASON
    texts = [text for text in returned if isinstance(text, str)]
    return texts[-1] if texts else None


@contextlib.contextmanager
def _showing_progress(is_wanted: bool | None) -> Iterator[Callable]:
    """Yields a function that shows records as progress, or does nothing."""
    from tfstyle.experiment import progress

    if is_wanted is None:
        is_main = threading.current_thread() is threading.main_thread()
        is_wanted = is_main and (
            sys.stderr.isatty() or progress.is_in_notebook()
        )
    if not is_wanted:
        yield lambda record: None
        return
    bar = progress.ProgressBar()
    try:
        yield bar
    finally:
        bar.close()
