"""The trace of a run: whose votes each node combined, step by step; enough to run it again."""

from guanyu_mpi.trace.lives import Traces, begin_life, life_configs, trace_dir, trace_path
from guanyu_mpi.trace.reader import Segment, Table, Taken, TraceError, read_segments
from guanyu_mpi.trace.record import mark
from guanyu_mpi.trace.writer import Header, TraceFile, params_digest

__all__ = [
    "Header",
    "Segment",
    "Table",
    "Taken",
    "TraceError",
    "TraceFile",
    "Traces",
    "begin_life",
    "life_configs",
    "mark",
    "params_digest",
    "read_segments",
    "trace_dir",
    "trace_path",
]
