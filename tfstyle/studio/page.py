"""The web page of the studio: its tabs, theme and styles."""

import gradio as gr

from tfstyle.studio.comparison import Comparison
from tfstyle.studio.contact_table import ContactTable
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.painting import Painting
from tfstyle.studio.widgets import DIRECT

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
CSS = """
.dark { --color-accent: var(--primary-500); }
.preview img { width: 100%; max-height: 75vh; object-fit: contain;
  background: var(--background-fill-secondary); }
.preview p { min-height: 16em; display: grid; place-items: center;
  color: var(--body-text-color-subdued); text-align: center; }
.progress-of-run progress { width: 100%; height: 10px; appearance: none; }
.progress-of-run progress::-webkit-progress-bar {
  background: var(--border-color-primary); }
.progress-of-run progress::-webkit-progress-value {
  background: var(--primary-600); }
.progress-of-run progress::-moz-progress-bar { background: var(--primary-600); }
.progress-of-run p, .state p { margin: 0; }
.state p { font-weight: 600; }
.block.state { margin-bottom: -16px; }
:is(button, input, textarea, .window):focus-visible,
label:has(> input:focus-visible) { outline: 3px solid var(--primary-600);
  outline-offset: 2px; }
.fault p { color: var(--error-text-color); font-weight: 600; }
.block.fault:not(:has([role=alert])) { display: none; }
.charts iframe { width: 100%; height: 640px; border: 0; }
:is(#contents, #styles) .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(110px, 140px)); }
#strip .grid-wrap { min-height: 0; max-height: 20em; }
#strip .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
#strip .caption-label { max-width: 100%; font-size: 11px; }
.keep { align-items: end; }
.many table { width: 100%; border-collapse: collapse; }
.many :is(th, td) { padding: 4px; vertical-align: top; border: 0; }
.many img { width: 100%; max-width: 256px; }
.wrong textarea, .wrong input { border-color: var(--error-border-color); }
.wrong span { color: var(--error-text-color); }
#both .window { position: relative; overflow: auto; max-height: 60vh; }
#both .pair { position: relative; margin: auto; }
#both .pair img { display: block; width: 100%; max-width: none;
  margin: 0; border-radius: 0; }
#both .pair .left { position: absolute; inset: 0; height: 100%;
  object-fit: contain; background: var(--background-fill-secondary); }
#both .pair::after { content: ""; position: absolute; top: 0; bottom: 0;
  left: var(--at, 50%); width: 2px; background: white;
  outline: 1px solid black; }
#both .pair .left { clip-path: inset(0 calc(100% - var(--at, 50%)) 0 0); }
#both .pixels img { image-rendering: pixelated; }
#both .divider { accent-color: var(--primary-600); }
table.differences { width: 100%; border-collapse: collapse; }
table.differences :is(th, td) { text-align: left; padding: 4px 8px;
  border: 0; border-bottom: 1px solid var(--border-color-primary); }
"""
NAME_PICTURES = """() => {
  for (const label of document.querySelectorAll('[data-testid=block-label]')) {
    const block = label.closest('.block');
    block.setAttribute('role', 'group');
    block.setAttribute('aria-label', label.innerText.trim());
  }
}"""
"""JavaScript that labels the image uploads for screen readers."""


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
        delete_cache=(3600, 24 * 3600),
    ) as page:
        page.load(None, js=NAME_PICTURES, **DIRECT)
        gr.Markdown("# tfstyle studio")
        with gr.Tabs() as tabs:
            with gr.Tab("Paint", id="paint"):
                painting = Painting(jobs, root, page)
            with gr.Tab("Compare") as tab:
                Comparison(root, tab)
            with gr.Tab("Many"):
                ContactTable(jobs, root, painting, page, tabs)
    return page, look
