"""Decodes batches of image files inside a TensorFlow graph.

Only TensorFlow operations are used, so that the graph runs in TF Serving and
C++. A file that cannot be decoded raises `tf.errors.InvalidArgumentError`.
"""

import tensorflow as tf

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
DIFFERENCES = (
    "Send pictures upright, in sRGB and 8 bits: EXIF orientation and colour"
    " profiles are ignored; 16-bit grey levels may be 1 off.",
    "PNG of 16 bits: levels are divided by 257, also where tfstyle finds 8 to"
    " 15 bits in use and warns 'read as 12 bits'. A picture of 12 bits is"
    " nearly black.",
    "GIF: a transparent pixel is black, not the colour that it hides. A first"
    " frame smaller than the canvas cuts the picture at the top left to the"
    " frame's size, black outside the frame; tfstyle fills the canvas.",
    "BMP: a palette is ignored, 1 bit a pixel is refused.",
    "WebP: still and without alpha, if the TensorFlow that runs the model"
    " decodes WebP (2.21 does, 2.16 does not).",
    "AVIF, HEIC and TIFF are refused, and files that are cut off.",
    "encoded_resized: pixels are those of Pillow's Lanczos filter or 1 grey"
    " level off; in crops of very wide shape, for which Pillow may resize rows"
    " before columns, single pixels up to 12, 0.25 in the mean.",
)
"""Known differences from the pixels of `read_image`."""


def decode_batch(files: tf.Tensor, size: tf.Tensor | None = None) -> tf.Tensor:
    """Decodes a batch of image files, optionally resized and centre-cropped.

    Args:
        files: string `[B]`, contents of image files.
        size: int32 `[2]`, height and width of the output, pixels. None keeps
            the size, which all files must share.

    Returns:
        uint8 `[B, height, width, 3]`, RGB.
    """

    def decode_one(file):
        pixels = decode(file)
        return pixels if size is None else fill(pixels, size)

    output = tf.TensorSpec([None, None, 3], tf.uint8)
    return tf.map_fn(decode_one, files, fn_output_signature=output)


def decode(file: tf.Tensor) -> tf.Tensor:
    """Decodes an image file to uint8 `[H, W, 3]`, RGB.

    Alpha is dropped; of an animation the first frame is used.

    Note: JPEG uses the same inverse DCT as Pillow. The default of
    `decode_image` is faster, but 1 grey level off on average.
    """
    pixels = tf.cond(
        tf.io.is_jpeg(file),
        lambda: tf.io.decode_jpeg(
            file, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tf.io.decode_image(file, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def fill(pixels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resizes an image to fill a size and crops both sides equally.

    Equivalent to `PIL.ImageOps.fit(image, size, LANCZOS)`, and to
    `tfstyle.images.resize` if the excess is less than a pixel, which is not
    cropped.

    Args:
        pixels: uint8 `[H, W, 3]`, the image.
        size: int32 `[2]`, height and width of the output, pixels.

    Returns:
        uint8 `[height, width, 3]`.

    Note: Pillow rounds and clips between the two passes, columns first.
    """
    height, width = size[0], size[1]
    sides = tf.cast(tf.shape(pixels)[:2], tf.float32)
    target = tf.cast(size, tf.float32)
    scales = target / sides
    scale = tf.reduce_max(scales)
    has_its_shape = tf.reduce_max(scale * sides - target) < 1
    scales = tf.where(has_its_shape, scales, tf.stack([scale, scale]))
    shifts = (target - scales * sides) / 2
    image = tf.cast(pixels[tf.newaxis], tf.float32)
    image = _resample(
        image, (tf.shape(pixels)[0], width), (1.0, scales[1]), (0.0, shifts[1])
    )
    image = _resample(
        image, (height, width), (scales[0], 1.0), (shifts[0], 0.0)
    )
    return tf.cast(image[0], tf.uint8)


def _resample(image: tf.Tensor, size, scales, shifts) -> tf.Tensor:
    """Resamples an image `[1, H, W, C]`; rounds and clips to 0..255."""
    image = tf.raw_ops.ScaleAndTranslate(
        images=image,
        size=tf.stack(size),
        scale=tf.stack(scales),
        translation=tf.stack(shifts),
        kernel_type="lanczos3",
        antialias=True,
    )
    return tf.clip_by_value(tf.round(image), 0, 255)
