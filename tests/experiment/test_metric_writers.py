"""Lines of metrics.jsonl."""

import json

from tests.training.test_callbacks import make_record
from tfstyle.experiment.metric_writers import JsonLinesWriter


def test_writer_writes_a_whole_line_a_record(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = JsonLinesWriter(str(path))
    for step in range(2):
        writer(make_record(step))
        lines = path.read_text().split("\n")  # at once, without closing
        assert len(lines) == step + 2
        assert lines[-1] == ""
    writer.close()
    assert json.loads(lines[1]) == {
        "step": 1,
        "evaluations": 2,
        "level": 0,
        "height": 2,
        "width": 3,
        "seconds": 0.5,
        "total": 3.0,
        "style/block1_conv1": 1.5,
        "weighted/style": 3.0,
    }


def test_writer_empties_the_file_of_an_earlier_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("old\n")
    JsonLinesWriter(str(path)).close()
    assert path.read_text() == ""
