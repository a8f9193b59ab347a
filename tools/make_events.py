#!/usr/bin/env python3
"""Writes tests/golden/events.tfevents by TensorBoard's own writer (pip install tensorboard): what
tests/train/test_tensorboard.c compares ours with.  Never needed to build or test.
SPDX-License-Identifier: MIT"""
import io
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.event_pb2 import SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

WALL_TIME = 1764277200.25


def record(**fields):
    out = io.BytesIO()
    RecordWriter(out).write(Event(wall_time=WALL_TIME, **fields).SerializeToString())
    return out.getvalue()


def scalars(**values):
    value = [Summary.Value(tag=tag.replace("__", "/"), simple_value=number) for tag, number in values.items()]
    return Summary(value=value)


records = [
    record(step=0, file_version="brain.Event:2"),
    record(step=0, session_log=SessionLog(status=SessionLog.START)),
    record(step=300, summary=scalars(train__loss=0.25, train__gradient_norm=-3.5)),
    record(step=300, summary=scalars(validation__psnr=20)),
    record(step=70000, summary=scalars(time__waited_for_data=0)),
]
with open(sys.argv[1], "wb") as out:
    out.write(b"".join(records))
