"""The page: its tabs and its look."""

import gradio as gr

from tfstyle.studio.comparison import Comparison
from tfstyle.studio.contact_table import ContactTable
from tfstyle.studio.jobs import Jobs
from tfstyle.studio.painting import Painting

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
FIXED_WIDTH = ["ui-monospace", "Menlo", "Consolas", "monospace"]
CSS = """
.preview img { width: 100%; max-height: 75vh; object-fit: contain;
  background: var(--background-fill-secondary); }
.preview p { min-height: 16em; display: grid; place-items: center;
  color: var(--body-text-color-subdued); text-align: center; }
.said progress { width: 100%; height: 10px; accent-color: var(--primary-600); }
.fault { color: var(--error-text-color); font-weight: 600; }
.fault:empty { display: none; }
.charts iframe { width: 100%; height: 640px; border: 0; }
#strip .grid-container { max-height: 20em; overflow-y: auto;
  grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); }
.many table { width: 100%; border-collapse: collapse; }
.many :is(th, td) { padding: 4px; vertical-align: top; }
.many img { width: 100%; max-width: 256px; }
.pixels img { image-rendering: pixelated; }
table.differences { width: 100%; border-collapse: collapse; }
table.differences :is(th, td) { text-align: left; padding: 4px 8px;
  border-bottom: 1px solid var(--border-color-primary); }
"""


def make_page(jobs: Jobs, root: str) -> tuple[gr.Blocks, dict]:
    """Returns the page, and the look that it is launched with.

    Args:
        jobs: what is painted, and what waits.
        root: the folder of runs.
    """
    look = {
        "theme": gr.themes.Default(font=FONTS, font_mono=FIXED_WIDTH),
        "css": CSS,
    }
    with gr.Blocks(
        title="tfstyle studio",
        analytics_enabled=False,
        delete_cache=(3600, 24 * 3600),
    ) as page:
        gr.Markdown("# tfstyle studio")
        with gr.Tab("Paint"):
            Painting(jobs, root, page)
        with gr.Tab("Compare") as tab:
            Comparison(root, tab)
        with gr.Tab("Many"):
            ContactTable(jobs, root)
    return page, look
