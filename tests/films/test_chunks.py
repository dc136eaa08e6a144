"""Chunks: how shots are cut, and how painted chunks are joined."""

import json

import numpy as np
import pytest

from tests.clips import make_frame
from tests.clips import read_times
from tests.clips import write_clip
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
from tfstyle.films.chunks import OVERLAP
from tfstyle.films.chunks import make_chunks
from tfstyle.films.run import run_film
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import write_image

NUM_FRAMES = 20


@pytest.fixture
def paint(tmp_path, session):
    """Returns a function that paints a film of 20 frames in chunks of 16."""
    clip, style = tmp_path / "clip.mkv", tmp_path / "style.png"
    write_clip(clip, [make_frame(n) for n in range(NUM_FRAMES)])
    write_image(style, make_frame(9, 40, 40)[..., ::-1])

    def run(**options):
        given = {
            "content_video": str(clip),
            "style_images": [str(style)],
            "output_video": str(tmp_path / "out"),
            "workdir": str(tmp_path / "run"),
            "weights": "random",
            "image_size": 48,
            "num_steps": (2,),
            "frame_steps": 1,
            "chunk_frames": 16,
        }
        return run_film(RunConfig(**given | options), session)

    return run


def read_frames(folder):
    """Returns the pixels of a folder's frames by number."""
    return {
        int(path.stem): read_image(str(path)).pixels.astype(float)
        for path in folder.glob("*.png")
    }


def test_long_shots_are_cut_where_no_later_frame_moves_the_cut():
    short, long = list(range(1, 21)), list(range(21, 121, 2))
    chunks = make_chunks([short, long], 20)
    assert [chunk.numbers[0] for chunk in chunks] == [1, 21, 45, 85]
    assert [chunk.numbers[-1] for chunk in chunks] == [20, 59, 99, 119]
    assert [len(chunk.shared) for chunk in chunks] == [0, 0, OVERLAP, OVERLAP]
    assert chunks[2].shared == long[12:20]
    assert make_chunks([short, long[:45]], 20)[:3] == chunks[:3]
    whole = make_chunks([short, long], None)
    assert whole == [(short, []), (long, [])]


def test_second_chunk_is_painted_as_if_it_were_alone_and_fades_in(
    paint, tmp_path
):
    assert paint() == 0
    first = read_frames(tmp_path / "run" / "frames")
    second = read_frames(tmp_path / "run" / "overlaps")
    assert sorted(first) == list(range(1, NUM_FRAMES + 1))
    assert sorted(second) == list(range(9, 17))
    alone = tmp_path / "alone"
    paint(frames="9-20", chunk_frames=None, workdir=str(alone), overwrite=True)
    for number, frame in read_frames(alone / "frames").items():
        ours = second if number in second else first
        np.testing.assert_array_equal(frame, ours[number])
    paint()
    blended = read_frames(tmp_path / "out")
    for number, frame in first.items():
        weight = max(0, number - 8) / 9 if number in second else 0
        other = second.get(number, frame)
        expected = np.rint(frame + weight * (other - frame))
        np.testing.assert_array_equal(blended[number], expected)
    assert abs(first[16] - second[16]).mean() > 1
    text = read_text(str(tmp_path / "out" / "000010.png"))
    assert "frames=1/1 chunks=16\n" in text


def test_chunks_continue_to_the_same_bytes(paint, tmp_path):
    paint()
    files = sorted((tmp_path / "run").glob("*/*.png"))
    assert len(files) == NUM_FRAMES + OVERLAP
    before = [path.read_bytes() for path in files]
    for path in [*files[13:20], *files[25:]]:  # of both chunks
        path.unlink()
    paint()
    assert [path.read_bytes() for path in files] == before
    lines = (tmp_path / "run" / "frames.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [
        *range(1, NUM_FRAMES + 1)
    ]
    with pytest.raises(ConfigError, match="or `frames` or `chunk_frames`"):
        paint(chunk_frames=17)


def test_film_of_chunks_is_written_blended(paint, tmp_path):
    paint(output_video=str(tmp_path / "out.mkv"), num_steps=(1,))
    assert len(read_times(tmp_path / "out.mkv")) == NUM_FRAMES
