"""Neural style transfer in Python: `Stylizer` and `stylize`."""

import numbers
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from tfstyle.api.callbacks import REASON
from tfstyle.api.callbacks import Callback
from tfstyle.api.callbacks import Interrupted
from tfstyle.api.callbacks import call
from tfstyle.api.callbacks import catching_interrupt
from tfstyle.api.callbacks import check_callbacks
from tfstyle.api.callbacks import showing_progress
from tfstyle.api.film import FilmLike
from tfstyle.api.film import paint_film
from tfstyle.api.images import ImageLike
from tfstyle.api.options import make_config
from tfstyle.api.result import Result
from tfstyle.api.result import Step
from tfstyle.api.run import Given
from tfstyle.api.run import Run
from tfstyle.api.run import describe_record
from tfstyle.api.run import make_result
from tfstyle.api.run import start_session
from tfstyle.config.config import Config
from tfstyle.errors import ConfigError
from tfstyle.experiment.session import Session
from tfstyle.training.plan import choose_network


class Stylizer:
    """Neural style transfer with one network and one set of options.

    The network is loaded once; compiled steps and Gram matrices of styles are
    cached between calls. A Stylizer may be shared by threads.

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
        >>> stylizer(result, strokes, num_steps=1).step
        1

    Args:
        config: base options; by default the preset `photo`.
        preset: name of a preset to use as base options instead of `config`,
            such as `photo`, `gatys2015` or `texture`; see `tfstyle --help`.
        **options: fields of `Config`; override the base options.

    Attributes:
        config: the resulting options.

    Raises:
        ConfigError: if an option is invalid.
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
        self._session, machine = start_session(self.config)
        # Loaded here so that the first call does not wait for it.
        self._session.make_extractor(choose_network(self.config, machine))

    def __reduce__(self):
        """Pickles and copies only the options; the network is loaded again."""
        return Stylizer, (self.config,)

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
        **options: Any,
    ) -> Result:
        """Renders the content in the style of the styles.

        Ctrl-C, or a notebook's stop button, ends the run after the current
        step and raises `Interrupted`, a KeyboardInterrupt whose `result` is
        the picture so far.

        Args:
            content: the content image, whose layout is kept; None makes a
                texture.
            styles: one or several style images; None reconstructs the content.
                Several styles are blended, or assigned to regions by masks.
            content_masks: masks of the content, one per region, white inside.
            style_masks: masks of the styles, one per style, white on the part
                whose style is used; None uses whole styles.
            initial_image: the starting point, instead of the option `init`.
            callbacks: functions called in order with the `Step` of every step.
                A returned string ends the run.
            extra_losses: custom losses by name: functions of the picture,
                float32 `[1, H, W, 3]`, BGR minus ImageNet's mean, and of the
                features by Keras layer name, that return a weighted loss,
                float32 scalar. Features cover a frame a few pixels larger if
                the picture's sides are not multiples of the network's stride.
            progress: True shows a progress bar, False none; None shows one on
                a terminal and in a notebook.
            **options: fields of `Config`, for this picture only.

        Raises:
            ConfigError: if an option is invalid, or images and options
                disagree.
            ImageError: if an image file cannot be read.
            Interrupted: if Ctrl-C was pressed.
            NotFiniteError: if the loss stops being finite.
        """
        check_callbacks(callbacks)
        given = Given(
            content, styles, content_masks, style_masks, initial_image
        )
        run = self.prepare(given, is_whole=bool(extra_losses), **options)

        from tfstyle.training.callbacks import EverySteps
        from tfstyle.training.stylize import run_to_end

        history: list[dict[str, Any]] = []

        def act(record) -> str | None:
            history.append(describe_record(record))
            return call(callbacks, record, run)

        with (
            catching_interrupt() as should_stop,
            showing_progress(progress) as bars,
        ):
            records = run.records(extra_losses, should_stop)
            made = run_to_end(records, [*bars, EverySteps(1, act)])
        result = make_result(made, run.plan.config, run.source, history)
        if result.reason == REASON:
            raise Interrupted(result)
        return result

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
        **options: Any,
    ) -> Iterator[Step]:
        """Yields the picture at step 0, at every n-th step and at the last.

        Leaving the loop ends the run.

        Args:
            content: the content image; None makes a texture.
            styles: one or several style images.
            every: number of steps between pictures, n.
            content_masks: masks of the content, one per region, white inside.
            style_masks: masks of the styles, one per style, or None.
            initial_image: the starting point, instead of the option `init`.
            extra_losses: custom losses by name; see `Stylizer.__call__`.
            **options: fields of `Config`, for this picture only.

        Raises:
            ConfigError: if an option is invalid, or images and options
                disagree.
            ImageError: if an image file cannot be read.
            NotFiniteError: if the loss stops being finite.
        """
        if not isinstance(every, numbers.Integral) or every < 1:
            raise ConfigError(
                "`every` must be an integer of at least 1. Received:"
                f" {every!r}."
            )
        given = Given(
            content, styles, content_masks, style_masks, initial_image
        )
        run = self.prepare(given, is_whole=bool(extra_losses), **options)
        return run.iterate(int(every), extra_losses)

    def film(
        self,
        film: FilmLike,
        styles: ImageLike | Sequence[ImageLike] | None = None,
        *,
        frames: str | None = None,
        content_masks: ImageLike | Sequence[ImageLike] | None = None,
        style_masks: ImageLike | Sequence[ImageLike] | None = None,
        **options: Any,
    ) -> Iterator[Result]:
        """Yields the painting of each frame of a film, steady over time.

        Example:
            >>> import tfstyle
            >>> stylizer = tfstyle.Stylizer(
            ...     weights="random", image_size=32, num_steps=2, frame_steps=1
            ... )
            >>> scene = tfstyle.sample("scene")
            >>> film = [scene[:, x : x + 600] for x in range(0, 30, 10)]
            >>> painted = stylizer.film(film, tfstyle.sample("strokes"))
            >>> [frame.step for frame in painted]
            [2, 1, 1]

        Args:
            film: path of a film or of a folder of numbered pictures, or its
                frames.
            styles: one or several style images.
            frames: the frames to paint, such as 100-200, or 1-500/10 for
                every tenth; None for all.
            content_masks: masks of the regions, for all frames, or paths of
                folders with a mask for each frame.
            style_masks: masks of the styles, one per style, or None.
            **options: fields of `Config`, for this film only.

        Raises:
            ConfigError: if an option is invalid, or images and options
                disagree.
            ImageError: if the film or an image cannot be read.
            NotFiniteError: if the loss stops being finite.
            SetupError: if the extra `video` is not installed.
        """
        config, session = self._with_options(options)
        given = Given(None, styles, None, style_masks, None)
        return paint_film(config, session, film, given, content_masks, frames)

    def prepare(
        self, given: Given, *, is_whole: bool = False, **options: Any
    ) -> Run:
        """Reads the images of a call and plans its run.

        Args:
            given: the images of the call.
            is_whole: True if extra losses need the whole frame, without tiles.
            **options: fields of `Config`, for this run only.
        """
        config, session = self._with_options(options)
        return Run(config, session, given, is_whole=is_whole)

    def _with_options(self, options: dict[str, Any]) -> tuple[Config, Session]:
        """Returns the config with the options of a call, and its session."""
        if not options:
            return self.config, self._session
        config = make_config(self.config, None, options)
        session, _ = start_session(config)
        return config, session


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

    Recently used networks are cached between calls.

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
        content: the content image, whose layout is kept; None makes a texture.
        styles: one or several style images; None reconstructs the content.
        config: base options; by default the preset `photo`.
        preset: name of a preset to use as base options instead of `config`.
        content_masks: masks of the content, one per region, white inside.
        style_masks: masks of the styles, one per style; None uses whole styles.
        initial_image: the starting point, instead of the option `init`.
        callbacks: functions called in order with the `Step` of every step. A
            returned string ends the run.
        extra_losses: custom losses by name; see `Stylizer.__call__`.
        progress: True shows a progress bar, False none; None shows one on a
            terminal and in a notebook.
        **options: fields of `Config`; override the base options.

    Raises:
        ConfigError: if an option is invalid, or images and options disagree.
        ImageError: if an image file cannot be read.
        Interrupted: if Ctrl-C was pressed; its `result` is the picture so far.
        NotFiniteError: if the loss stops being finite.
        SetupError: if the machine cannot run it.
        WeightsError: if the weights cannot be loaded.
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
