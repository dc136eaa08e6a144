"""The file of a batch: what is read, what is refused, what is one line's."""

import json
import os

import pytest

from tests.refusals import refuses
from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.batch.tables import MAX_LINE
from tfstyle.config.run_config import RunConfig
from tfstyle.flags.values import FIELDS


def to_config(job, **base):
    return job.to_config(RunConfig(**base), "w")


def test_csv_lines_are_read_as_flags_are(read):
    (first, second) = read(
        "content_image,style_images,output_image,num_steps,report,time_limit\n"
        '"a, b.jpg","c.jpg,""d, e.jpg""",x.png,"5,6",true,1.5\n'
        ",c.jpg,y.png,,,\n"
    )
    assert first == Job(
        2,
        {
            "content_image": "a, b.jpg",
            "style_images": ("c.jpg", "d, e.jpg"),
            "output_image": "x.png",
            "num_steps": (5, 6),
            "report": True,
            "time_limit": 1.5,
        },
    )
    values = {"style_images": ("c.jpg",), "output_image": "y.png"}
    assert second == Job(3, values)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "output_image,#title,#note,# seed\nx.png,Sea,,night\n"),
        ("a.csv", '"#title";output_image\nSea;x.png\n'),
        ("a.jsonl", '{"#title": "Sea", "#y": [1], "output_image": "x.png"}\n'),
    ],
)
def test_columns_of_a_catalogue_are_left_alone(read, name, text):
    (job,) = read(text, name)
    assert job.values == {"output_image": "x.png"}


def test_jsonl_lines_hold_lists_and_numbers(read):
    values = {
        "content_image": "ü, 画.jpg",
        "style_images": ["a.jpg", "b.jpg"],
        "output_image": "x.png",
        "num_steps": 7,
        "style_blend_weights": [2, 0.5],
        "content_weight": 1,
        "tile_size": 512,
        "report": False,
        "time_limit": None,
    }
    (job,) = read(json.dumps(values, ensure_ascii=False), "jobs.jsonl")
    config = to_config(job)
    assert config.content_image == "ü, 画.jpg"
    assert config.style_blend_weights == (2, 0.5)
    assert (config.num_steps, config.tile_size) == ((7,), 512)
    assert config.time_limit is None


def test_lines_override_flags_and_defaults_depend_on_both(read):
    (job,) = read("output_image,optimizer\nx.png,adam\n")
    config = to_config(job, manifest="jobs.csv", seed=3)
    assert (config.seed, config.learning_rate) == (3, None)
    assert config.resolved().learning_rate == 5.0
    assert (config.manifest, config.workdir) == (None, "w")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_line_ends_and_blank_lines_change_nothing(read, end):
    text = end.join(
        ["", "output_image , seed", "", "x.png, 1", ",", "  ", 'y.png,"2"', ""]
    )
    jobs = read(b"\xef\xbb\xbf" + text.encode())
    assert jobs == [
        Job(4, {"output_image": "x.png", "seed": 1}),
        Job(7, {"output_image": "y.png", "seed": 2}),
    ]


@pytest.mark.parametrize(
    ("row", "field", "datum"),
    [
        ("x.png,five", "seed", "'five'"),
        (",5", "output_image", ""),
        ("x.png,5,6", "", "2 cells"),
        ('x.png,"5', "", "CSV"),
        ("x.png,-1", "seed", "-1"),
        ("a\x85b.png,x", "seed", "'x'"),
    ],
)
def test_wrong_csv_line_is_its_own_failure(read, row, field, datum):
    jobs = read(f"output_image,seed\n{row}\nlast.png,1\n")
    assert [job.line for job in jobs] == [2, 3]
    with refuses(field, datum):
        to_config(jobs[0])
    assert to_config(jobs[1]).output_image == "last.png"


@pytest.mark.parametrize(
    ("line", "field", "datum"),
    [
        ('{"output_image": ', "", "JSON (Expecting value"),
        ('{"seed": ' + "[" * 100_000, "", "JSON ("),
        ('{"output_image": "x.png", "seed": NaN}', "", "JSON (NaN"),
        ('{"output_image": "x", "seed": 1' + "0" * 9999, "", "JSON ("),
        ('"x.png"', "", "JSON object"),
        ('{"seed": 1}', "output_image", ""),
        ('{"output_image": ["x.png"]}', "output_image", "['x.png']"),
        ('{"output_image": "x.png", "seed": "1"}', "seed", "'1'"),
        ('{"output_image": "x.png", "seed": true}', "seed", "True"),
        ('{"output_image": "x.png", "num_steps": [1.5]}', "num_steps", "[1.5]"),
        ('{"output_image": "x", "style_images": "a"}', "style_images", "'a'"),
        ('{"output_image": "x", "style_images": {"a": 1}}', "style_images", ""),
        ('{"output_image": "\\u0000"}', "output_image", ""),
        ('{"output_image": "\\ud800"}', "output_image", ""),
    ],
)
def test_wrong_jsonl_line_is_its_own_failure(read, line, field, datum):
    jobs = read(f'{line}\n{{"output_image": "last.png"}}\n', "jobs.jsonl")
    assert [job.line for job in jobs] == [1, 2]
    with refuses(field, datum):
        to_config(jobs[0])
    assert to_config(jobs[1]).output_image == "last.png"


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("", ["no picture"]),
        ("\n" * 200_000, ["no picture"]),
        ("output_image\n", ["no picture"]),
        ("seed\n1\n", ["`output_image`", "Received: seed"]),
        ("\noutput_image,sede\n", ["line 2:", "'sede'", "seed ?"]),
        ("output_image seed\n", ["line 1:", "'output_image seed'"]),
        ("output_image,seed,seed\n", ["line 1:", "output_image, seed, seed"]),
        ('"output_image\n', ["line 1:", "output_image"]),
        ("output_image,flagfile\n", ["line 1:", "'flagfile'"]),
        ("a.jpg,b.jpg,x.png\n", ["line 1:", "a.jpg"]),
        ("#title,output_image\nSea,x.png\n", ["line 2:", "'Sea, x.png'", "#"]),
        ("output_image,title\n", ["line 1:", "'title'", "#"]),
        (",output_image\n0,x.png\n", ["line 2:", "'0' in column 1"]),
        (
            "output_image\nx.png\ny.png\n./x.png\n",
            ["`output_image`", "'./x.png'", "lines 2 and 4"],
        ),
        (
            "output_image,film\nx.png,a.gif\ny.png,\nz.png,./a.gif\n",
            ["`film`", "'./a.gif'", "lines 2 and 4"],
        ),
        ("x" * (MAX_LINE + 1), ["line 1:", MAX_LINE]),
    ],
)
def test_csv_that_cannot_be_meant_is_refused(read, content, data):
    with refuses("manifest", "'a.csv'", *data) as caught:
        read(content, "a.csv")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("\n\n", ["no picture"]),
        (
            '{"output_image": "x.png"}\n{"output": "y.png"}\n',
            ["line 2:", "'output'"],
        ),
        (
            '{"output_image": "x.png", "output_image": "y.png"}\n',
            ["line 1:", "output_image, output_image"],
        ),
        ('{"jobs": []}', ["line 1:", "'jobs'"]),
        ("\n" + "x" * (MAX_LINE + 1), ["line 2:", MAX_LINE]),
    ],
)
def test_json_that_cannot_be_meant_is_refused(read, content, data):
    with refuses("manifest", "'a.jsonl'", *data) as caught:
        read(content, "a.jsonl")
    assert len(str(caught.value)) < 500


OF_BATCH = [
    name for name, field in FIELDS.items() if field.metadata["of_batch"]
]


@pytest.mark.parametrize("name", OF_BATCH)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_is_of_the_batch_is_no_column(read, name, ending):
    content = f"output_image,{name}\n"
    if ending == "jsonl":
        content = json.dumps({"output_image": "x.png", name: None})
    with refuses("manifest", "line 1:", f"`{name}`", "--manifest"):
        read(content, f"jobs.{ending}")


def test_every_other_field_is_a_column(read):
    for name in sorted(FIELDS.keys() - set(OF_BATCH)):
        default = FIELDS[name].default
        if default in (None, ()) or name == "output_image":
            continue
        shown = list(default) if isinstance(default, tuple) else default
        values = {"output_image": "x.png", name: shown}
        (job,) = read(json.dumps(values), "jobs.jsonl")
        assert job.values[name] == default, job.error


@pytest.mark.parametrize("name", ["none.csv", "folder.csv", "pipe.jsonl"])
def test_manifest_that_cannot_be_read_is_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    path = str(tmp_path / name)
    reason = "No such file" if name == "none.csv" else "not a regular file"
    with refuses("manifest", repr(path), reason):
        read_manifest(path)


def test_outputs_that_a_link_makes_one_are_refused(read, tmp_path):
    (tmp_path / "link").symlink_to(".")
    with refuses("manifest", "lines 2 and 3"):
        read("output_image\nx.png\nlink/x.png\n")
