"""Manifests in the layouts of spreadsheets, editors and scripts."""

import json

import pytest

from tests.refusals import refuses
from tfstyle.batch.manifest import Job

X = {"output_image": "x.png", "style_images": ("a.jpg", "b.jpg"), "seed": 5}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("output_image;style_images;seed\nx.png;a.jpg,b.jpg;5\n", 2),
        ('output_image\tstyle_images\tseed\nx.png\t"a.jpg,b.jpg"\t5', 2),
        ("output_image|style_images|seed\nx.png|a.jpg, b.jpg|5", 2),
        ("sep=;\noutput_image;style_images;seed\nx.png;a.jpg,b.jpg;5\n", 3),
        ('"sep=^"\noutput_image^style_images^seed\nx.png^a.jpg,b.jpg^5', 3),
        ('output_image,style_images,seed,,\nx.png,"a.jpg,b.jpg",5,,\n,,,,', 2),
        ('seed,,style_images,output_image\n5,,"a.jpg,b.jpg",x.png', 2),
        ('Output_Image,Style Images,SEED\nx.png,"a.jpg,b.jpg",5\n', 2),
        ('--output-image,styleImages,“seed”\nx.png,"a.jpg,b.jpg",5\n', 2),
        ('output_image,style_images,seed\nx.png,"a.jpg\nb.jpg,\n",5\n', 2),
        ('output_image,style_images,seed\nx.png,"a.jpg,b.jpg",5.00\n', 2),
        (
            '# jobs, "mine\noutput_image,style_images,seed\n\n  # the first\n'
            'x.png,"a.jpg,b.jpg",5\n#y.png,,\n',
            5,
        ),
    ],
)
def test_tables_of_every_program_are_read(read, content, line):
    assert read(content) == [Job(line, X)]
    assert read(content, "jobs.tsv") == [Job(line, X)]


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        ("[{}, {}]", [1, 1]),
        ("[\n{},\n{}\n]\n", [2, 3]),
        ("# jobs\n\n{},\n# more\n{},\n", [3, 5]),
        ("// jobs\n{}\n  // more\n\n{}", [2, 5]),
        ("{}{}", [1, 1]),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_of_every_layout_is_read(read, layout, lines, indent):
    first = json.dumps({"Output Image": "x.png", "seed": 1}, indent=indent)
    second = json.dumps({"output_image": "y.png", "seed": None}, indent=indent)
    jobs = read(layout.format(first, second), "jobs.json")
    assert jobs[0].values == {"output_image": "x.png", "seed": 1}
    assert jobs[1].values == {"output_image": "y.png"}
    more = 3 if indent else 0
    assert [job.line for job in jobs] == [lines[0], lines[1] + more]
    # What it begins with tells JSON too.
    if not layout.startswith(("#", "//")):
        assert read(layout.format(first, second), "jobs.txt") == jobs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,06", 0.06),
        ("-1,5E-05", -1.5e-5),
        ("0,125", 0.125),
        ("1,000", None),
        ("1.000,5", None),
        ("1,2,3", None),
    ],
)
def test_decimal_comma_is_read_if_it_is_no_separator(read, text, value):
    (job,) = read(f"output_image;content_weight\nx.png;{text}\n")
    assert job.values.get("content_weight") == value
    assert ("Decimals have a point" in job.error) == (value is None)


def test_rows_may_lack_cells_at_their_end_but_have_no_more(read):
    jobs = read("output_image;seed;report\nx.png;;\ny.png\nz.png;1;TRUE;no\n")
    assert [job.values for job in jobs] == [
        {"output_image": "x.png"},
        {"output_image": "y.png"},
        {},
    ]
    assert "3 cells" in jobs[2].error
    assert "Received: 4." in jobs[2].error


def test_curly_quotes_are_an_error_unless_they_are_of_a_name(read, tmp_path):
    text = "output_image,style_images\nx.png,“a.jpg,b.jpg”\ny.png,“c”.jpg\n"
    jobs = read(text)
    for job, cell in zip(jobs, ("“a.jpg", "“c”.jpg"), strict=True):
        assert f"Received: {cell}." in job.error
    (tmp_path / "“c”.jpg").touch()
    assert read(text)[1].values["style_images"] == ("“c”.jpg",)
    (job, _) = read('{“seed”: 1}\n{"output_image": "x.png"}', "jobs.jsonl")
    assert "“ is a curly quote" in job.error


def test_comments_are_counted_in_the_log(read, caplog):
    caplog.set_level("INFO", logger="absl")
    assert len(read('output_image\n#x.png\n"#y.png"\n')) == 1
    assert "'jobs.csv': comments (lines with #): 1" in caplog.text


def test_last_quote_that_is_missing_takes_no_other_line(read):
    (first, second, third) = read(
        'output_image,style_images\nx.png,"a.jpg\ny.png,"b.jpg,c.jpg"\nz.png,\n'
    )
    assert (first.line, first.values) == (2, {})
    assert "CSV (unexpected end of data)" in first.error
    assert second.values["style_images"] == ("b.jpg", "c.jpg")
    assert third.values["output_image"] == "z.png"


def test_column_without_a_name_must_be_empty(read):
    (job,) = read("seed,,output_image,\n,,x.png,\n")
    assert job.values == {"output_image": "x.png"}
    with refuses("manifest", "line 2:", "'7' in column 2"):
        read("seed,,output_image\n,7,x.png\n")


@pytest.mark.parametrize(
    ("content", "line", "datum"),
    [
        ('[{"seed": 1},\n{"seed": 2}', 1, "array"),
        ('\n[\n{"seed": 1},', 2, "array"),
        ('{\n"seed": 1\n"report": true}', 3, "JSON ("),
        ('["a.jpg"]\n["b.jpg"]', 1, "JSON object"),
        ("output_image\nx.png\n", 1, "JSON ("),
    ],
)
def test_json_that_is_not_whole_is_refused(read, content, line, datum):
    with refuses("manifest", f"'jobs.json', line {line}:", datum):
        read(content, "jobs.json")


def test_wrong_object_of_an_array_takes_no_other(read):
    jobs = read(
        '[{"output_image": "x.png"},\n{"seed" 1},\n{"output_image": "y.png"}]',
        "jobs.json",
    )
    assert [job.output for job in jobs] == ["x.png", "", "y.png"]
    assert jobs[1].line == 2
    assert "JSON (Expecting ':' delimiter, column 9)" in jobs[1].error


def test_sign_of_comments_within_a_quoted_cell_is_of_its_value(read):
    (job,) = read('style_images,output_image\n"a.jpg\n#b.jpg",x.png\n')
    assert job.values["style_images"] == ("a.jpg", "#b.jpg")


def test_first_cell_before_a_tab_may_be_empty(read):
    (job,) = read("seed\toutput_image\n\tx.png\n")
    assert job.values == {"output_image": "x.png"}
