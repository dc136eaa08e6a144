"""`tools/style_retrieval.py` as a process, on styles that are known."""

import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.spatial import distance

from tests.processes import run_tool
from tfstyle.config.config import Config
from tfstyle.images.preprocessing import preprocess
from tfstyle.serving import saved_model
from tfstyle.training.extractor import make_extractor

SIDE = 32


@pytest.fixture(scope="module")
def extractor():
    return make_extractor(make_config())


@pytest.fixture(scope="module")
def model(extractor, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    return saved_model.export_extractor(extractor, make_config(), folder)


def make_config():
    return Config(
        weights="random",
        convolution="direct",
        content_layers=("conv1_1",),
        style_layers=("conv1_1", "conv2_1"),
    ).resolved()


def make_picture(angle, height, width, generator):
    """Returns stripes of one orientation, of random phase and contrast."""
    rows, columns = np.mgrid[:height, :width]
    across = np.cos(angle) * rows + np.sin(angle) * columns
    phase = generator.uniform(0, 2 * np.pi)
    wave = generator.uniform(60, 100) * np.sin(across + phase)
    pixels = 128 + wave + generator.normal(0, 12, (height, width))
    return np.repeat(pixels.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def retrieve(model, images, output, *flags):
    return run_tool(
        *("style_retrieval", f"--side={SIDE}", f"--model={model}"),
        *(f"--images={images}", f"--output={output}", *flags),
    )


def read_table(done):
    """Returns the lines of a process, and its table by layer."""
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(?m)^(\S+) +([\d.]+) +([\d.]+)$", done.stdout)
    table = {name: (float(a), float(gram)) for name, a, gram in rows}
    return done.stdout.splitlines(), table


@pytest.mark.slow
def test_folders_are_styles(model, extractor, generator, tmp_path):
    pixels, labels = [], []
    for label, angle in enumerate((0.2, 1.2)):
        (tmp_path / "images" / str(label)).mkdir(parents=True)
        for number in range(5):
            picture = make_picture(angle, SIDE, SIDE, generator)
            path = tmp_path / "images" / str(label) / f"{number}.png"
            Image.fromarray(picture).save(path)
            pixels.append(picture)
            labels.append(label)
    output = tmp_path / "found"
    lines, table = read_table(retrieve(model, tmp_path / "images", output))
    assert lines[0] == "10 pictures, 2 styles"
    assert lines[-1] == str(output / "retrieval.png")
    assert list(table) == ["block1_conv1", "block2_conv1", "chance"]
    assert table["chance"] == (0.5, 0.5)
    for name in ("block1_conv1", "block2_conv1"):
        features = np.stack(
            [extractor(tf.constant(preprocess(p)))[name][0] for p in pixels]
        )
        grams = np.einsum("bhwi,bhwj->bij", features, features)
        expected = [
            share_of_right_neighbours(vectors.reshape(10, -1), labels)
            for vectors in (features, grams)
        ]
        assert table[name] == pytest.approx(expected, abs=5e-4)
        assert table[name][1] == 1
    with Image.open(output / "retrieval.png") as chart:
        assert chart.width > 200
        assert len(chart.convert("RGB").getcolors(1 << 16)) > 4


def share_of_right_neighbours(vectors, labels):
    distances = distance.squareform(distance.pdist(vectors, "cosine"))
    np.fill_diagonal(distances, np.inf)
    return np.mean(np.take(labels, distances.argmin(axis=1)) == labels)


@pytest.mark.slow
def test_pictures_are_cut_into_crops(model, generator, tmp_path):
    (tmp_path / "images").mkdir()
    for name, angle in (("a", 0.2), ("b", 1.2), ("c", 2.2)):
        picture = make_picture(angle, 60, 90, generator)
        Image.fromarray(picture).save(tmp_path / "images" / f"{name}.png")
    flags = ("--crops=4", "--long_edge=90")
    done = retrieve(model, tmp_path / "images", tmp_path, *flags)
    lines, table = read_table(done)
    assert lines[0] == "12 pictures, 3 styles"
    assert table["chance"] == pytest.approx((1 / 3, 1 / 3), abs=5e-4)
    assert table["block2_conv1"][1] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pictures", "text"),
    [
        ((), "No picture is in"),
        (((80, 80),), "`images` must hold two styles or more"),
        (((80, 80), (160, 40)), "80x20 pixels, less than a crop of 32"),
    ],
)
def test_folder_of_no_use_is_told(pictures, text, model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for size in pictures:
        Image.new("RGB", size).save(images / f"{size[0]}.png")
    done = retrieve(model, images, tmp_path / "found", "--long_edge=80")
    assert done.returncode
    assert text in done.stderr.splitlines()[-1]
    assert not (tmp_path / "found").exists()
