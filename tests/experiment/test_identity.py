"""Whether two runs are the same, and a picture is finished."""

import dataclasses

import numpy as np
import pytest

from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
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
    "changes",
    [
        {},
        {"convolution": "direct"},
        {"jit_compile": "true"},
        {"workdir": "moved", "overwrite": True, "log_every_steps": 1},
        {"report": True, "checkpoint_every_seconds": 0.0},
        {"time_limit": 60.0},
        {"intra_op_threads": 1},
        {"style_images": ["moved/c.png"], "weights": "moved.h5"},
    ],
)
def test_picture_of_the_same_choices_is_finished(config, changes):
    assert is_done(dataclasses.replace(config, **changes))


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


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"num_steps": 6},
        {"num_steps": 4},
        {"content_weight": 0.5},
        {"convolution": "winograd"},
        {"jit_compile": "false"},
        {"max_evaluations": 9},
        {"style_blend_weights": [1.0]},
    ],
)
def test_picture_of_other_choices_is_not(config, changes):
    assert not is_done(dataclasses.replace(config, **changes))


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


def test_flag_that_a_former_release_did_not_know_has_its_default(config):
    asked = RunIdentity.of_request(config, IMAGES)
    assert not asked.differences(read(config, rescale_filters=None))
    assert not asked.differences(read(config, range_weight=None))
    other = dataclasses.replace(config, rescale_filters=True)
    found = RunIdentity.of_request(other, IMAGES).differences(
        read(config, rescale_filters=None)
    )
    assert found == ["rescale_filters was false, now true"]


def test_flag_that_replaced_a_former_default_is_read_as_that(config):
    """Before `loss_scale` there were absolute losses, zero padding."""
    older = read(config, loss_scale=None, padding=None)
    found = RunIdentity.of_request(config, IMAGES).differences(older)
    assert "loss_scale was absolute, now relative" in found
    assert "padding was zero, now replicate" in found


def test_flag_of_a_former_release_counts_if_it_changed_something(config):
    asked = RunIdentity.of_request(config, IMAGES)
    assert not asked.differences(read(config, averaging="0.0"))
    with pytest.raises(ConfigError, match="`averaging` is no longer a flag"):
        read(config, averaging="0.5")


def test_flag_of_a_later_release_makes_another_run(config):
    found = RunIdentity.of_request(config, IMAGES).differences(
        read(config, hue="3")
    )
    assert found == ["hue was 3, now not given"]


@pytest.mark.parametrize("bits", [8, 16])
def test_picture_of_other_bits_is_not(config, bits):
    asked = dataclasses.replace(config, output_bits=bits)
    text = image_files.read_text(config.output_image)
    for there in (8, 16):
        pixels = np.zeros((16, 16, 3), f"uint{there}")
        write_image(config.output_image, pixels, text=text)
        assert is_done(asked) == (there == bits)
