"""Optical flow: motion that is known, and places that were hidden."""

import cv2
import numpy as np
import pytest

from tfstyle.api.images import sample
from tfstyle.films.flow import Motion
from tfstyle.films.flow import fill_untrusted
from tfstyle.films.flow import gather
from tfstyle.films.flow import measure_motion
from tfstyle.films.flow import move
from tfstyle.films.flow import renew
from tfstyle.films.flow import resize_weights
from tfstyle.films.frames_to_paint import frames_to_paint
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.shots import is_cut
from tfstyle.images.picture import Picture
from tfstyle.video_files.containers import VideoError
from tfstyle.video_files.film import Frame

HEIGHT, WIDTH = 180, 240
END_POINT = 0.5  # pixels, mean, where there is texture


@pytest.fixture(scope="module")
def picture():
    """Returns a photograph, uint8 `[360, 480, 3]`."""
    return cv2.resize(sample("scene"), (480, 360), interpolation=cv2.INTER_AREA)


def view(picture, x, y):
    """Returns the part of a picture at a place."""
    return picture[y : y + HEIGHT, x : x + WIDTH]


@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, -4), (-9, 6), (20, 0)])
def test_flow_is_the_motion_of_the_camera(picture, x, y):
    frame, previous = view(picture, 100 + x, 90 + y), view(picture, 100, 90)
    motion = measure_motion(frame, previous)
    error = np.linalg.norm(motion.flow - np.float32([x, y]), axis=-1)
    inner = error[24:-24, 24:-24]
    assert inner.mean() < END_POINT
    assert motion.weights[24:-24, 24:-24].mean() > 0.8
    assert motion.hidden.mean() < 0.3


def test_what_enters_the_frame_was_hidden(picture):
    motion = measure_motion(view(picture, 120, 90), view(picture, 100, 90))
    assert motion.hidden[:, -18:].mean() > 0.95
    assert motion.weights[:, -18:].max() < 0.1


def test_place_behind_a_thing_that_moved_on_was_hidden(picture):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    thing = view(sample("mosaic"), 0, 0)

    def frame(x):
        inside = (columns - x) ** 2 + (rows - 90) ** 2 < 40**2
        shown = np.roll(thing, x, axis=1)
        return np.where(inside[..., np.newaxis], shown, view(picture, 100, 90))

    motion = measure_motion(frame(112), frame(100))
    uncovered = (columns - 100) ** 2 + (rows - 90) ** 2 < 38**2
    uncovered &= (columns - 112) ** 2 + (rows - 90) ** 2 > 42**2
    assert motion.weights[uncovered].mean() < 0.2
    still = (columns > 180) | (columns < 40)
    assert motion.weights[still].mean() > 0.9


def test_weights_are_soft_and_grow_no_further_than_they_must(picture):
    motion = measure_motion(view(picture, 120, 90), view(picture, 100, 90))
    assert motion.weights.dtype == np.float32
    assert 0 <= motion.weights.min() <= motion.weights.max() <= 1
    assert not motion.weights[motion.hidden].max() > 0.5
    assert ((motion.weights > 0.05) & (motion.weights < 0.95)).any()


def test_moved_picture_is_the_frame(picture):
    frame, previous = view(picture, 105, 90), view(picture, 100, 90)
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32) + np.float32([5, 0])
    moved = move(previous, flow)
    np.testing.assert_array_equal(moved[:, :-5], frame[:, :-5])
    # Beyond the edge it is mirrored.
    np.testing.assert_array_equal(moved[:, -5:], previous[:, :-6:-1])


def test_what_the_previous_painting_hides_comes_from_an_earlier_one():
    """A strip each is hidden in frame 3, in frame 3 and 2, and in all."""
    still = np.zeros((48, 64, 2), np.float32)
    paintings = {n: np.full((96, 128, 3), n, np.uint8) for n in (1, 2, 3)}
    motions = {}
    for number, hidden_columns in ((3, 30), (2, 20), (1, 10)):
        hidden = np.zeros((48, 64), bool)
        hidden[:, :hidden_columns] = True
        weights = (~hidden).astype(np.float32)
        motions[number] = Motion(still, weights, hidden)
    moved, trust = gather(paintings, motions)
    columns = [10, 30, 50, 90]  # of a painting twice as large
    assert moved[40, columns].tolist() == [[n] * 3 for n in (3, 1, 2, 3)]
    assert trust[40, columns].tolist() == [0, 255, 255, 255]
    # Only what no frame shows is new, and gets older.
    fresh = renew(np.full((48, 64), 0.5, np.float32), motions)
    assert fresh[20, [5, 15, 63]].tolist() == [1, 0.375, 0.375]


def test_flow_is_scaled_to_the_size_of_the_painting(picture):
    large = cv2.resize(view(picture, 100, 90), (2 * WIDTH, 2 * HEIGHT))
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32) + np.float32([5, -2])
    moved = move(large, flow)
    np.testing.assert_array_equal(moved[8:, :-10], large[4:-4, 10:])


def test_weights_are_averaged_over_areas():
    weights = np.zeros((4, 6), np.float32)
    weights[:, 3:] = 1
    assert resize_weights(weights, 2, 3).tolist() == [[0, 128, 255]] * 2


def test_cut_is_found_and_motion_is_none(picture):
    other = cv2.resize(sample("strokes"), (WIDTH, HEIGHT))
    assert is_cut(other, view(picture, 100, 90))
    assert not is_cut(view(picture, 130, 95), view(picture, 100, 90))
    assert not is_cut(view(picture, 100, 90), view(picture, 100, 90))


@pytest.mark.parametrize("size", [(31, 40), (40, 321)])
def test_frames_too_small_or_thin_are_refused(size):
    frame = np.zeros((*size, 3), np.uint8)
    with pytest.raises(VideoError, match="at least 32 pixels"):
        measure_motion(frame, frame)


def test_thin_frames_are_compared(picture):
    frame = picture[100:160]
    assert not is_cut(frame, np.roll(frame, 2, axis=1))


def test_hidden_places_have_the_painting_s_colors_and_the_frame_s_forms(
    picture,
):
    frame = picture[:90, :120]
    moved = np.full(frame.shape, [150, 120, 90], np.uint8)
    weights = np.zeros(frame.shape[:2], np.uint8)
    weights[:, :40] = 255
    filled = fill_untrusted(moved, frame, weights)
    np.testing.assert_array_equal(filled[:, :40], moved[:, :40])
    hidden = filled[:, 40:].astype(float)
    assert abs(hidden.mean((0, 1)) - [150, 120, 90]).max() < 15
    green = frame[..., 1].astype(np.float32)
    radius = 0.02 * 120
    forms = (green - cv2.GaussianBlur(green, (0, 0), radius))[:, 40:]
    np.testing.assert_allclose(hidden[..., 1], 120 + forms / 2, atol=0.51)


def test_earlier_frames_are_asked_for_what_is_hidden(picture):
    """The camera moves on for two frames and returns; then it is still."""
    places = [100, 120, 140, 120, 120]
    frames = [
        Frame(number, Picture(view(picture, x, 90)), number)
        for number, x in enumerate(places, start=1)
    ]
    found = [
        [*frame.motions]
        for frame in frames_to_paint(frames, RegionMasks([], 1))
    ]
    assert found == [[], [1], [2, 1], [3, 2], [4]]
