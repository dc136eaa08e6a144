"""The file of a batch: what is read, what is refused, what is one line's."""

import json
import os

import pytest

from tests.refusals import refuses
from tfstyle.batch import manifest
from tfstyle.batch.manifest import Job
from tfstyle.batch.manifest import read_manifest
from tfstyle.config.run_config import RunConfig
from tfstyle.flags.values import FIELDS


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Returns a function that reads a text or bytes as a manifest."""
    monkeypatch.chdir(tmp_path)

    def read(content, name="jobs.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_manifest(name)

    return read


def to_config(job, **base):
    return job.to_config(RunConfig(**base), "w")


def test_csv_lines_are_read_as_flags_are(read):
    (first, second) = read(
        "content_image,style_images,output_image,num_steps,report,time_limit\n"
        '"a, b.jpg","c.jpg,""d, e.jpg""",x.png,"5,6",true,1.5\n'
        ",c.jpg,y.png,,,\n"
    )
    assert first == Job(
        "line 2",
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
    assert second == Job("line 3", values)


X = {"output_image": "x.png", "style_images": ("a.jpg", "b.jpg"), "seed": 5}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("output_image;style_images;seed\nx.png;a.jpg,b.jpg;5\n", 2),
        ('output_image\tstyle_images\tseed\nx.png\t"a.jpg,b.jpg"\t5', 2),
        ("seed\toutput_image\tstyle_images\n5\tx.png\ta.jpg,b.jpg", 2),
        ('output_image,style_images,seed,,\nx.png,"a.jpg,b.jpg",5,,\n,,,,', 2),
        ('seed,,style_images,output_image\n5,,"a.jpg,b.jpg",x.png', 2),
        ('style_images,output_image,seed,#i\n"a.jpg, b.jpg",x.png,5,7\n', 2),
        ('Style Images,--output-image,SEED\n"a.jpg,b.jpg",x.png,5\n', 2),
        (
            '# jobs, "mine\noutput_image,style_images,seed\n\n  # the first\n'
            'x.png,"a.jpg,b.jpg",5\n#y.png,,\n',
            5,
        ),
        (
            '"#\ntitle",output_image,style_images,seed\n,x.png,"a.jpg,b.jpg",5',
            3,
        ),
    ],
)
def test_tables_of_spreadsheets_are_read(read, content, line):
    assert read(content) == [Job(f"line {line}", X)]
    assert read(content, "jobs.tsv") == [Job(f"line {line}", X)]


def test_row_may_lack_cells_at_its_end(read):
    jobs = read("output_image;seed;report\nx.png;;\ny.png\n")
    assert [job.values for job in jobs] == [
        {"output_image": "x.png"},
        {"output_image": "y.png"},
    ]


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ("{}\n{}", ["line 1", "line 2"]),
        ("# jobs\n\n{}\n # more\n\n{}\n", ["line 3", "line 6"]),
        ("{}\n\n {}", ["line 1", "line 3"]),
        ("[{}, {}]", ["object 1", "object 2"]),
        ("# jobs\n[\n{},\n\n{}\n]\n", ["object 1", "object 2"]),
    ],
)
@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson"])
def test_json_is_read_in_lines_and_in_an_array(read, layout, places, ending):
    first = {"output_image": "x.png", "#title": [1], "seed": None}
    second = {"output_image": "y.png", "report": True}
    text = layout.format(json.dumps(first), json.dumps(second))
    assert read(text, f"jobs.{ending}") == [
        Job(places[0], {"output_image": "x.png"}),
        Job(places[1], second),
    ]


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
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encoding_line_ends_and_blank_lines_change_nothing(read, encoding, end):
    text = end.join(
        [
            "",
            "output_image , seed",
            "",
            "München.png, 1",
            ",",
            "  ",
            'y.png,"2"',
        ]
    )
    assert read(text.encode(encoding)) == [
        Job("line 4", {"output_image": "München.png", "seed": 1}),
        Job("line 7", {"output_image": "y.png", "seed": 2}),
    ]


def test_comments_are_counted_in_the_log(read, caplog):
    caplog.set_level("INFO", logger="absl")
    assert len(read('output_image\n#x.png\n"#y.png"\n')) == 1
    assert "'jobs.csv': comments (lines with #): 1" in caplog.text


@pytest.mark.parametrize(
    ("row", "field", "datum"),
    [
        ("x.png,five", "seed", "'five'"),
        ("x.png,5.00", "seed", "'5.00'"),
        ("x.png,-1", "seed", "-1"),
        (",5", "output_image", ""),
        ("a\x85b.png,x", "seed", "'x'"),
    ],
)
def test_wrong_csv_value_fails_only_its_line(read, row, field, datum):
    check_first_fails(
        read(f"output_image,seed\n{row}\nlast.png,1"), field, datum
    )


@pytest.mark.parametrize(
    ("line", "field", "datum"),
    [
        ('{"output_image": "x.png", "seed": NaN}', "seed", "nan"),
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
def test_wrong_json_value_fails_only_its_line(read, line, field, datum):
    jobs = read(f'{line}\n{{"output_image": "last.png"}}\n', "jobs.jsonl")
    check_first_fails(jobs, field, datum)


def check_first_fails(jobs, field, datum):
    first, last = jobs
    with refuses(field, datum):
        to_config(first)
    assert to_config(last).output_image == "last.png"


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("", ["line 1:", "columns"]),
        ("\n" * 200_000, ["line 1:", "columns"]),
        ("output_image\n", ["picture"]),
        ("seed\n1\n", ["line 1:", "output_image", "'seed'"]),
        ("\noutput_image,sede\n", ["line 2:", "'sede'", "seed?"]),
        ("output_image seed\n", ["line 1:", "'output_image_seed'"]),
        ("output_image,seed,seed\n", ["line 1:", "output_image, seed, seed"]),
        ("output_image,flagfile\n", ["line 1:", "'flagfile'"]),
        ("a.jpg,b.jpg,x.png\n", ["line 1:", "a.jpg"]),
        ("#title,output_image\nSea,x.png\n", ["line 2:", "'sea, x.png'", "#"]),
        ("output_image,title\n", ["line 1:", "'title'", "#"]),
        (",output_image\n0,x.png\n", ["line 2:", "'0'"]),
        ("output_image\nx.png\na,b.png\n", ["line 3:", "'b.png'"]),
        ('output_image\nx.png\n"y.png\nz.png\n', ["line 3:", "CSV"]),
        (
            "output_image\nx.png\ny.png\n./x.png\n",
            ["`output_image`", "'./x.png'", "line 2 and line 4"],
        ),
        (
            "output_image,film\nx.png,a.gif\ny.png,\nz.png,./a.gif\n",
            ["`film`", "'./a.gif'", "line 2 and line 4"],
        ),
        ("output_image\n" + "x" * 1_000_000, ["line 2:", "CSV"]),
        ("output_image\nx.png".encode("utf-16")[:-1], ["UTF-8"]),
        (b"PK\3\4\x14\0\6\0\x08\0\0\0!\0\xa6", ["UTF-8"]),
        (
            "output_image\nM\u00fcnchen.png".encode("cp1252"),
            ["line 2", "UTF-8"],
        ),
        (bytes(1000), ["line 1:", "columns"]),
    ],
)
def test_csv_that_cannot_be_meant_is_refused(read, content, data):
    with refuses("manifest", "'a.csv'", *data) as caught:
        read(content, "a.csv")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ("\n\n", ["picture"]),
        ("[]", ["picture"]),
        (
            '{"output_image": "x.png"}\n{"output": "y.png"}\n',
            ["line 2:", "'output'"],
        ),
        ('[{"output_image": "x.png"}, {"sede": 1}]', ["object 2:", "seed?"]),
        ('{"jobs": []}', ["line 1:", "'jobs'"]),
        ('{"output_image": "x.png"}\n{"seed": ', ["line 2:", "column 10"]),
        ('{"seed": ' + "[" * 100_000, ["line 1:", "JSON"]),
        ('{"output_image": "x", "seed": 1' + "0" * 9999, ["line 1:", "JSON"]),
        ('"x.png"', ["line 1:", "'x.png'"]),
        ("output_image\nx.png\n", ["line 1:", "JSON"]),
        ('[{"seed": 1},\n{"seed": 2}', ["line 1:", "line 2 column 12"]),
        ('{"seed": 1, "seed": 2}', ["line 1:", "two values of one name"]),
        ('["a.jpg"]', ["object 1:", "'a.jpg'"]),
    ],
)
def test_json_that_cannot_be_meant_is_refused(read, content, data):
    with refuses("manifest", "'a.jsonl'", *data) as caught:
        read(content, "a.jsonl")
    assert len(str(caught.value)) < 500


def test_long_file_is_refused(read, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_FILE", 18)
    assert len(read("output_image\nx.png")) == 1
    with refuses("manifest", "'jobs.csv'", "18 bytes"):
        read("output_image\nxy.png")


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
    with refuses("manifest", "line 2 and line 3"):
        read("output_image\nx.png\nlink/x.png\n")


def test_json_objects_may_have_several_lines(read):
    text = json.dumps({"output_image": "x.png", "seed": 5}, indent=1)
    found = read(f"{text}\n{text.replace('x.png', 'y.png')}", "jobs.jsonl")
    assert [job.place for job in found] == ["line 1", "line 5"]


def test_a_number_may_have_a_decimal_comma_but_no_thousands(read):
    half, many = read("output_image;content_weight\nx.png;0,5\ny.png;1,000\n")
    assert half.values["content_weight"] == 0.5
    assert "1,000" in many.error
