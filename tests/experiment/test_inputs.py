"""The image files that a config names."""

import numpy as np
import pytest
from PIL import Image

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ImageError
from tfstyle.experiment.inputs import expand_image_names
from tfstyle.experiment.inputs import read_images
from tfstyle.images.image_set import describe_image


@pytest.fixture
def save(tmp_path, generator):
    """Returns a function that saves a picture and gives path and pixels."""

    def save(name, channels=3):
        shape = (18, 24) if channels == 1 else (18, 24, channels)
        pixels = generator.integers(0, 256, shape).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
        return str(tmp_path / name), pixels

    return save


def test_every_file_is_read(save):
    content, with_alpha = save("content.png", 4)
    (one, first), (two, second) = save("one.png"), save("two.png")
    mask, inside = save("mask.png", 1)
    start, initial = save("start.png")
    images = read_images(
        RunConfig(
            content_image=content,
            style_images=[one, two],
            content_masks=[mask, mask],
            style_masks=[mask, mask],
            init=start,
        )
    )
    seen = with_alpha[..., 3] > 0
    pixels, alpha = images.content[:2]
    np.testing.assert_array_equal(pixels[seen], with_alpha[seen][:, :3])
    np.testing.assert_array_equal(alpha, with_alpha[..., 3])
    for style, expected in zip(images.styles, (first, second), strict=True):
        np.testing.assert_array_equal(style.pixels, expected)
        assert style.alpha is None
    np.testing.assert_array_equal(images.content_masks, [inside, inside])
    np.testing.assert_array_equal(images.style_masks, [inside, inside])
    np.testing.assert_array_equal(images.initial_image, initial)
    assert list(images.describe()) == [
        "content_image",
        "init",
        "style_images 1",
        "style_images 2",
        "content_masks 1",
        "content_masks 2",
        "style_masks 1",
        "style_masks 2",
    ]


def test_what_is_not_named_is_not_read(save):
    images = read_images(RunConfig(style_images=[save("a.png")[0]]))
    assert images.content is images.alpha is images.initial_image is None
    assert list(images.describe()) == ["style_images 1"]


@pytest.mark.parametrize(
    ("name", "reason", "fields"),
    [
        (
            "nowhere.png",
            "",
            ("content_image", "style_images", "content_masks", "init"),
        ),
        (
            "clear.png",
            "transparent",
            ("content_image", "style_images", "init"),
        ),
        ("large.png", "at most 432 pixels", ("content_image", "style_images")),
    ],
)
def test_picture_that_cannot_be_used_is_named(
    save, tmp_path, name, reason, fields
):
    style, _ = save("style.png")
    Image.new("RGBA", (20, 20)).save(tmp_path / "clear.png")
    Image.new("RGB", (20, 22)).save(tmp_path / "large.png")
    path = str(tmp_path / name)
    for field in fields:
        value = [path] if field in ("style_images", "content_masks") else path
        config = RunConfig(
            **{"style_images": [style], field: value}, max_image_pixels=18 * 24
        )
        with pytest.raises(ImageError, match=f"{name}.*{reason}"):
            read_images(config)


def test_describe_image_gives_width_height_and_hash():
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    # sha256sum of the file whose bytes are "2x3", then 0 to 17
    digest = "42512c7f0cf446fcab9763274cfb4ebc6fc8b62677eb8f20b6f54bef6f3149d9"
    assert describe_image(pixels) == f"3x2 sha256={digest}"


def test_describe_image_differs_by_shape_and_by_any_level(generator):
    pixels = generator.integers(0, 255, (6, 8, 3), np.uint8)
    changed = pixels.copy()
    changed[5, 7, 2] += 1
    others = (pixels.reshape(8, 6, 3), changed, pixels[::-1])
    hashes = {describe_image(x).split("=")[1] for x in (pixels, *others)}
    assert len(hashes) == 4
    for view in (pixels[::-1], pixels[:, ::2], pixels[..., ::-1]):
        assert describe_image(view) == describe_image(view.copy())


def test_pictures_that_look_alike_have_one_hash(tmp_path, generator):
    pixels = generator.integers(0, 256, (18, 24, 4)).astype(np.uint8)
    pixels[:9, :, 3] = 0
    pixels[9:, :, 3] = 255
    descriptions = []
    for number, hidden in enumerate((0, 255)):
        path = tmp_path / f"{number}.png"
        Image.fromarray(
            np.where(pixels[..., 3:] == 0, [hidden] * 3 + [0], pixels).astype(
                np.uint8
            )
        ).save(path)
        images = read_images(RunConfig(style_images=[str(path)]))
        descriptions.append(images.describe())
    assert descriptions[0] == descriptions[1]
    Image.fromarray(pixels[..., :3]).save(tmp_path / "opaque.png")
    opaque = RunConfig(style_images=[str(tmp_path / "opaque.png")])
    assert read_images(opaque).describe() != descriptions[0]


def test_pattern_of_contents_names_the_manifest(tmp_path):
    config = RunConfig(content_image=f"{tmp_path}/*.jpg")
    with pytest.raises(ImageError, match="--manifest"):
        expand_image_names(config)
