"""Tone mapping: known levels, and what it keeps."""

import numpy as np
import pytest

from tests.image_files.pictures import encode_srgb
from tfstyle.image_files.decoded import Hdr
from tfstyle.image_files.hdr import HLG
from tfstyle.image_files.hdr import LINEAR
from tfstyle.image_files.hdr import PQ
from tfstyle.image_files.hdr import SRGB
from tfstyle.image_files.hdr import make_tone_map

BT2020 = (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
PQ_LEVELS = {0: 0.0, 1: 0.1499, 10: 0.2997, 100: 0.5081, 203: 0.5807}
"""PQ levels by luminance in cd/m2, from the tables of ITU-R BT.2408."""


def map_row(levels, transfer, primaries=SRGB, dtype=np.uint16):
    """Tone maps a row of greys or colours given as levels 0..1."""
    levels = np.atleast_2d(np.asarray(levels, float).T).T
    colors = np.broadcast_to(levels, (len(levels), 3))[np.newaxis]
    if dtype is not np.float32:
        colors = np.rint(colors * np.iinfo(dtype).max)
    values = colors.astype(dtype)
    return make_tone_map(values, None, Hdr(transfer, primaries))(values)[0]


def test_pq_up_to_white_is_kept():
    luminances = np.array(list(PQ_LEVELS))
    found = map_row(list(PQ_LEVELS.values()), PQ)
    expected = encode_srgb(luminances / 203)
    np.testing.assert_allclose(found[:, 0], expected, atol=1)


def test_hlg_of_three_quarters_is_white():
    found = map_row([0, 0.25, 0.5, 0.75], HLG)
    light = np.array([0, 0.25**2 / 3, 0.5**2 / 3, 0.2645]) ** 1.2 * 1000 / 203
    np.testing.assert_allclose(found[:, 1], encode_srgb(light), atol=1)
    assert found[-1, 0] >= 254


@pytest.mark.parametrize("transfer", [PQ, HLG, LINEAR])
def test_the_brightest_becomes_white_and_order_is_kept(transfer):
    dtype = np.float32 if transfer == LINEAR else np.uint16
    top = 40.0 if transfer == LINEAR else 1.0
    found = map_row(np.linspace(0, top, 200), transfer, dtype=dtype)[:, 0]
    assert (np.diff(found.astype(int)) >= 0).all()
    assert found[-1] >= 254
    assert 1 < found[60] < 254


def test_greys_stay_grey_and_hues_stay_in_their_order():
    colors = [[0.6, 0.5, 0.4], [0.5, 0.5, 0.5], [0.4, 0.7, 0.6]]
    found = map_row(colors, PQ, BT2020).astype(int)
    assert np.ptp(found[1]) <= 1
    for before, after in zip(colors, found, strict=True):
        assert (np.argsort(before) == np.argsort(after)).all() or (
            np.ptp(before) == 0
        )


def test_floats_of_linear_light_up_to_white_are_srgb():
    levels = np.linspace(0, 1, 30)
    found = map_row(levels, LINEAR, dtype=np.float32)
    np.testing.assert_allclose(found[:, 2], encode_srgb(levels), atol=1)
