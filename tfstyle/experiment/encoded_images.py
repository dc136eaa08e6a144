"""Decodes image files inside a TensorFlow graph, as `read_image` does outside.

Only TensorFlow's operations are used, so that the graph runs in TF Serving and
C++. WebP goes through the operation `DecodeImage`, which every TensorFlow can
load; one that cannot decode WebP says so when such a file comes.
"""

import tensorflow as tf

from tfstyle.experiment import exif_orientation
from tfstyle.experiment.file_bytes import at
from tfstyle.experiment.file_bytes import number
from tfstyle.experiment.file_bytes import starts

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WebP")
"""In the order of `_kind`."""
DIFFERENCES = (
    "Colour profiles are not applied: pixels are taken as sRGB.",
    "Of metadata only the EXIF orientation is used: that of JPEG, of PNG's"
    " chunk eXIf and of WebP; not an orientation in XMP.",
    "Transparency is left out: colours that it hides are seen.",
    "GIF: a transparent pixel is black, not the colour that it hides.",
    "BMP: 8, 24 or 32 bits, not compressed.",
    "WebP: still pictures, if the TensorFlow that runs the model decodes WebP"
    " (2.21 does, 2.16 does not).",
    "AVIF, HEIC and TIFF are not read, nor is a file that is cut off.",
    "encoded_resized: pixels are those of Pillow's Lanczos filter or 1 grey"
    " level off; in crops of very wide shape, for which Pillow may resize rows"
    " before columns, single pixels up to 12, 0.25 in the mean.",
)
"""Between these signatures and what the program reads."""
_WEBP_ANIMATION = 2  # of the flags of VP8X


def decode_batch(files: tf.Tensor) -> tf.Tensor:
    """Decodes files of one size, each turned upright.

    Args:
        files: string `[B]`.

    Returns:
        uint8 `[B, H, W, 3]`, RGB.
    """

    def decode_flat(elements):
        pixels = decode(*elements)
        return tf.shape(pixels), tf.reshape(pixels, [-1])

    _check_batch(files)
    shapes, flat = tf.map_fn(
        decode_flat,
        (files, tf.range(tf.size(files))),
        fn_output_signature=(
            tf.TensorSpec([3], tf.int32),
            tf.RaggedTensorSpec([None], tf.uint8, ragged_rank=0),
        ),
    )
    check = tf.debugging.Assert(
        tf.reduce_all(shapes == shapes[:1]),
        [
            "The pictures of a request to `encoded` must have one size. Use"
            " `encoded_resized`, or one request a picture. Received (height,"
            " width, channels):",
            shapes,
        ],
        summarize=15,
    )
    with tf.control_dependencies([check]):
        batch_shape = tf.concat([tf.shape(files), shapes[0]], axis=0)
    images = tf.reshape(flat.flat_values, batch_shape)
    return tf.ensure_shape(images, [None, None, None, 3])


def decode_and_resize_batch(
    files: tf.Tensor, size: tf.Tensor, smallest_side: int
) -> tf.Tensor:
    """Decodes files of any sizes, and fills one size with their centres.

    Args:
        files: string `[B]`.
        size: int32 `[2]`, height and width in pixels.
        smallest_side: the least that either may be.

    Returns:
        uint8 `[B, height, width, 3]`, RGB.
    """
    check = tf.debugging.Assert(
        tf.reduce_min(size) >= smallest_side,
        [
            f"`size` must be height and width, at least {smallest_side} pixels"
            " each. Received:",
            size,
        ],
    )
    _check_batch(files)
    with tf.control_dependencies([check]):
        return tf.map_fn(
            lambda elements: fill(decode(*elements), size),
            (files, tf.range(tf.size(files))),
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
        )


def fill(pixels: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resizes until a size is filled, and crops what stands over equally.

    That is `PIL.ImageOps.fit(image, size, LANCZOS)`; and the program's
    `resize` if what stands over is less than a pixel, which is not cropped.

    Args:
        pixels: uint8 `[H, W, 3]`.
        size: int32 `[2]`, height and width.

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
    """Resamples `[1, H, W, C]`, rounded and clipped to 0..255."""
    image = tf.raw_ops.ScaleAndTranslate(
        images=image,
        size=tf.stack(size),
        scale=tf.stack(scales),
        translation=tf.stack(shifts),
        kernel_type="lanczos3",
        antialias=True,
    )
    return tf.clip_by_value(tf.round(image), 0, 255)


def decode(file: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Decodes a file, turned upright, alpha left out, a GIF's first frame.

    Args:
        file: string scalar.
        index: int32 scalar, the file's place in the batch, for messages.

    Returns:
        uint8 `[H, W, 3]`, RGB.
    """
    data = tf.io.decode_raw(file, tf.uint8)
    kind = _kind(data)
    known = tf.debugging.Assert(
        (kind >= 0) & _is_decodable_bmp(data) & ~_is_animated_webp(data),
        [
            "`encoded_images` must hold JPEG, PNG, GIF, BMP (8, 24 or 32 bits,"
            " not compressed) or WebP (still) files. Save it anew as PNG or"
            " JPEG. Received another as file number (from 0):",
            index,
        ],
    )
    with tf.control_dependencies([known]):
        kind = tf.maximum(kind, 0)
    orientation, has_end = exif_orientation.read(data, kind)
    whole = tf.debugging.Assert(
        has_end & _is_whole_bmp(data),
        [
            "A file of `encoded_images` is cut off. Copy or save it anew."
            " Received it as file number (from 0):",
            index,
        ],
    )
    with tf.control_dependencies([whole]):
        file = tf.identity(file)
    pixels = tf.switch_case(
        kind,
        [
            lambda: _decode_jpeg(file),
            lambda: _decode_png(file, data),
            lambda: _decode_any(file),
            lambda: _decode_bmp(file, data),
            lambda: _decode_any(file),
        ],
    )
    pixels = tf.ensure_shape(pixels, [None, None, 3])
    return exif_orientation.turn_upright(pixels, orientation)


def _check_batch(files: tf.Tensor) -> None:
    tf.debugging.Assert(
        tf.size(files) > 0, ["`encoded_images` must hold at least one file."]
    )


def _kind(data: tf.Tensor) -> tf.Tensor:
    """Returns the index of the file's format in FORMATS, or -1."""
    found = tf.stack(
        [
            starts(data, 0, b"\xff\xd8\xff"),
            starts(data, 0, b"\x89PNG\r\n\x1a\n"),
            starts(data, 0, b"GIF8"),
            starts(data, 0, b"BM"),
            starts(data, 0, b"RIFF") & starts(data, 8, b"WEBP"),
        ]
    )
    index = tf.argmax(found, output_type=tf.int32)
    return tf.where(tf.reduce_any(found), index, -1)


def _is_animated_webp(data: tf.Tensor) -> tf.Tensor:
    """True for a WebP that moves, on which TensorFlow 2.21 may crash."""
    is_extended = starts(data, 8, b"WEBPVP8X")
    return is_extended & (number(data, 20, 1) & _WEBP_ANIMATION > 0)


def _is_decodable_bmp(data: tf.Tensor) -> tf.Tensor:
    """False for a BMP that TensorFlow refuses or takes for another picture."""
    bits, compression = number(data, 28, 2), number(data, 30, 4)
    plain = (compression == 0) & ((bits == 8) | (bits == 24) | (bits == 32))
    usual_masks = starts(data, 54, b"\0\0\xff\0\0\xff\0\0\xff\0\0\0")
    masked = (compression == 3) & (bits == 32) & usual_masks
    return ~starts(data, 0, b"BM") | (
        (number(data, 14, 4) >= 40) & (plain | masked)
    )


def _is_whole_bmp(data: tf.Tensor) -> tf.Tensor:
    """False for a BMP that ends before its last row."""
    width, height = number(data, 18, 4), number(data, 22, 4)
    height = tf.minimum(height, 2**32 - height)  # negative: from the top
    row = (width * number(data, 28, 2) + 31) // 32 * 4  # bytes
    end = number(data, 10, 4) + row * height
    return ~starts(data, 0, b"BM") | (end <= tf.size(data, tf.int64))


def _decode_jpeg(file: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(file: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """Rounds 16-bit grey levels; Pillow keeps the upper 8 of 16-bit colours."""
    is_wide_grey = starts(data, 24, b"\x10\x00")  # bit depth, colour type

    def decode_wide():
        levels = tf.io.decode_png(file, channels=3, dtype=tf.uint16)
        return tf.cast(tf.round(tf.cast(levels, tf.float32) / 257), tf.uint8)

    return tf.cond(
        is_wide_grey, decode_wide, lambda: tf.io.decode_png(file, channels=3)
    )


def _decode_bmp(file: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """Looks 8-bit pixels up in the palette, which TensorFlow leaves out."""
    pixels = tf.io.decode_bmp(file)

    def look_up():
        palette = at(data, 14 + number(data, 14, 4), 4 * 256)
        bgr = tf.reshape(palette, [256, 4])[:, :3]
        return tf.gather(bgr[:, ::-1], tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(number(data, 28, 2) == 8, look_up, lambda: pixels[..., :3])


def _decode_any(file: tf.Tensor) -> tf.Tensor:
    pixels = tf.raw_ops.DecodeImage(
        contents=file, channels=0, expand_animations=False
    )
    return pixels[..., :3]
