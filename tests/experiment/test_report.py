"""The page of a run: safe to open, true to its numbers, fit for any screen."""

import base64
import fcntl
import hashlib
import html.parser
import io
import itertools
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image

from tests import ROOT
from tfstyle.experiment.report import make_report

JPEG = 6  # grey levels of a smooth picture at quality 85
BLENDED = 60  # grey levels by which the edge of a thin line may be off
VOID_TAGS = {"img", "meta", "wbr"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;</pre>"

# A chart's curves fill x = 48 to 472 and y = 28 (above) to 268.
LEFT, RIGHT, TOP, BOTTOM = 48, 472, 28, 268

PAPER = {"light": (250, 250, 250), "dark": (20, 20, 22)}
INK = {"light": (29, 29, 31), "dark": (236, 236, 238)}


class Node:
    """An element: its tag, attributes, and children (Nodes and texts)."""

    def __init__(self, tag, attributes=()):
        self.tag = tag
        self.attributes = dict(attributes)
        self.children = []

    def find(self, tag=None, **attributes):
        """Returns the elements below of a tag and of attributes."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                is_tag = tag in (None, child.tag)
                if is_tag and attributes.items() <= child.attributes.items():
                    found.append(child)
                found += child.find(tag, **attributes)
        return found

    @property
    def text(self):
        return "".join(
            child.text if isinstance(child, Node) else child
            for child in self.children
        )


class Parser(html.parser.HTMLParser):
    """Builds a tree, and refuses an end tag that ends something else."""

    def __init__(self):
        super().__init__()
        self.open = [Node("document")]

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}> repeats {names}"
        node = Node(tag, attributes)
        self.open[-1].children.append(node)
        if tag not in VOID_TAGS:
            self.open.append(node)

    def handle_startendtag(self, tag, attributes):
        assert any(node.tag == "svg" for node in self.open), f"<{tag}/>"
        self.open[-1].children.append(Node(tag, attributes))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(page):
    """Returns the document's node, of a page whose elements nest well."""
    parser = Parser()
    parser.feed(page)
    parser.close()
    assert [node.tag for node in parser.open] == ["document"]
    return parser.open[0]


def make_record(evaluations, losses, level=0):
    return {
        "step": 10 * evaluations,
        "evaluations": evaluations,
        "level": level,
        "height": 48,
        "width": 64,
        "seconds": 0.5,
        **losses,
    }


def make_metrics(**losses):
    """Returns a record an evaluation, from 1; None leaves a loss out."""
    columns = zip(*losses.values(), strict=True)
    return [
        make_record(
            number,
            {k: v for k, v in zip(losses, row, strict=True) if v is not None},
        )
        for number, row in enumerate(columns, 1)
    ]


def make_picture(height=48, width=64):
    """Returns a smooth uint8 `[height, width, 3]`, reddish at the right."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 80 + 150 * x / width, 40 + 100 * y / height
    return np.stack([red, green, 0 * x + 60], -1).astype(np.uint8)


def make_page(**arguments):
    """Returns the page of a small run, the document parsed from it, too."""
    page = make_report(
        **{
            "title": "A title",
            "images": [("Result", make_picture()), ("Step 0", make_picture())],
            "metrics": RUN,
            "facts": {"weights": "random", "time": "3 s"},
            "flags": "# A comment.\n--seed=1\n",
            **arguments,
        }
    )
    return page, parse(page)


RUN = [
    make_record(
        number,
        {
            "total": 3e8 / number,
            "content/block4_conv2": 2e7 * (number - 1),
            "style/block1_conv1": 5e9 / number**2,
            "style/block2_conv1": 4e5,
            "total_variation": 1e3,
            "weighted/content": 2e6 * (number - 1),
            "weighted/style": 2e8 / number,
            "weighted/total_variation": 10.0,
        },
        level=number // 5,
    )
    for number in range(1, 10)
]
PAGES = {
    "a run": {},
    "no step": {"metrics": []},
    "one step": {"metrics": RUN[:1]},
    "nothing": {"images": [], "metrics": [], "facts": {}, "flags": ""},
    "many pictures": {"images": [(str(i), make_picture()) for i in range(9)]},
    "hostile": {
        "title": HOSTILE + "x" * 300,
        "images": [(HOSTILE + "y" * 300, make_picture())] * 5,
        "metrics": [
            {k + HOSTILE if "/" in k else k: v for k, v in record.items()}
            for record in RUN
        ],
        "facts": {HOSTILE + "k" * 300: HOSTILE + "v" * 300},
        "flags": HOSTILE + "f" * 300 + "\n--image_size=1",
    },
}


def find_charts(document):
    return document.find("svg", role="img")


def find_curves(chart):
    """Returns each look's shapes: lists of points (x, y), one in a ring."""
    curves = {}
    for node in chart.find("path") + chart.find("circle"):
        look = node.attributes["class"]
        if look in ("grid", "level"):
            continue
        if node.tag == "circle":
            points = [(node.attributes["cx"], node.attributes["cy"])]
        else:
            path = node.attributes["d"]
            assert re.fullmatch(r"M[\d. ]+(L[\d. ]+)+", path)
            points = [pair.split() for pair in path[1:].split("L")]
        shapes = curves.setdefault(look, [])
        shapes.append([(float(x), float(y)) for x, y in points])
    return curves


def find_labels(chart, anchor):
    """Returns text by place: x, y of the texts of an anchor."""
    return {
        (float(node.attributes["x"]), float(node.attributes["y"])): node.text
        for node in chart.find("text", **{"text-anchor": anchor})
    }


def draw(*losses):
    """Returns the shapes of a total that takes these values, and the chart."""
    _, document = make_page(metrics=make_metrics(total=losses))
    (chart,) = find_charts(document)
    return find_curves(chart).get("c0 d0", []), chart


def decode(node):
    """Returns the uint8 pixels that an <img> embeds."""
    kind, data = node.attributes["src"].split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "JPEG"
        return np.array(image)


# The page as a whole.


@pytest.mark.parametrize("name", PAGES)
def test_page_is_well_formed(name):
    page, document = make_page(**PAGES[name])
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    (root,) = document.find("html")
    children = [c.tag for c in root.children if isinstance(c, Node)]
    assert children == ["head", "body"]
    assert len(document.find("h1")) == len(document.find("main")) == 1
    for table in document.find("table"):
        widths = {len(row.children) for row in table.find("tr")}
        assert len(widths) <= 1


@pytest.mark.parametrize("name", PAGES)
def test_page_needs_nothing_from_elsewhere(name):
    _, document = make_page(**PAGES[name])
    tags = {node.tag for node in document.find()}
    assert not tags & {"script", "link", "base", "iframe", "object", "form"}
    for node in document.find():
        for key, value in node.attributes.items():
            assert not key.startswith("on")
            if key in ("src", "href", "xlink:href", "srcset", "action"):
                assert value.startswith(("data:", "#"))
    (style,) = document.find("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_page_forbids_the_network_and_scripts():
    _, document = make_page()
    (meta,) = document.find("meta", **{"http-equiv": "Content-Security-Policy"})
    (style,) = document.find("style")
    digest = hashlib.sha256(style.text.encode()).digest()
    assert meta.attributes["content"].split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{base64.b64encode(digest).decode()}'",
        "base-uri 'none'",
    ]
    head = [c.tag for c in document.find("head")[0].children if c != "\n"]
    assert head.index("meta") < head.index("style")


def test_page_declares_its_encoding_viewport_and_modes():
    page, document = make_page()
    assert page.index('<meta charset="utf-8">') < 1024  # browsers look no more
    (viewport,) = document.find("meta", name="viewport")
    assert "width=device-width" in viewport.attributes["content"]
    (scheme,) = document.find("meta", name="color-scheme")
    assert scheme.attributes["content"] == "light dark"
    assert "@media screen and (prefers-color-scheme: dark)" in page
    assert "@media print {" in page


def test_page_is_the_same_bytes_in_another_process():
    code = """if True:
        import sys
        from tests.experiment import test_report
        sys.stdout.buffer.write(test_report.make_page()[0].encode())
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    first = make_page()[0].encode()
    assert make_page()[0].encode() == first
    environment = {**os.environ, "PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, env=environment, cwd=ROOT) == (
        first
    )


def test_make_report_leaves_its_arguments_as_they_were():
    picture = make_picture(1100, 40)
    before = picture.copy()
    picture.setflags(write=False)
    metrics, facts = [dict(record) for record in RUN], {"a": "b"}
    make_page(images=[("Result", picture)], metrics=metrics, facts=facts)
    np.testing.assert_array_equal(picture, before)
    assert metrics == RUN
    assert facts == {"a": "b"}


# Text.


@pytest.mark.parametrize(
    "text", [HOSTILE, "a & b", "&amp;", "\u732b.png", "'single'", '"double"']
)
def test_text_from_outside_is_shown_as_it_is(text):
    _, document = make_page(
        title=text,
        images=[(text, make_picture())],
        metrics=[make_record(1, {text: 1.0, f"weighted/{text}": 1.0})],
        facts={text: text},
        flags=text,
    )
    assert [node.text for node in document.find("h1")] == [text]
    assert [node.text for node in document.find("pre")] == [text]
    assert [node.text for node in document.find("figcaption")] == [text]
    assert [node.attributes["alt"] for node in document.find("img")] == [text]
    (head_title, *_) = document.find("title")
    assert head_title.text == text
    (facts,) = document.find("table", **{"class": "facts"})
    assert [node.text for node in facts.find("tr")[0].children] == [text, text]
    heads = [node.text for node in document.find("th", scope="row")]
    assert heads == [f"weighted/{text}", text, text]
    assert not document.find("script")
    assert len(document.find("img")) == 1


def test_text_without_a_character_on_paper_is_marked():
    lone = b"\xff.png".decode("utf-8", "surrogateescape")  # as in file names
    page, document = make_page(title="a\0b\x1b[31m\x7f\x9b\r", flags=lone)
    assert document.find("h1")[0].text == "a\ufffdb\ufffd[31m" + 3 * "\ufffd"
    assert document.find("pre")[0].text == "\ufffd.png"
    page.encode("utf-8")


def test_flags_and_facts_are_shown_in_full_and_in_order():
    flags = "# Comment: a<b\n--seed=1\n\n--style_images=a b.png,c.png\n"
    facts = {"z": "1", "weights": "sha256=" + "0f" * 32, "a": "2"}
    _, document = make_page(flags=flags, facts=facts)
    assert document.find("pre")[0].text == flags
    (table,) = document.find("table", **{"class": "facts"})
    rows = [[c.text for c in row.children] for row in table.find("tr")]
    assert rows == [list(pair) for pair in facts.items()]


def test_header_sums_the_run_up():
    _, document = make_page()
    (header,) = document.find("header")
    (line,) = header.find("p")
    assert line.text == "64 \u00d7 48 pixels, 90 steps, 9 evaluations"


# Pictures.


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((48, 64), (48, 64)),
        ((1, 1), (1, 1)),
        ((1024, 700), (1024, 700)),
        ((1025, 10), (1024, 10)),
        ((600, 2048), (300, 1024)),
        ((3072, 999), (1024, 333)),
    ],
)
def test_pictures_are_embedded_at_most_1024_pixels_long(size, expected):
    _, document = make_page(images=[("Result", make_picture(*size))])
    (node,) = document.find("img")
    assert decode(node).shape == (*expected, 3)
    assert int(node.attributes["height"]) == expected[0]
    assert int(node.attributes["width"]) == expected[1]


def test_pictures_are_shown_in_order_with_their_captions():
    shades = [20 * i for i in range(8)]
    images = [
        (f"Gray {shade}", np.full((32, 32, 3), shade, np.uint8))
        for shade in shades
    ]
    _, document = make_page(images=images)
    figures = document.find("figure")
    assert len(figures) == len(images)
    for figure, (caption, pixels) in zip(figures, images, strict=True):
        (node,) = figure.find("img")
        (label,) = figure.find("figcaption")
        assert label.text == node.attributes["alt"] == caption
        np.testing.assert_allclose(decode(node), pixels, atol=1)


def test_pictures_look_as_they_do():
    picture = make_picture(96, 128)
    _, document = make_page(images=[("Result", picture)])
    pixels = decode(document.find("img")[0]).astype(int)
    np.testing.assert_allclose(pixels, picture, atol=JPEG)


def test_pictures_may_be_views_and_noise(generator):
    noise = generator.integers(0, 256, (300, 400, 3), np.uint8)
    views = [noise, noise[::-1, ::2], noise[..., ::-1], noise.swapaxes(0, 1)]
    _, document = make_page(images=[("", view) for view in views])
    shapes = [decode(node).shape for node in document.find("img")]
    assert shapes == [view.shape for view in views]


# Charts: what is drawn where.


def test_curve_passes_through_exact_points():
    evaluations = (0, 25, 50, 100)
    losses = (1e4, 1e3, 10**2.5, 1e2)
    metrics = [
        make_record(e, {"total": v, "style/a": v / 1e5})
        for e, v in zip(evaluations, losses, strict=True)
    ]
    _, document = make_page(metrics=metrics)
    total, style = find_charts(document)
    # A quarter of 424 is 106; a half and a quarter of 240 are 120 and 60.
    expected = [(48, 28), (154, 148), (260, 208), (472, 268)]
    assert find_curves(total) == {"c0 d0": [expected]}
    assert find_curves(style) == {"c1 d1": [expected]}


def test_axes_are_labeled_at_decades_and_round_evaluations():
    _, document = make_page(
        metrics=[make_record(1, {"total": 2e7}), make_record(157, {"total": 5})]
    )
    (chart,) = find_charts(document)
    # From 10^0 to 10^8: a decade is 240 / 8 = 30 high. Text sits 4 lower.
    numbers = ["10⁸", "10⁷", "10⁶", "10⁵", "10⁴", "10³", "10²", "10¹", "10⁰"]
    expected = {(40.0, 32.0 + 30 * i): n for i, n in enumerate(numbers)}
    labels = find_labels(chart, "end")
    assert labels == expected | {(472.0, 304.0): "evaluations"}
    lines = [n.attributes["d"] for n in chart.find("path", **{"class": "grid"})]
    assert lines == [f"M48 {268.0 - 30 * i}H472" for i in range(9)]
    # 424 * 50 / 157 is 135.03.
    expected = {0: "0", 1: "50", 2: "100", 3: "150"}
    assert find_labels(chart, "middle") == {
        (round(48 + 135.03 * i, 1), 286.0): text for i, text in expected.items()
    }


def test_one_record_is_a_ring():
    (((x, y),),), chart = draw(2e6)
    assert x == RIGHT
    assert y == pytest.approx(268 - 240 * 0.30103, abs=0.05)  # log10 of 2
    assert find_labels(chart, "end") == {
        (40, 272): "10⁶",
        (40, 199.8): "2",
        (40, 104.2): "5",
        (40, 32): "10⁷",
        (472, 304): "evaluations",
    }


@pytest.mark.parametrize(
    ("loss", "labels", "height"),
    [
        (5.0, ("10⁰", "10¹"), 268 - 240 * 0.69897),
        (0.5, ("10⁻¹", "10⁰"), 268 - 240 * 0.69897),
        (1e3, ("10²", "10⁴"), 148),  # a power of ten: a decade either side
        (1.0, ("10⁻¹", "10¹"), 148),
    ],
)
def test_equal_losses_are_a_level_line(loss, labels, height):
    (points,), chart = draw(loss, loss, loss)
    assert [x for x, _ in points] == [189.3, 330.7, 472]  # thirds of 424
    assert [y for _, y in points] == pytest.approx([height] * 3, abs=0.05)
    found = find_labels(chart, "end")
    assert (found[40, BOTTOM + 4], found[40, TOP + 4]) == labels


def test_losses_within_a_decade_have_its_ends_for_an_axis():
    (points,), chart = draw(2, 4, 8)
    steps = [268 - 240 * log for log in (0.30103, 0.60206, 0.90309)]
    assert [y for _, y in points] == pytest.approx(steps, abs=0.05)
    assert "10⁰" in find_labels(chart, "end").values()
    assert "10¹" in find_labels(chart, "end").values()


@pytest.mark.parametrize("gap", [0, 0.0, None, math.nan, math.inf, -1.0])
def test_curve_is_parted_where_a_loss_has_no_logarithm(gap):
    shapes, _ = draw(gap, 1e4, gap, gap, 1e3, 1e2, 1e3, gap)
    # Eighths of 424 are 53. Paths are listed before rings.
    assert shapes == [[(313, 148), (366, 268), (419, 148)], [(154, 28)]]


@pytest.mark.parametrize("gap", [0.0, math.nan])
def test_chart_of_no_logarithm_is_empty(gap):
    shapes, chart = draw(gap, gap)
    assert shapes == []
    assert "10⁰" in find_labels(chart, "end").values()


def test_axis_holds_the_huge_and_the_tiny():
    (points,), chart = draw(1e12, 1e-9, 1.0)
    # 21 decades are 11 pairs, from -10 to 12.
    assert [y for _, y in points] == [28, 257.1, 158.9]
    labels = find_labels(chart, "end")
    assert labels[40, 32] == "10¹²"
    assert labels[40, 272] == "10⁻¹⁰"
    assert labels[40, round(28 + 240 * 12 / 22, 1) + 4] == "10⁰"
    assert len(chart.find("path", **{"class": "grid"})) == 12


def test_losses_are_grouped_by_kind():
    _, document = make_page()
    sections = document.find("section")
    names = [
        [node.text for node in section.find("th", scope="row")]
        for section in sections
    ]
    assert [s.find("h3")[0].text for s in sections] == [
        "Weighted terms and total",
        "Raw terms by layer",
    ]
    assert names == [
        [
            "total",
            "weighted/content",
            "weighted/style",
            "weighted/total_variation",
        ],
        [
            "content/block4_conv2",
            "style/block1_conv1",
            "style/block2_conv1",
            "total_variation",
        ],
    ]


def test_loss_that_comes_late_is_drawn_too():
    losses = {"total": [1e2, 1e2, 1e3], "style/a": [None, 1e2, 1e3]}
    _, document = make_page(metrics=make_metrics(**losses))
    _, chart = find_charts(document)
    assert find_curves(chart) == {"c1 d1": [[(330.7, 268), (472, 28)]]}


def test_legend_has_the_look_of_its_curve():
    _, document = make_page()
    for section in document.find("section"):
        curves = find_curves(section.find("svg", role="img")[0])
        keys = [
            row.find("path")[0].attributes["class"]
            for row in section.find("tr")[1:]
        ]
        assert set(keys) == set(curves)
        assert len(keys) == len(set(keys))


def test_forty_curves_look_different():
    metrics = make_metrics(**{f"style/{i}": [i + 1, 2] for i in range(40)})
    _, document = make_page(metrics=metrics)
    assert len(find_curves(find_charts(document)[0])) == 40


def test_eight_looks_differ_without_their_colors():
    style = make_page()[1].find("style")[0].text
    dashes = dict(
        re.findall(r"\.(d\d) { stroke-dasharray: ([\d. ]+); }", style)
    )
    assert list(dashes) == [f"d{i}" for i in range(1, 8)]
    assert len(set(dashes.values())) == 7  # and d0 has none


def test_levels_are_marked_where_they_begin():
    levels = (0, 0, 1, 1, 2)
    metrics = [
        make_record(25 * i, {"total": 1.0}, level)
        for i, level in enumerate(levels)
    ]
    _, document = make_page(metrics=metrics)
    (chart,) = find_charts(document)
    marks = chart.find("path", **{"class": "level"})
    assert [n.attributes["d"] for n in marks] == [
        "M260.0 18V268",  # half of 424 and 48
        "M472.0 18V268",
    ]
    labels = find_labels(chart, "middle")
    assert [labels[x, 14] for x in (48, 260, 472)] == ["0", "1", "2"]
    assert find_labels(chart, "end")[40, 14] == "level"


def test_levels_are_not_mentioned_when_there_is_one():
    _, chart = draw(3, 2, 1)
    assert not chart.find("path", **{"class": "level"})
    assert "level" not in chart.text


def test_charts_have_a_role_a_name_and_a_description():
    _, document = make_page()
    charts = find_charts(document)
    assert len(charts) == 2
    for chart in charts:
        title, text = [c for c in chart.children if c != "\n"][:2]
        assert (title.tag, text.tag) == ("title", "desc")
        assert title.text
        assert text.text.endswith(" their first and last values.")
    for key in document.find("svg", viewbox="0 0 32 20"):
        assert key.attributes["aria-hidden"] == "true"


def test_table_has_the_first_and_the_last_losses():
    metrics = make_metrics(
        **{
            "total": [6.578e8, 1.0, 7600425.0],
            "style/a": [0.0, 1.0, 0.00123456],
            "style/b": [math.inf, 1.0, math.nan],
            "style/c": [None, 1.0, 1e-9],
        }
    )
    _, document = make_page(metrics=metrics)
    tables = [section.find("table")[0] for section in document.find("section")]
    rows = [
        [cell.text.replace("\u00d7", "x") for cell in row.children]
        for table in tables
        for row in table.find("tr")
    ]
    assert rows == [
        ["Loss", "Step 10", "Step 30"],
        ["total", "6.578 x 10⁸", "7.600 x 10⁶"],
        ["Loss", "Step 10", "Step 30"],
        ["style/a", "0", "1.235 x 10⁻³"],
        ["style/b", "inf", "nan"],
        ["style/c", "\u2013", "1.000 x 10⁻⁹"],
    ]


def test_table_has_one_column_when_there_is_one_record():
    _, document = make_page(metrics=make_metrics(total=[4.0]))
    (section,) = document.find("section")
    rows = [[c.text for c in row.children] for row in section.find("tr")]
    assert rows == [["Loss", "Step 10"], ["total", "4.000 \u00d7 10⁰"]]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**7),
            st.integers(0, 5),
            st.dictionaries(
                st.text("ab/<&", min_size=1),
                st.floats(min_value=0) | st.integers(0, 10**300),
            ),
        ),
        max_size=5,
    )
)
def test_curves_stay_on_the_sheet(rows):
    metrics = [make_record(e, losses, level) for e, level, losses in rows]
    _, document = make_page(metrics=metrics, images=[])
    for chart in find_charts(document):
        for shapes in find_curves(chart).values():
            for x, y in itertools.chain(*shapes):
                assert LEFT <= x <= RIGHT
                assert TOP <= y <= BOTTOM
        assert 2 <= len(chart.find("path", **{"class": "grid"})) <= 14


# Colors.


def luminance(color):
    """Returns the relative luminance of #rrggbb, after WCAG 2."""
    levels = np.array(list(bytes.fromhex(color[1:]))) / 255
    light = np.where(
        levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4
    )
    return light @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colors_are_readable(mode):
    style = make_page()[1].find("style")[0].text
    names = re.findall(r"--(\w+): (#\w{6});", style)
    assert len(names) == 2 * 12
    colors = dict(names[12 * mode : 12 * (mode + 1)])
    curves = {f"c{i}": 3 for i in range(1, 8)}
    pairs = {"ink": 4.5, "quiet": 4.5, **curves}  # of WCAG 2.1: text, graphics
    for name, contrast in pairs.items():
        dark, light = sorted(luminance(colors[n]) for n in (name, "paper"))
        assert (light + 0.05) / (dark + 0.05) >= contrast, name
    dark, light = sorted(luminance(colors[n]) for n in ("ink", "mat"))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


# In a browser.


class Browser:
    """Chromium, spoken to through a pair of pipes (DevTools protocol)."""

    FLAGS = (
        *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--remote-debugging-pipe", "--hide-scrollbars"),
    )
    # The browser reads from descriptor 3 and writes to 4.
    START = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3);"
        " os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
    )
    PATIENCE = 60  # seconds

    def __init__(self, program, folder):
        there, self._input = os.pipe()
        self._output, here = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (there, here)]
        flags = [*self.FLAGS, f"--user-data-dir={folder}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # root cannot have one
        start = [sys.executable, "-c", self.START, *map(str, ends)]
        self._process = subprocess.Popen(
            [*start, program, *flags],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        for end in (there, here, *ends):
            os.close(end)
        self._pending = b""
        self._num_calls = 0
        self._session = {}
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")
        session = self.call("Target.attachToTarget", flatten=True, **target)
        self._session = session
        for domain in ("Page", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Calls a method and returns its result."""
        self._num_calls += 1
        number = self._num_calls
        call = {"id": number, "method": method, "params": params}
        message = json.dumps(call | self._session).encode() + b"\0"
        while message:
            message = message[os.write(self._input, message) :]
        answer = self._wait_for(lambda message: message.get("id") == number)
        assert "error" not in answer, answer
        return answer["result"]

    def _wait_for(self, is_it):
        deadline = time.monotonic() + self.PATIENCE
        while True:
            while b"\0" in self._pending:
                first, self._pending = self._pending.split(b"\0", 1)
                message = json.loads(first)
                if is_it(message):
                    return message
                self.events.append(message)
            left = max(0, deadline - time.monotonic())
            assert select.select([self._output], [], [], left)[0], "no answer"
            received = os.read(self._output, 2**20)
            assert received, "the browser has ended"
            self._pending += received

    def show(self, path, width, scheme="light", media="screen"):
        """Loads a page anew, on a screen of a width and a mode."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self._wait_for(lambda m: m.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        return answer["result"]["value"]

    def find(self, selector):
        """Returns left, top, right, bottom of the first such element."""
        box = f"document.querySelector({json.dumps(selector)})"
        rectangle = self.evaluate(f"{box}.getBoundingClientRect().toJSON()")
        return [
            round(rectangle[side])
            for side in ("left", "top", "right", "bottom")
        ]

    def photograph(self):
        """Returns uint8 `[H, W, 3]` of the whole page."""
        answer = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        with Image.open(io.BytesIO(base64.b64decode(answer["data"]))) as image:
            return np.array(image.convert("RGB"))

    def close(self):
        """Ends the browser, by force if it lingers."""
        try:
            self._session = {}
            self.call("Browser.close")
            self._process.wait(self.PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._input)
            os.close(self._output)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Returns a headless Chromium; without one, CI fails."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        reason = "Chromium is not installed: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Returns the paths of the pages, by name."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name in PAGES}
    for name, path in paths.items():
        path.write_text(make_page(**PAGES[name])[0], encoding="utf-8")
    return paths


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_page_fits_the_width_of_a_screen(browser, paths, name, width):
    browser.show(paths[name], width)
    sizes = browser.evaluate(
        "[innerWidth, document.documentElement.scrollWidth]"
    )
    assert sizes == [width, width]
    # Nothing sticks out of a box that would hide or scroll it, either.
    rights = browser.evaluate(
        "[...document.body.querySelectorAll('*')].map("
        "element => element.getBoundingClientRect().right)"
    )
    assert max(rights) <= width


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_is_painted_in_its_mode(browser, paths, width, scheme):
    browser.show(paths["a run"], width, scheme)
    page = browser.photograph()
    assert page.shape[1] == width
    for corner in (page[1, 1], page[1, -2], page[-2, 1], page[-2, -2]):
        assert tuple(corner) == PAPER[scheme]
    assert (page == PAPER[scheme]).all(-1).mean() < 0.9

    left, top, right, bottom = browser.find(".lead img")
    assert right - left > width / 2  # the result is big
    result = page[top:bottom, left:right].astype(int)
    middle = result[len(result) // 2, (right - left) // 2]
    np.testing.assert_allclose(middle, make_picture()[24, 32], atol=JPEG)

    left, top, right, bottom = browser.find("svg[role=img]")
    chart = page[top:bottom, left:right].astype(int)
    is_ink = (abs(chart - INK[scheme]) <= BLENDED).all(-1)
    assert is_ink.any(0).mean() > 0.5  # the total crosses the chart


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_nothing_and_breaks_no_rule(browser, paths, name):
    browser.show(paths[name], 1280)
    browser.photograph()
    requests = {
        event["params"]["request"]["url"].split(",")[0]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert requests <= {paths[name].as_uri(), "data:image/jpeg;base64"}
    assert paths[name].as_uri() in requests
    methods = {event["method"] for event in browser.events}
    assert "Log.entryAdded" not in methods  # such as a broken policy
    assert "Page.javascriptDialogOpening" not in methods
    assert browser.evaluate("document.querySelectorAll('script').length") == 0
    pictures = "[...document.images].every(image => image.naturalWidth > 0)"
    assert browser.evaluate(pictures)


@pytest.mark.browser
def test_page_prints_dark_on_light_whatever_the_screens_mode(browser, paths):
    browser.show(paths["a run"], 800, "dark", "print")
    page = browser.photograph()
    assert tuple(page[1, 1]) == (255, 255, 255)
    assert (page >= 240).all(-1).mean() > 0.4
    printed = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert printed.startswith(b"%PDF")
