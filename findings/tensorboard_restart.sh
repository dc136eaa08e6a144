#!/bin/sh
# TensorBoard: the mark of a restart counts only from the second one on.
#
# Expected: a run that goes on from a checkpoint at step 4 writes one event
# SessionLog(START) with step 4, and TensorBoard forgets what a lost process
# wrote from step 4 on. That is what the field is for.
# Seen: the curve runs back, 0 2 4 6 4 6 8. With the same event twice it is
# 0 2 4 6 8.
# Why: the accumulator takes the first such event of a folder for the start of
# the whole run, as TensorFlow 1's supervisors wrote one there. The summary
# writers of TensorFlow 2 write none, so the first restart is the first event;
# and since the file says version 2, steps that run back purge nothing either.
# Source: tensorboard/backend/event_processing/plugin_event_accumulator.py,
# _MaybePurgeOrphanedData; pull request 4763 of tensorflow/tensorboard.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorboard==2.21.0 'setuptools<81'
cat > "$folder/show.py" <<'END'
import sys

from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


def write(folder, suffix, steps, restarts=()):
    writer = EventFileWriter(folder, filename_suffix=suffix)
    for step in restarts:
        mark = SessionLog(status=SessionLog.START)
        writer.add_event(Event(step=step, session_log=mark))
    for step in steps:
        value = Summary.Value(tag="loss", simple_value=1.0)
        writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()


def steps_shown(folder):
    shown = plugin_event_accumulator.EventAccumulator(folder)
    shown.Reload()
    return [event.step for event in shown.Tensors("loss")]


for number, restarts in enumerate(([], [4], [4, 4])):
    folder = f"{sys.argv[1]}/{number}"
    write(folder, ".a", [0, 2, 4, 6])
    write(folder, ".b", [4, 6, 8], restarts)
    print(len(restarts), "marks:", *steps_shown(folder))
END
"$folder/venv/bin/python" "$folder/show.py" "$folder" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'END'
0 marks: 0 2 4 6 4 6 8
1 marks: 0 2 4 6 4 6 8
2 marks: 0 2 4 6 8
END
echo "tensorboard 2.21.0: as described"
