"""The library in the kernel of a real notebook."""

import base64
import io
import os
import signal
import threading

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from tests import ROOT
from tests.processes import PATIENCE

PAINT = """
import tfstyle
scene, strokes = tfstyle.sample("scene"), tfstyle.sample("strokes")
stylizer = tfstyle.Stylizer(weights="random", image_size=32, num_steps=3)
stylizer(scene, strokes)
"""
PAINT_LONG = """
endless = tfstyle.Stylizer(stylizer.config, num_steps=10**6)
endless(scene, strokes)
"""
SHOW = """
import sys
sys.last_value.result.show()
"""


@pytest.mark.slow
def test_notebook_shows_progress_and_result_and_keeps_one_that_is_stopped():
    texts = (PAINT, PAINT_LONG, SHOW)
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    cells[1].metadata["tags"] = ["raises-exception"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3")
    with client.setup_kernel():
        client.execute_cell(cells[0], 0)
        shown, result = (output["data"] for output in cells[0].outputs)
        assert shown["text/plain"].startswith("step 3/3, loss ")
        assert result["text/plain"].startswith("<Result: 32x24, 3 steps")
        assert "image/png" in result
        kernel = client.km.provisioner.process.pid
        timer = threading.Timer(2, os.kill, (kernel, signal.SIGINT))
        timer.start()
        client.execute_cell(cells[1], 1)
        assert cells[1].outputs[-1]["ename"] == "Interrupted"
        client.execute_cell(cells[2], 2)
        shown = cells[2].outputs[-1]["data"]["image/png"]
        with Image.open(io.BytesIO(base64.b64decode(shown))) as picture:
            assert picture.size == (64, 24)


@pytest.mark.weights
@pytest.mark.slow
def test_quickstart_notebook_runs(tmp_path, real_weights):
    path = ROOT / "tools" / "quickstart.ipynb"
    notebook = nbformat.read(path, as_version=4)
    replaced = {
        'SOURCE = "."': f'SOURCE = "{ROOT}"',
        "%pip install": "%pip install --dry-run",
        "IMAGE_SIZE = 512": "IMAGE_SIZE = 64",
    }
    for old, new in replaced.items():
        (cell,) = [c for c in notebook.cells if old in c.source]
        cell.source = cell.source.replace(old, new)
    NotebookClient(
        notebook,
        timeout=PATIENCE,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    with Image.open(tmp_path / "painted.png") as picture:
        assert picture.size == (64, 48)
    said = "".join(output.get("text", "") for output in cells[0].outputs)
    assert "tensorflow" not in said.lower()  # it stays as it is
