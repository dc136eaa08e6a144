"""The tab where results are laid side by side."""

import html

import gradio as gr

from tfstyle.studio import runs


class Comparison:
    """The tab where results are laid side by side."""

    def __init__(self, root: str, tab: gr.Tab):
        self._root = root
        self.strip = gr.Gallery(
            label="All results, the newest first",
            columns=8,
            allow_preview=False,
            object_fit="contain",
            elem_id="strip",
        )
        with gr.Row():
            self.left = gr.Dropdown(label="Left", choices=[], elem_id="left")
            self.right = gr.Dropdown(label="Right", choices=[], elem_id="right")
        self.pixels = gr.Checkbox(False, label="Show single pixels")
        self.both = gr.ImageSlider(
            label="Both; the wheel zooms",
            type="filepath",
            interactive=False,
            height=560,
            elem_id="both",
        )
        self.differences = gr.HTML("", elem_id="differences")
        chosen = [self.left, self.right]
        tab.select(
            self._list, chosen, [self.strip, *chosen], show_progress="hidden"
        ).then(self._compare, chosen, [self.both, self.differences])
        self.pixels.input(
            lambda on: gr.ImageSlider(elem_classes="pixels" if on else ""),
            *(self.pixels, self.both),
            show_progress="hidden",
        )
        self.strip.select(self._choose, self.right, chosen)
        for choice in chosen:
            choice.change(self._compare, chosen, [self.both, self.differences])

    def _list(self, left, right):
        found = [run for run in runs.list_runs(self._root) if run.picture]
        names = [run.name for run in found]
        right = right if right in names else next(iter(names), None)
        left = left if left in names else next(iter(names[1:]), right)
        return (
            [(run.picture, run.name) for run in found],
            gr.Dropdown(names, value=left),
            gr.Dropdown(names, value=right),
        )

    def _choose(self, right, event: gr.SelectData):
        """Lays the picture that was clicked on to the right."""
        return right, event.value["caption"]

    def _compare(self, left, right):
        pair = [runs.find_run(self._root, name or "") for name in (left, right)]
        if not all(run and run.picture for run in pair):
            return None, ""
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>'
            f"<td>{html.escape(ours)}</td><td>{html.escape(theirs)}</td></tr>"
            for name, ours, theirs in runs.differences(*pair)
        )
        table = (
            '<table class="differences"><thead><tr><th scope="col">Option</th>'
            f'<th scope="col">{html.escape(left)}</th>'
            f'<th scope="col">{html.escape(right)}</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
        same = "<p>They were made with the same options.</p>"
        return tuple(run.picture for run in pair), table if rows else same
