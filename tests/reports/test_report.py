"""The report: true to its numbers, safe to open, fit for every screen."""

import base64
import concurrent.futures
import html
import io
import math
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import ROOT
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import SetupError
from tfstyle.experiment import output_checks
from tfstyle.reports.charts import draw_chart
from tfstyle.reports.report import make_charts
from tfstyle.reports.report import make_report

JPEG = 6  # grey levels of a smooth picture at quality 85
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;</pre>"
PAPER = {"light": (250, 250, 250), "dark": (20, 20, 22)}


def make_record(evaluations, losses, level=0):
    size = {"height": 48, "width": 64, "seconds": 0.5, "level": level}
    step = {"step": 10 * evaluations, "evaluations": evaluations}
    return {**step, **size, **losses}


def make_totals(*losses):
    """Returns a record per evaluation, from 0; None leaves the total out."""
    return [
        make_record(i, {} if loss is None else {"total": loss})
        for i, loss in enumerate(losses)
    ]


def make_picture(height=48, width=64):
    """Returns a smooth uint8 `[height, width, 3]`, reddish at the right."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 80 + 150 * x / width, 40 + 100 * y / height
    return np.stack([red, green, 0 * x + 60], -1).astype(np.uint8)


def make_page(**arguments):
    """Returns the report of a small run."""
    defaults = {
        "title": "A title",
        "images": [("Result", make_picture()), ("Step 0", make_picture())],
        "metrics": RUN,
        "facts": {"weights": "random", "time": "3 s"},
        "flags": "# A comment.\n--seed=1\n",
    }
    return make_report(**defaults | arguments)


RUN = [
    make_record(
        number,
        {
            "total": 3e8 / number,
            "content/block4_conv2": 2e7 * (number - 1),
            "style/block1_conv1": 5e9 / number**2,
            "weighted/content": 2e6 * (number - 1),
            "weighted/style": 2e8 / number,
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


# The page as text.


@pytest.mark.parametrize("text", [HOSTILE, "a & b", "&amp;", "猫.png", "'a'"])
def test_text_from_outside_is_escaped(text):
    page = make_page(
        title=text,
        images=[(text, make_picture())],
        metrics=[make_record(1, {HOSTILE: 1.0})],
        facts={text: text},
        flags=text,
    )
    escaped = html.escape(text)
    name = html.escape(HOSTILE).replace("/", "/<wbr>")
    for part in (
        *(f"<title>{escaped}</title>", f"<h1>{escaped}</h1>"),
        *(f' alt="{escaped}"', f"<figcaption>{escaped}</figcaption>"),
        *(f'<th scope="row">{escaped}</th><td>{escaped}</td>',),
        *(f'<th scope="row">{name}</th>', f"<pre>{escaped}</pre>"),
    ):
        assert part in page
    assert "<script" not in page
    assert page.count("<img") == 2


def test_unprintable_text_is_marked():
    lone = b"\xff.png".decode("utf-8", "surrogateescape")  # as in file names
    page = make_page(title="a\0b\x1b[31m\x7f\x9b\r", flags=lone)
    assert "<h1>a\ufffdb\ufffd[31m\ufffd\ufffd\ufffd</h1>" in page
    assert "<pre>\ufffd.png</pre>" in page
    page.encode("utf-8")


def test_page_shows_flags_facts_and_size():
    page = make_page(flags="# Comment\n--seed=1\n", facts={"z": "1", "a": "2"})
    assert "<pre># Comment\n--seed=1\n</pre>" in page
    assert page.index("<td>1</td>") < page.index("<td>2</td>")
    assert "64 \u00d7 48 pixels, 90 steps, 9 evaluations" in page


def test_page_is_the_same_bytes_in_another_process():
    code = """if True:
        import sys
        from tests.reports import test_report
        sys.stdout.buffer.write(test_report.make_page().encode())
        assert "matplotlib.pyplot" not in sys.modules
    """
    environment = {**os.environ, "PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo"}
    environment["SOURCE_DATE_EPOCH"] = "1"
    page = subprocess.check_output(
        [sys.executable, "-c", code], env=environment, cwd=ROOT
    )
    assert page == make_page().encode()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), (1, 1)),
        ((1024, 700), (1024, 700)),
        ((1025, 10), (1024, 10)),
        ((600, 2048), (300, 1024)),
    ],
)
def test_pictures_are_embedded_at_most_1024_pixels_long(size, expected):
    picture = make_picture(*size)
    page = make_page(images=[("Result", picture)], metrics=[])
    height, width = expected
    assert f'width="{width}" height="{height}"' in page
    (data,) = re.findall('src="data:image/jpeg;base64,([^"]*)"', page)
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        shown = np.asarray(image, int)
    assert shown.shape == (*expected, 3)
    if size == expected:
        np.testing.assert_allclose(shown, picture, atol=JPEG)


def test_tables_have_the_first_and_the_last_losses():
    losses = {"total": [6.578e8, 1.0, 7600425.0], "style/a": [0.0, 1.0, 1e-3]}
    metrics = [
        make_record(i, {k: v[i] for k, v in losses.items()}) for i in range(3)
    ]
    metrics[2]["style/b"] = math.nan
    weighted, raw = make_page(metrics=metrics).split("<section>")[1:]
    cells = re.compile("<t[hd](?: [^>]*)?>(.*?)</t[hd]>")
    assert cells.findall(weighted.split("</section>")[0]) == [
        *("Loss", "Step 0", "Step 20"),
        *("total", "6.578e+08", "7.600e+06"),
    ]
    assert cells.findall(raw.split("</section>")[0]) == [
        *("Loss", "Step 0", "Step 20"),
        *("style/<wbr>a", "0.000e+00", "1.000e-03"),
        *("style/<wbr>b", "\u2013", "nan"),
    ]


# Charts.


def find_labels(chart):
    """Returns the chart's texts; Matplotlib draws them as paths."""
    return re.findall("<!-- (.*?) -->", chart)


def find_curve(chart, color="#1d1d1f"):
    """Returns the runs of points (x, y) of the first curve of a color."""
    line = rf'<path d="([^"]*)"[^>]*?stroke: {color}'
    path = re.search(line, chart)[1]
    return [
        [tuple(map(float, point.split())) for point in run.split("L")]
        for run in path.split("M")[1:]
    ]


def test_chart_is_logarithmic_and_linear():
    metrics = [make_record(e, {"total": 10 ** (e / 25)}) for e in (0, 25, 100)]
    chart, _ = draw_chart(metrics, ["total"])
    (((x0, y0), (x1, y1), (x2, y2)),) = find_curve(chart)
    assert x1 - x0 == pytest.approx((x2 - x0) / 4, rel=1e-4)
    assert y1 - y0 == pytest.approx((y2 - y0) / 4, rel=1e-4)
    labels = find_labels(chart)
    assert {"10⁰", "10¹", "10⁴", "0", "100", "evaluations", "total"} <= {
        *labels
    }
    assert "level" not in labels


@pytest.mark.parametrize("gap", [0, None, math.nan, math.inf, -1.0])
def test_curve_is_parted_at_losses_without_logarithm(gap):
    metrics = make_totals(gap, 1e4, gap, gap, 1e3, 1e2, 1e3, gap, 1.0, 2.0)
    chart, _ = draw_chart(metrics, ["total"])
    assert [len(run) for run in find_curve(chart)] == [1, 3, 2]
    markers = re.findall("<use [^>]*fill: #1d1d1f", chart)
    assert len(markers) == 2  # of the lone point, and in the legend


@pytest.mark.parametrize(
    "losses",
    [[2e6], [0.0, 0.0], [math.nan], [5, 5, 5], [1e38, 1e-38], [2.0, 2.1]],
)
def test_chart_is_drawn_of_any_losses(losses):
    chart, _ = draw_chart(make_totals(*losses), ["total"])
    assert sum(label.startswith("10") for label in find_labels(chart)) >= 2


def test_levels_are_marked():
    labels = find_labels(draw_chart(RUN, ["total"])[0])
    assert labels[labels.index("level") - 2 :][:3] == ["0", "1", "level"]


def test_forty_curves_look_different():
    names = [f"style/{i}" for i in range(40)]
    metrics = [make_record(i, dict.fromkeys(names, 1.0)) for i in range(2)]
    chart, _ = draw_chart(metrics, names)
    legend = chart[chart.index('id="legend') :]
    styles = re.findall('style="(fill: none; stroke[^"]*)"', legend)
    assert len(styles) == len(set(styles)) == 40


def test_chart_is_the_same_in_many_threads_and_leaves_the_settings():
    import matplotlib

    before = dict(matplotlib.rcParams)
    expected = make_charts(RUN)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        assert set(pool.map(make_charts, [RUN] * 3)) == {expected}
    assert dict(matplotlib.rcParams) == before


def test_report_without_matplotlib_is_refused_before_the_run(
    monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    workdir = str(tmp_path)
    output_checks.check_output(RunConfig(workdir=workdir))
    with pytest.raises(SetupError, match=r"pip install 'tfstyle\[report\]'"):
        output_checks.check_output(RunConfig(workdir=workdir, report=True))


# In a browser.


@pytest.fixture(scope="module")
def browser():
    """Returns the system's Chromium; without it, CI fails."""
    from tools.studio_browser import running_chromium

    if not shutil.which("chromium") and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with running_chromium() as browser:
        yield browser


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Playwright's loop
@pytest.mark.parametrize(
    ("name", "scheme"), [*((n, "light") for n in PAGES), ("a run", "dark")]
)
def test_page_in_a_browser(browser, tmp_path, name, scheme):
    path = tmp_path / "report.html"
    path.write_text(make_page(**PAGES[name]), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    requests, faults = [], []
    page.on("request", lambda request: requests.append(request.url))
    for event in ("console", "pageerror", "dialog"):
        page.on(event, lambda fault: faults.append(str(fault)))
    for width in (320, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(path.as_uri())
        rights = page.locator("body *").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().right)"
        )
        assert max(rights) <= width
    seen = page.locator("img").evaluate_all(
        "all => all.map(e => e.naturalWidth && e.alt)"
    )
    assert len(seen) == path.read_text().count("<img ")
    assert all(seen)
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as image:
        assert image.getpixel((1, 1))[:3] == PAPER[scheme]
        if name == "a run":
            box = page.locator(".charts img").first.bounding_box()
            left, top = box["x"], box["y"]
            right, bottom = left + box["width"], top + box["height"]
            chart = image.crop((left, top, right, bottom)).convert("RGB")
            colors = {color for _, color in chart.getcolors(1 << 20)}
            assert PAPER[scheme] in colors
            assert len(colors) > 100
    assert all(url.startswith(("file:", "data:")) for url in requests)
    assert faults == []
    context.close()


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("scheme", PAPER)
def test_page_is_accessible(browser, tmp_path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    path = tmp_path / "report.html"
    path.write_text(make_page(), encoding="utf-8")
    # Axe is a script, which the page's policy refuses.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert Axe().run(page).response["violations"] == []
    context.close()
