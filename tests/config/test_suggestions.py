"""Suggestions for wrong names of options."""

import pytest

from tests.refusals import refuses
from tfstyle.config.config import Config
from tfstyle.config.suggestions import SYNONYMS
from tfstyle.config.suggestions import find_similar
from tfstyle.flags.values import FIELDS


def test_synonyms_are_no_options_and_name_options():
    assert not SYNONYMS.keys() & FIELDS.keys()
    assert set(SYNONYMS.values()) <= FIELDS.keys()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alpha", "content_weight"),
        ("beta", "style_weight"),
        ("size", "image_size"),
        ("Image-Size", "image_size"),
        ("imge_size", "image_size"),
        ("style_image", "style_images"),
        ("num_stepz", "num_steps"),
        ("tfstyle", None),
        ("size" * 10**6, None),
    ],
)
def test_likeliest_option_is_found(name, expected):
    assert find_similar(name, FIELDS) == expected


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("size", "Did you mean image_size?"),
        ("style_images", "no images"),
        ("style_image", "no images"),
        ("content_image", "no images"),
    ],
)
def test_config_refuses_a_wrong_keyword_with_a_hint(name, hint):
    with refuses(name, hint):
        Config(**{name: 256})
