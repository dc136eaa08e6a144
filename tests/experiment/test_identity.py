"""Whether two runs are the same, and a picture is finished."""

import dataclasses

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.experiment import resume
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.provenance import make_published_texts
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.training.plan import complete_options

WEIGHTS = "ab" * 32
IMAGES = ImageSet.of_arrays(
    np.zeros((16, 20, 3), np.uint8), [np.ones((16, 16, 3), np.uint8)]
)


@pytest.fixture
def config(tmp_path):
    """Returns a config whose picture is there, as a run writes it."""
    config = complete_options(
        RunConfig(
            content_image="a.png",
            style_images=["b.png"],
            output_image=str(tmp_path / "out.png"),
            num_levels=1,
            num_steps=5,
            workdir="w",
        ),
        IMAGES,
    )
    write(dataclasses.replace(config, convolution="direct", jit_compile="true"))
    return config


def write(config, weights=WEIGHTS, metadata="full", **facts):
    facts = {"weights": f"from a file sha256={weights}"} | facts
    facts |= IMAGES.describe() | {"result": "step=5 total=7"}
    text, record = make_published_texts(config, facts, metadata)
    pixels = np.zeros((16, 16, 3), np.uint8)
    write_image(config.output_image, pixels, text=text, record=record)


def is_done(config, images=IMAGES, weights=WEIGHTS):
    return resume.is_finished(config, images, lambda: weights)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"convolution": "direct"}, True),
        ({"jit_compile": "true"}, True),
        ({"workdir": "moved", "overwrite": True, "log_every_steps": 1}, True),
        ({"report": True, "checkpoint_every_seconds": 0.0}, True),
        ({"time_limit": 60.0}, True),
        ({"intra_op_threads": 1}, True),
        ({"style_images": ["moved/c.png"], "weights": "moved.h5"}, True),
        ({"seed": 1}, False),
        ({"num_steps": 6}, False),
        ({"num_steps": 4}, False),
        ({"content_weight": 0.5}, False),
        ({"convolution": "winograd"}, False),
        ({"jit_compile": "false"}, False),
        ({"max_evaluations": 9}, False),
        ({"style_blend_weights": [1.0]}, False),
    ],
)
def test_picture_is_finished_if_its_choices_are_the_same(
    config, changes, expected
):
    assert is_done(dataclasses.replace(config, **changes)) == expected


@pytest.mark.parametrize("metadata", ["full", "names", "none"])
def test_picture_is_finished_whatever_it_says_of_names(config, metadata):
    config = dataclasses.replace(
        config,
        content_image="folder/a.png",
        convolution="direct",
        jit_compile="true",
    )
    write(config, metadata=metadata)
    assert is_done(config)
    assert not is_done(dataclasses.replace(config, seed=1))


def test_picture_of_other_images_or_weights_is_not(config):
    pixels = np.full((16, 16, 3), 2, np.uint8)
    other = Picture(pixels)
    for changes in (
        {"content": other},
        {"styles": [other]},
        {"initial_image": pixels},
        {"content": None},
    ):
        assert not is_done(config, dataclasses.replace(IMAGES, **changes))
    assert not is_done(config, weights="cd" * 32)


def test_picture_that_a_time_limit_cut_short_is_not(config):
    write(dataclasses.replace(config, num_steps=3))
    assert not is_done(dataclasses.replace(config, time_limit=60.0))
    assert is_done(dataclasses.replace(config, num_steps=3))


def test_no_picture_of_ours_is_not(config, tmp_path):
    path = config.output_image
    write_image(path, np.zeros((16, 16, 3), np.uint8))
    assert not is_done(config)
    (tmp_path / "out.png").write_bytes(b"no picture")
    assert not is_done(config)
    (tmp_path / "out.png").unlink()
    assert not is_done(config)


def test_weights_are_asked_for_last(config):
    def refuse():
        raise AssertionError

    assert not resume.is_finished(
        dataclasses.replace(config, seed=1), IMAGES, refuse
    )


# Former releases and later ones.


def read(config, **changes):
    flags = dict(x[2:].split("=", 1) for x in config.to_flags(only_pixels=True))
    values = RunIdentity.of_request(config, IMAGES).to_json()
    for name, text in changes.items():
        flags[name] = text
        if text is None:
            del flags[name]
    return RunIdentity.from_json(values | {"flags": flags})


@pytest.mark.parametrize(
    ("name", "stored", "asked", "difference"),
    [
        # A flag that a former release did not know has its default.
        ("range_weight", None, {}, ""),
        ("rescale_filters", None, {}, ""),
        ("rescale_filters", None, {"rescale_filters": True}, "was false"),
        # A flag that replaced a former behaviour has its value.
        ("loss_scale", None, {}, "was absolute, now relative"),
        ("padding", None, {}, "was zero, now replicate"),
        ("precision", None, {"precision": "mixed_bfloat16"}, "was float32"),
        # A flag of a former or later release counts if it changes something.
        ("averaging", "0.0", {}, ""),
        ("hue", "3", {}, "was 3, now not given"),
    ],
)
def test_flags_of_other_releases_are_compared(
    config, name, stored, asked, difference
):
    job = RunIdentity.of_request(config, IMAGES).to_json()
    job["flags"].pop(name, None)
    if stored is not None:
        job["flags"][name] = stored
    run = RunIdentity.of_request(dataclasses.replace(config, **asked), IMAGES)
    found = run.differences(RunIdentity.from_json(job))
    assert [x.startswith(f"{name} {difference}") for x in found] == (
        [True] if difference else []
    )


def test_flag_of_a_former_release_that_changed_something_is_refused(config):
    job = RunIdentity.of_request(config, IMAGES).to_json()
    job["flags"]["averaging"] = "0.5"
    with refuses("averaging", "0.5"):
        RunIdentity.from_json(job)


@pytest.mark.parametrize("bits", [8, 16])
def test_picture_of_other_bits_is_not(config, bits):
    asked = dataclasses.replace(config, output_bits=bits)
    text = image_files.read_text(config.output_image)
    for there in (8, 16):
        pixels = np.zeros((16, 16, 3), f"uint{there}")
        write_image(config.output_image, pixels, text=text)
        assert is_done(asked) == (there == bits)
