"""Exports the feature extractor as a SavedModel, usable without tfstyle."""

import errno
import json
import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from tfstyle.config.config import Config
from tfstyle.errors import raising_write_errors
from tfstyle.experiment import provenance
from tfstyle.flags import flagfile
from tfstyle.images.preprocessing import IMAGENET_MEAN_BGR
from tfstyle.network import layers as vgg19_layers
from tfstyle.network.extractor import Extractor
from tfstyle.network.filter_means import read_filter_means
from tfstyle.objective.gram import gram_matrices
from tfstyle.serving import encoded_images
from tfstyle.system import atomic_file
from tfstyle.system import remote_files
from tfstyle.system.gradients import custom_gradient
from tfstyle.system.paths import is_address

FORMAT = 1
MODEL = "saved_model.pb"
"""File without which nothing loads a model."""
SMALLEST_SIDE = 16
INPUT = {
    "images": "[B, H, W, 3], RGB, 0..255, not preprocessed, H and W at least"
    " `smallest_side`; converters to other formats drop the check",
    "serve": "images in float32",
    "serve_uint8": "images in uint8",
    "gram": "images in float32",
    "style_descriptor": "images in float32",
    "encoded": "encoded_images [B], image files of one size",
    "encoded_resized": "encoded_images [B], image files of any sizes; size [2],"
    " height and width in int32, which the centres of the pictures fill",
    "encoded_formats": encoded_images.FORMATS,
    "encoded_differs_from_tfstyle": encoded_images.DIFFERENCES,
}


def export_extractor(extractor: Extractor, config: Config, folder: str) -> str:
    """Exports the extractor as a SavedModel, as the next version in a folder.

    Every endpoint processes a batch. `serve` (the default), `serve_uint8`,
    `encoded` and `encoded_resized` return the features of content and style
    layers by name, float32 `[B, H_l, W_l, N_l]`; `gram` returns the normalised
    Gram matrices of the style layers by name, `[B, C, C]`; `style_descriptor`
    returns their upper triangles, concatenated over layers, `[B, D]`.

    Args:
        extractor: feature extractor in float32 with direct convolutions, so
            that it runs anywhere.
        config: options that name the layers; described in
            `assets/tfstyle.json`.
        folder: path or address of the folder of the versions `1`, `2` and so
            on; existing versions are never changed.

    Returns:
        The path of the new version.

    Raises:
        WriteError: if the folder cannot be written.
    """
    folder = folder.rstrip("/") or folder
    if is_address(folder):
        with tempfile.TemporaryDirectory() as scratch:
            return _upload(_export(extractor, config, scratch), folder)
    with raising_write_errors(f"The folder {folder!r}"):
        return _export(extractor, config, folder)


def _upload(model_path: str, folder: str) -> str:
    """Uploads a model as the next version; the file that loaders need last."""
    number = _next_version(remote_files.list_names(folder))
    paths = [
        os.path.join(parent, name)
        for parent, _, names in os.walk(model_path)
        for name in names
    ]
    for path in sorted(paths, key=lambda path: path.endswith(MODEL)):
        name = os.path.relpath(path, model_path)
        remote_files.upload(path, f"{folder}/{number}/{name}")
    return f"{folder}/{number}"


def _next_version(names: list[str]) -> int:
    """Returns the number after the highest version among names."""
    return 1 + max((int(n) for n in names if n.isdecimal()), default=0)


def _export(extractor: Extractor, config: Config, folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix=".export-", dir=folder)
    try:
        model_path = os.path.join(scratch, "model")
        for name in ("assets", "variables"):
            # TensorFlow would create them without write access for the group.
            os.makedirs(os.path.join(model_path, name))
        _write_model(extractor, config, model_path)
        assets = os.path.join(model_path, "assets")
        facts = json.dumps(_describe(extractor, config), indent=2)
        atomic_file.write_text(os.path.join(assets, "tfstyle.json"), facts)
        atomic_file.sync_tree(model_path)
        return _rename_to_next_version(model_path, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_model(extractor: Extractor, config: Config, path: str) -> None:
    smallest_side = _smallest_side(config)
    style_layers = config.style_layers
    module = tf.Module()
    module.weights = _copy_frozen(extractor)

    def serve(images):
        return _extract(extractor, module.weights, images, smallest_side)

    def gram(images):
        features = serve(images)
        return {name: gram_matrices(features[name]) for name in style_layers}

    def style_descriptor(images):
        return {"style_descriptor": _join_triangles(*gram(images).values())}

    def serve_uint8(images):
        return serve(tf.cast(images, tf.float32))

    def encoded(files):
        return serve_uint8(encoded_images.decode_batch(files))

    def encoded_resized(files, size):
        return serve_uint8(encoded_images.decode_batch(files, size))

    def trace(endpoint, *inputs):
        return tf.function(endpoint, input_signature=inputs, autograph=False)

    def images_of(dtype):
        return tf.TensorSpec([None, None, None, 3], dtype, name="images")

    files = tf.TensorSpec([None], tf.string, name="encoded_images")
    size = tf.TensorSpec([2], tf.int32, name="size")
    signatures = {
        "serve": trace(serve, images_of(tf.float32)),
        "serve_uint8": trace(serve_uint8, images_of(tf.uint8)),
        "gram": trace(gram, images_of(tf.float32)),
        "style_descriptor": trace(style_descriptor, images_of(tf.float32)),
        "encoded": trace(encoded, files),
        "encoded_resized": trace(encoded_resized, files, size),
    }
    signatures["serving_default"] = signatures["serve"]
    # Signatures only: TensorFlow Lite's converter takes a model with a method
    # `serve` for one of Keras, and drops all signatures but the default.
    # With gradients, which XLA compiles once and not for every image.
    settings = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, path, signatures, settings)


def _copy_frozen(extractor: Extractor) -> list[tf.Variable]:
    """Copies the weights to variables that no optimizer changes.

    The variables of a Keras model are saved as trainable, even if the model is
    frozen.
    """
    return [
        tf.Variable(weight.value, trainable=False, name=weight.path)
        for weight in extractor.model.weights
    ]


def _extract(
    extractor: Extractor,
    weights: list[tf.Variable],
    images: tf.Tensor,
    smallest_side: int,
) -> dict[str, tf.Tensor]:
    """Preprocesses images in the graph and computes their features by layer.

    Channels are reversed by a slice, as XLA compiles the gradient of
    `tf.reverse` anew for every image.
    """
    shape = tf.shape(images)
    check = tf.debugging.Assert(
        tf.reduce_min(shape[1:3]) >= smallest_side,
        [
            f"Images must be at least {smallest_side} pixels high and wide."
            " Received (batch, height, width, channels):",
            shape,
        ],
    )
    with tf.control_dependencies([check]):
        bgr = images[..., ::-1]
    image = bgr - tf.constant(IMAGENET_MEAN_BGR, tf.float32)
    features, _ = extractor.model.stateless_call([], weights, image)
    return features


@custom_gradient
def _join_triangles(*matrices: tf.Tensor) -> tf.Tensor:
    """Joins upper triangles, with diagonals, of `[B, C, C]` to `[B, D]`."""
    sizes = [matrix.shape[-1] for matrix in matrices]
    triangles = list(map(_find_triangle, sizes))
    joined = tf.concat(
        [
            tf.gather(tf.reshape(matrix, [-1, size**2]), places, axis=1)
            for matrix, size, places in zip(
                matrices, sizes, triangles, strict=True
            )
        ],
        axis=1,
    )

    def gradient(upstream):
        parts = tf.split(upstream, [len(x) for x in triangles], axis=1)
        return [
            tf.reshape(
                tf.transpose(
                    tf.scatter_nd(
                        places[:, np.newaxis],
                        tf.transpose(part),
                        [size**2, tf.shape(part)[0]],
                    )
                ),
                [-1, size, size],
            )
            for part, size, places in zip(parts, sizes, triangles, strict=True)
        ]

    return joined, gradient


def _find_triangle(size: int) -> np.ndarray:
    """Returns the places of an upper triangle in a flat `[C C]`, int32."""
    rows, columns = np.triu_indices(size)
    return (rows * size + columns).astype(np.int32)


def _describe(extractor: Extractor, config: Config) -> dict:
    """Returns the description of the export, for JSON."""
    means = None
    if config.rescale_filters:
        means = {n: m.tolist() for n, m in read_filter_means().items()}
    return {
        "format": FORMAT,
        "network": "VGG19",
        "content_layers": config.content_layers,
        "style_layers": config.style_layers,
        "pooling": extractor.options.pooling,
        "padding": config.padding,
        "filter_means": means,
        "weights": provenance.name_weights(extractor.origin, config),
        "weights_sha256": extractor.sha256,
        "versions": flagfile.versions(),
        "input": INPUT,
        "smallest_side": _smallest_side(config),
    }


def _smallest_side(config: Config) -> int:
    """Returns the minimum height and width of an image, pixels."""
    layers = (*config.content_layers, *config.style_layers)
    return max(SMALLEST_SIDE, vgg19_layers.deepest(layers).stride)


def _rename_to_next_version(path: str, folder: str) -> str:
    """Renames a folder to the next free version number.

    If another export takes that number first, renaming fails, as the target
    is not empty, and the next number is tried.
    """
    while True:
        number = _next_version(os.listdir(folder))
        target = os.path.join(folder, str(number))
        try:
            os.rename(path, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return target
