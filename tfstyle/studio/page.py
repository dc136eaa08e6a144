"""The web page of the studio: its tabs, theme and styles."""

import gradio as gr

from tfstyle.studio.comparison import Comparison
from tfstyle.studio.contact_table import ContactTable
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.painting import Painting
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import read_asset

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
FIXED_WIDTH = ["ui-monospace", "Menlo", "Consolas", "monospace"]
COLORS = {
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_300",
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_300",
    "input_placeholder_color": "*neutral_600",
    "input_placeholder_color_dark": "*neutral_300",
    "color_accent": "*primary_700",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_hover_dark": "*primary_800",
}
"""Colours of the theme, with sufficient contrast for accessibility."""
CSS = read_asset("page.css")
SCRIPT = read_asset("page.js")
"""JavaScript of the whole page: keys, drops, names for screen readers."""


def make_page(jobs: Jobs, root: str) -> tuple[gr.Blocks, dict]:
    """Makes the page; returns it with its theme and styles for launching.

    Args:
        jobs: the queue of jobs.
        root: the folder of runs.
    """
    theme = gr.themes.Default(font=FONTS, font_mono=FIXED_WIDTH)
    look = {"theme": theme.set(**COLORS), "css": CSS}
    with gr.Blocks(
        title="tfstyle studio",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(3600, 24 * 3600),
    ) as page:
        page.load(None, js=SCRIPT, **DIRECT)
        page.load(None, js=read_asset("reconnect.js"), **DIRECT)
        gr.Markdown("# tfstyle studio", elem_id="name")
        with gr.Tabs() as tabs:
            with gr.Tab("Paint", id="paint"):
                painting = Painting(jobs, root, page)
            with gr.Tab("Compare") as tab:
                Comparison(root, tab, painting.display.shown)
            with gr.Tab("Many"):
                ContactTable(jobs, root, painting, page, tabs)
    return page, look
