"""Building blocks for research: features, Gram matrices, the objective."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from tfstyle.api import images as api_images
from tfstyle.api.images import ImageLike
from tfstyle.api.run import Given
from tfstyle.api.run import Run
from tfstyle.api.run import start_session
from tfstyle.api.stylizer import Stylizer
from tfstyle.config.config import Config
from tfstyle.config.validation import keras_names
from tfstyle.errors import ConfigError
from tfstyle.images import preprocessing
from tfstyle.images.transparency import show
from tfstyle.network.layers import keras_name
from tfstyle.training.plan import choose_network

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

NETWORK = (
    *("weights", "weights_input", "seed"),
    *("pooling", "padding", "rescale_filters"),
)
"""Options of `Config` that change the features."""


def make_feature_model(layers: Sequence[str], **options: Any) -> "keras.Model":
    """Makes a Keras model that computes VGG19 features.

    Example:
        >>> import tfstyle
        >>> model = tfstyle.make_feature_model(["conv2_1"], weights="random")
        >>> model(tfstyle.preprocess(tfstyle.sample("scene")))[
        ...     "block2_conv1"
        ... ].shape
        TensorShape([1, 288, 384, 128])

    Args:
        layers: names of layers, such as `conv4_2` or `block4_conv2`.
        **options: the fields `weights`, `weights_input`, `seed`, `pooling`,
            `padding` and `rescale_filters` of `Config`. `pooling` defaults to
            `average`, as in the paper.

    Returns:
        A model from float32 `[B, H, W, 3]`, BGR minus ImageNet's mean, to
        `{Keras layer name: float32 [B, H_l, W_l, N_l]}`, after ReLU. It can be
        saved with `model.save` and loaded with `keras.models.load_model`; a
        new process must first `import tfstyle.network.vgg19`.

    Raises:
        ConfigError: if a layer or an option is invalid.
        WeightsError: if the weights cannot be loaded.
    """
    return _make_extractor(layers, options).model


def features(
    image: ImageLike, layers: Sequence[str], **options: Any
) -> dict[str, np.ndarray]:
    """Computes the VGG19 features of an image, F_l of the paper, by layer.

    Example:
        >>> import tfstyle
        >>> scene = tfstyle.sample("scene")
        >>> found = tfstyle.features(scene, ["conv3_1"], weights="random")
        >>> found["conv3_1"].shape
        (144, 192, 256)

    Args:
        image: see `ImageLike`; it is not resized.
        layers: names of layers, such as `conv4_2` or `block4_conv2`.
        **options: `weights`, `weights_input`, `seed`, `pooling`, `padding`
            and `rescale_filters`; see `make_feature_model`.

    Returns:
        `{layer name as given: float32 [H_l, W_l, N_l]}`, after ReLU.

    Raises:
        ConfigError: if the image, a layer or an option is invalid.
        ImageError: if an image file cannot be read.
        WeightsError: if the weights cannot be loaded.
    """
    found, _, _ = _compute_features(image, layers, options)
    return {name: found[name].numpy()[0] for name in found}


def gram_matrices(
    image: ImageLike, layers: Sequence[str], **options: Any
) -> dict[str, np.ndarray]:
    """Computes the Gram matrices of an image, `F F^T / M`, by layer.

    Example:
        >>> import tfstyle
        >>> strokes = tfstyle.sample("strokes")
        >>> grams = tfstyle.gram_matrices(
        ...     strokes, ["conv1_1", "conv2_1"], weights="random"
        ... )
        >>> grams["conv2_1"].shape
        (128, 128)

    Args:
        image: see `ImageLike`; it is not resized.
        layers: names of layers, such as `conv4_2` or `block4_conv2`.
        **options: `weights`, `weights_input`, `seed`, `pooling`, `padding`
            and `rescale_filters`; see `make_feature_model`.

    Returns:
        `{layer name as given: float32 [N_l, N_l]}`, in squared activations. M
        is the number of positions H_l W_l; transparent pixels are masked out
        and do not count.

    Raises:
        ConfigError: if the image, a layer or an option is invalid.
        ImageError: if an image file cannot be read.
        WeightsError: if the weights cannot be loaded.

    References:
        Gatys, Ecker, Bethge, 2015, eq. 3.
    """
    from tfstyle.objective.gram import gram_sum
    from tfstyle.objective.targets import average_by_layer

    found, seen, pooling = _compute_features(image, layers, options)
    masks = {}
    if seen is not None:
        names = [keras_name(name) for name in layers]
        masks = average_by_layer(seen, seen.shape, names, pooling)
    return {
        name: gram_sum(maps, masks.get(keras_name(name))).normalized().numpy()
        for name, maps in found.items()
    }


class Objective:
    """Objective function of style transfer, for use with any optimizer.

    Calling it with an image returns the total loss and its gradient. Images
    are float32 `[1, H, W, 3]`, BGR minus ImageNet's mean, with the size of
    `initial_image`. With the default padding this is the picture with a
    mirrored border, up to a multiple of the stride of the deepest layer.

    Attributes:
        config: the options, with every `auto` resolved.
        initial_image: float32 `[1, H, W, 3]`, the starting point.
    """

    def __init__(self, run: Run, extra_losses: Mapping[str, Callable] | None):
        from tfstyle.training.initial_image import make_initial_image
        from tfstyle.training.pyramid_objective import PyramidObjective
        from tfstyle.training.stylize import make_to_pixels

        pyramid = PyramidObjective(
            run.images,
            run.plan,
            run.extractor,
            extra_losses=extra_losses,
            replicas=run.replicas,
        )
        level = len(run.plan.levels) - 1
        self.config: Config = run.plan.config
        self.initial_image: np.ndarray = make_initial_image(
            run.images, pyramid, self.config, level
        )
        self._frame = run.plan.frame
        self._to_pixels = make_to_pixels(run.images, self.config)
        self._value_and_gradient = pyramid.make_objective(level)

    def __call__(self, image: Any) -> tuple["tf.Tensor", "tf.Tensor"]:
        """Computes the total loss and its gradient.

        Returns:
            The loss, float32 scalar, and the gradient, float32 `[1, H, W, 3]`.
        """
        terms, gradient = self._evaluate(image)
        return terms.total, gradient

    def losses(self, image: Any) -> dict[str, float]:
        """Computes all losses of an image by name, `total` first."""
        terms, _ = self._evaluate(image)
        return terms.to_floats()

    def to_pixels(self, image: Any) -> np.ndarray:
        """Converts an image to a picture, uint8 `[H, W, 3]`, RGB."""
        return self._to_pixels(self._frame.crop(np.asarray(image, np.float32)))

    def _evaluate(self, image: Any):
        import tensorflow as tf

        return self._value_and_gradient(tf.convert_to_tensor(image, tf.float32))


def make_objective(
    content: ImageLike | None,
    styles: ImageLike | Sequence[ImageLike] | None = None,
    config: Config | None = None,
    *,
    preset: str | None = None,
    content_masks: ImageLike | Sequence[ImageLike] | None = None,
    style_masks: ImageLike | Sequence[ImageLike] | None = None,
    initial_image: ImageLike | None = None,
    extra_losses: Mapping[str, Callable] | None = None,
    **options: Any,
) -> Objective:
    """Makes the objective function of style transfer, at the final size.

    Example:
        With SciPy:

        >>> import numpy as np
        >>> import scipy.optimize
        >>> import tfstyle
        >>> objective = tfstyle.make_objective(
        ...     tfstyle.sample("scene"),
        ...     tfstyle.sample("strokes"),
        ...     weights="random",
        ...     image_size=32,
        ... )
        >>> start = objective.initial_image
        >>> def value_and_gradient(x):
        ...     value, gradient = objective(x.reshape(start.shape))
        ...     return float(value), np.float64(gradient).ravel()
        >>> found = scipy.optimize.minimize(
        ...     value_and_gradient,
        ...     np.float64(start).ravel(),
        ...     jac=True,
        ...     method="L-BFGS-B",
        ...     options={"maxiter": 3},
        ... )
        >>> found.fun < float(objective(start)[0])
        True
        >>> objective.to_pixels(found.x.reshape(start.shape)).shape
        (24, 32, 3)

        With an optimizer of Keras:

        >>> import keras
        >>> image = keras.Variable(start)
        >>> optimizer = keras.optimizers.Adam(learning_rate=1.0)
        >>> for _ in range(3):
        ...     value, gradient = objective(image)
        ...     optimizer.apply([gradient], [image])
        >>> float(objective(image)[0]) < float(objective(start)[0])
        True

    Args:
        content: the content image; None makes a texture.
        styles: one or several style images.
        config: base options; by default the preset `photo`.
        preset: name of a preset to use as base options instead of `config`.
        content_masks: masks of the content, one per region, white inside.
        style_masks: masks of the styles, one per style; None uses whole styles.
        initial_image: the starting point, instead of the option `init`.
        extra_losses: custom losses by name; see `Stylizer.__call__`.
        **options: fields of `Config`; override the base options.

    Raises:
        ConfigError: if an option is invalid, or images and options disagree.
        ImageError: if an image file cannot be read.
        SetupError: if the machine cannot run it.
        WeightsError: if the weights cannot be loaded.
    """
    stylizer = Stylizer(config, preset=preset, **options)
    given = Given(content, styles, content_masks, style_masks, initial_image)
    run = stylizer.prepare(given, is_whole=bool(extra_losses))
    return Objective(run, extra_losses)


def _make_extractor(layers: Sequence[str], options: dict[str, Any]):
    for name in options:
        if name not in NETWORK:
            raise ConfigError(
                f"`{name}` does not affect features. Give only"
                f" {', '.join(NETWORK)}."
            )
    if isinstance(layers, str):
        raise ConfigError(
            "`layers` must be a list of names. Received:"
            f" layers={layers!r:.200}. Write [{layers!r:.200}]."
        )
    keras_names("layers", tuple(layers))
    config = Config(
        **{"pooling": "average", **options},  # as in the paper
        content_layers=layers,
        style_layers=layers,
        convolution="direct",
        precision="float32",
        strategy="one_device",
    )
    session, machine = start_session(config)
    return session.make_extractor(choose_network(config, machine))


def _compute_features(
    image, layers, options
) -> tuple[dict[str, "tf.Tensor"], np.ndarray | None, str]:
    """Computes an image's features by layer; also returns mask and pooling."""
    import tensorflow as tf

    extractor = _make_extractor(layers, options)
    shown = show(api_images.read_pixels(image, "image"), "`image`")
    found = extractor(tf.constant(preprocessing.preprocess(shown.pixels)))
    by_name = {name: found[keras_name(name)] for name in layers}
    return by_name, shown.mask, extractor.options.pooling
