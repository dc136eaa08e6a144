"""The file of a batch: what is read, what is refused, what is one line's."""

import json
import os
import re

import pytest

from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.batch.tables import MAX_LINE
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import ConfigError
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
    ("row", "text"),
    [
        ("x.png,five", "`seed` must be an integer. Received: seed='five'."),
        (",5", "`output_image` is missing. Give each one."),
        (
            "x.png,5,6",
            "The line must have 2 cells, as the first has. Received: 3. A list"
            " goes in double quotes.",
        ),
        ('x.png,"5', "The line is no CSV ("),
        ("x.png,-1", "`seed` must be at least 0. Received: seed=-1."),
        ("a\x85b.png,x", "`seed` must be an integer."),
    ],
)
def test_wrong_csv_line_is_its_own_failure(read, row, text):
    jobs = read(f"output_image,seed\n{row}\nlast.png,1\n")
    assert [job.line for job in jobs] == [2, 3]
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}"):
        to_config(jobs[0])
    assert to_config(jobs[1]).output_image == "last.png"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"output_image": ', "The line is no JSON (Expecting value"),
        ('{"seed": ' + "[" * 100_000, "The line is no JSON ("),
        ('{"output_image": "x.png", "seed": NaN}', "The line is no JSON (NaN"),
        ('"x.png"', "Each must be a JSON object"),
        ("7", "Each must be a JSON object"),
        ('{"seed": 1}', "`output_image` is missing."),
        (
            '{"output_image": ["x.png"]}',
            "`output_image` must be a text or None.",
        ),
        (
            '{"output_image": "x.png", "seed": "1"}',
            "`seed` must be an integer. Received: seed='1'.",
        ),
        (
            '{"output_image": "x.png", "seed": true}',
            "`seed` must be an integer. Received: seed=True.",
        ),
        (
            '{"output_image": "x.png", "num_steps": [1.5]}',
            "`num_steps` must be a list of integers.",
        ),
        (
            '{"output_image": "x.png", "style_images": "a.jpg"}',
            "`style_images` must be a list of texts. Received:"
            " style_images='a.jpg'.",
        ),
        (
            '{"output_image": "x.png", "style_images": {"a": 1}}',
            "`style_images` must be a list of texts.",
        ),
        ('{"output_image": "\\u0000"}', "`output_image` must be a name"),
        ('{"output_image": "\\ud800"}', "`output_image` must be a name"),
        ('{"output_image": "x", "seed": 1' + "0" * 9999, "The line is no JSON"),
    ],
)
def test_wrong_jsonl_line_is_its_own_failure(read, line, text):
    jobs = read(f'{line}\n{{"output_image": "last.png"}}\n', "jobs.jsonl")
    assert [job.line for job in jobs] == [1, 2]
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}"):
        to_config(jobs[0])
    assert to_config(jobs[1]).output_image == "last.png"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "", "'a.csv' names no picture"),
        ("a.csv", "\n" * 200_000, "names no picture"),
        ("a.csv", "output_image\n", "names no picture"),
        ("a.jsonl", "\n\n", "names no picture"),
        ("a.csv", "seed\n1\n", "must have a column `output_image`"),
        (
            "a.csv",
            "\noutput_image,sede\n",
            "line 2: columns must be named as flags are. Received: 'sede'. Did"
            " you mean: seed ?",
        ),
        ("a.csv", "output_image seed\n", "Received: 'output_image seed'"),
        ("a.csv", "output_image,seed,seed\n", "column must be named once"),
        ("a.csv", '"output_image\n', "must name the columns, such as"),
        ("a.csv", "output_image,flagfile\n", "Received: 'flagfile'"),
        (
            "a.jsonl",
            '{"output_image": "x.png"}\n{"output": "y.png"}\n',
            "line 2: columns must be named as flags are. Received: 'output'.",
        ),
        (
            "a.jsonl",
            '{"output_image": "x.png", "output_image": "y.png"}\n',
            "line 1: each column must be named once",
        ),
        (
            "a.csv",
            "output_image\nx.png\ny.png\n./x.png\n",
            "must name every `output_image` once. Received: './x.png' in lines"
            " 2 and 4.",
        ),
        ("a.csv", "a.jpg,b.jpg,x.png\n", "line 1: must name the columns"),
        (
            "a.csv",
            "#title,output_image\nSea,x.png\n",
            "Received: 'Sea, x.png'. A line that begins with # is a comment.",
        ),
        (
            "a.csv",
            "output_image,title\n",
            "'title'. Leave it out, or begin its name with #.",
        ),
        (
            "a.csv",
            ",output_image\n0,x.png\n",
            "line 2: each column must have a name. Received: '0' in column 1.",
        ),
        ("a.json", '{"jobs": []}', "line 1: columns must be named as flags"),
        (
            "a.csv",
            "output_image,film\nx.png,a.gif\ny.png,\nz.png,./a.gif\n",
            "must name every `film` once. Received: './a.gif' in lines 2 and"
            " 4.",
        ),
        ("a.csv", "x" * (MAX_LINE + 1), "line 1: a line may have at most"),
        ("a.jsonl", "\n" + "x" * (MAX_LINE + 1), "line 2: a line may have"),
    ],
)
def test_manifest_that_cannot_be_meant_is_refused(read, name, content, text):
    with pytest.raises(ConfigError, match=re.escape(text)) as caught:
        read(content, name)
    assert str(caught.value).startswith(f"`manifest` {name!r}")
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
    expected = (
        f"`manifest` 'jobs.{ending}', line 1: `{name}` is one for the whole"
        " batch. Give it as a flag beside --manifest."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(expected)}$"):
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


def test_manifest_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file"):
        read_manifest(str(tmp_path / "none.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read \(not a regular"):
        read_manifest(str(tmp_path / "folder.csv"))
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ConfigError, match=r"cannot be read \(not a regular"):
        read_manifest(str(tmp_path / "pipe.jsonl"))


def test_outputs_that_a_link_makes_one_are_refused(read, tmp_path):
    (tmp_path / "link").symlink_to(".")
    with pytest.raises(ConfigError, match="in lines 2 and 3"):
        read("output_image\nx.png\nlink/x.png\n")
