"""What reads bytes that others wrote, each with honest examples of them and what it may raise.

A target is fed any bytes. It returns whether they were accepted, by documented errors or by saying
less; whatever else it raises is a bug, and so is a result that an honest writer cannot have meant.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mutations import WORDS

from guanyu_mpi import data
from guanyu_mpi.checkpoint import Store, path_of, read
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config import load_config, parse_config
from guanyu_mpi.data.mnist_small import MNIST_SMALL
from guanyu_mpi.data.recipe import Chunk, Recipe
from guanyu_mpi.data.writer import write_data
from guanyu_mpi.done import Done, done_path, read_done, write_done
from guanyu_mpi.errors import CheckpointError, ConfigError, DataError, PeerFault
from guanyu_mpi.journal import Journal, observer_log, rank_log
from guanyu_mpi.launch import Verdict
from guanyu_mpi.messages import Message
from guanyu_mpi.metrics import EventTail
from guanyu_mpi.simulation import simulate
from guanyu_mpi.standing import standings
from guanyu_mpi.summary import fared, launched
from guanyu_mpi.trace.lives import trace_path
from guanyu_mpi.trace.reader import TraceError, read_segments
from guanyu_mpi.transport.wire import CODES, ROUTES, Decoder, Element, encode

CLUSTER = Cluster(6, 1, 5, 6, 1, 5)
DIMENSION, STEPS, NUMBERS = 16, 400, 10
IDENTITY = "mlp/mnist/seed-1"
PAIRS = [(sender, receiver) for sender in Role for receiver in Role]

TINY = """
[run]
name = "tiny"
steps = 40
seed = 3
[cluster]
servers = 6
byzantine_servers = 1
server_quorum = 5
workers = 6
byzantine_workers = 1
[model]
name = "quadratic"
options = {dimension = 4, sigma = 0.1}
[train]
learning_rate = 0.1
schedule = "constant"
[aggregation]
gradients = "multi-krum"
gradients_options = {m = 2}
pre = ["nnm"]
[attack.workers]
name = "reverse"
indices = [5]
options = {scale = 3.0}
[checkpoint]
every = 10
keep = 3
[observe]
every = 1
[simulation]
delay = "uniform"
slow = {"server-2" = 2.0}
links = [{sender = "server-2", receiver = "worker-0", delay_ms_mean = 1.0}]
partitions = [{nodes = ["server-1"], start_s = 0.1, end_s = 0.2}]
"""
# Without the parts that only `guanyu simulate` has an eye for, and that the logs do not need.
SHORT = TINY.split("[simulation]", maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: `feed` returns whether it took the bytes; `words` are what a text is made of."""

    name: str
    corpus: Sequence[bytes]
    feed: Callable[[bytes], bool]
    words: Sequence[bytes] = ()


def make(name: str, directory: Path) -> Target:
    """One of them; what must be in a file is below `directory`."""
    return MAKERS[name](directory)


def _frames(_: Path) -> Target:
    """The first byte chooses the element type, sender and receiver."""
    ways = [
        (Decoder(DIMENSION, STEPS, NUMBERS, narrowed=element), pair)
        for element in Element
        for pair in PAIRS
    ]

    def feed(raw: bytes) -> bool:
        decoder, (sender, receiver) = ways[raw[0] % len(ways)] if raw else ways[0]
        frame = np.frombuffer(bytearray(raw[1:]), np.uint8)
        try:
            message = decoder.decode(frame, sender, receiver)
        except PeerFault:
            return False
        assert type(message) in ROUTES[sender, receiver]
        assert 0 <= message.step <= STEPS
        assert np.isfinite(message.vector).all()
        element = decoder.element(type(message), receiver)
        assert encode(message, element).tobytes()[:24] == raw[1:25]
        return True

    corpus = [
        bytes([way]) + encode(kind(step, _vector(kind)), decoder.element(kind, pair[1])).tobytes()
        for way, (decoder, pair) in enumerate(ways)
        for kind in ROUTES.get(pair, ())
        for step in (0, STEPS - 1)
    ]
    return Target("frames", corpus, feed)


def _vector(kind: type[Message]) -> np.ndarray:
    return np.arange(NUMBERS if CODES[kind] == max(CODES.values()) else DIMENSION, dtype="<f4")


def _checkpoints(directory: Path) -> Target:
    params = np.arange(DIMENSION, dtype=np.float32) / 32

    def honest(step: int) -> bytes:
        store = Store(directory, 3, CLUSTER, dimension=DIMENSION, identity=IDENTITY, keep=3)
        return store.write(step, params).read_bytes()

    def feed(raw: bytes) -> bool:
        path.write_bytes(raw)
        # Both ways: a survey does not know which model a file should be of.
        for dimension, identity in ((DIMENSION, IDENTITY), (None, None)):
            try:
                found = read(path, dimension, identity)
            except CheckpointError:
                return False
            assert found.header.step == STEPS
            assert found.params.tobytes() == params.tobytes()
        return True

    corpus = [honest(STEPS)]
    path = path_of(directory, 3, STEPS)
    return Target("checkpoints", corpus, feed)


def _data(directory: Path) -> Target:
    recipe = replace(MNIST_SMALL, num_train=12, num_test=5)
    path = directory / "small.h5"
    info = write_data(path, recipe, _chunks(recipe), {"a-file": "0" * 64})

    def feed(raw: bytes) -> bool:
        path.write_bytes(raw)
        try:
            data.check(recipe.name, path)
            train, test = data.load(recipe.name, path)
        except DataError:
            return False
        assert (len(train), len(test)) == (12, 5)
        images, labels = train.take(np.arange(12))
        assert (images.shape, images.dtype) == ((12, *info.image_shape), np.float32)
        assert labels.shape == (12,)
        return True

    return Target("data files", [path.read_bytes()], feed)


def _chunks(recipe: Recipe) -> list[Chunk]:
    rng = np.random.default_rng(5)
    sizes = {"train": recipe.num_train, "test": recipe.num_test}
    return [
        Chunk(
            split,
            0,
            rng.integers(256, size=(size, *recipe.image_shape), dtype=np.uint8),
            rng.integers(10, size=size, dtype=np.uint8),
        )
        for split, size in sizes.items()
    ]


def _configs(directory: Path) -> Target:
    path = directory / "config.toml"

    def feed(raw: bytes) -> bool:
        path.write_bytes(raw)
        try:
            config = load_config(path, ["run.seed=1"])
        except ConfigError as error:
            assert error.faults
            return False
        assert not config.nodes.faults()
        return True

    words = [
        *WORDS,
        *(line.encode() for line in TINY.splitlines()),
        *sorted(_keys(tomllib.loads(TINY))),
    ]
    return Target("configs", [TINY.encode(), SHORT.encode()], feed, words)


def _keys(table: object) -> set[bytes]:
    """The keys and values of a table, for others to be put in their places."""
    if isinstance(table, dict):
        return {str(key).encode() for key in table}.union(*map(_keys, table.values()))
    return {repr(table).encode()}


def _done(directory: Path) -> Target:
    config = parse_config(tomllib.loads(SHORT))
    for rank in range(3):
        write_done(directory, Done(rank, f"server-0{rank}", "finished", STEPS, ""))
    honest = Done(3, "server-03", "failed", 7, "no space left")
    write_done(directory, honest)
    path = done_path(directory, 3)

    def feed(raw: bytes) -> bool:
        path.write_bytes(raw)
        found = read_done(directory, config.nodes)
        lines = launched(config, directory, Verdict(False, tuple(found), 1))
        assert all(line.isprintable() for line in lines)
        return len(found) == 4

    return Target("done-files", [path.read_bytes()], feed, WORDS)


def _logs(directory: Path) -> Target:
    """One text is the log of a server, of a worker and of the observer at once."""
    config = parse_config(tomllib.loads(SHORT))
    simulate(config, directory)
    cluster = config.nodes
    own = rank_log(directory, 0), rank_log(directory, cluster.rank(cluster.nodes(Role.WORKER)[0]))
    paths = (*own, observer_log(directory))

    def feed(raw: bytes) -> bool:
        for path in paths:
            path.write_bytes(raw)
        found = standings(cluster, directory)
        lines = [*fared(found, cluster), *launched(config, directory, Verdict(True, (), 0))]
        assert all(line.isprintable() for line in lines)
        # What is written after a torn end is found, by who reads on from there.
        tail = EventTail(paths[0])
        Journal(paths[0], cluster.node(0), lambda: 0.0, every=1).started()
        assert "started" in [event.get("event") for event in tail.read()]
        return len(lines) > 2

    corpus = [path.read_bytes()[-3000:] for path in paths]
    fields = {
        word for text in corpus for word in text.split(b'"') if word.replace(b"_", b"").isalpha()
    }
    return Target("event logs", corpus, feed, [*WORDS, *sorted(fields)])


def _traces(directory: Path) -> Target:
    config = parse_config(tomllib.loads(SHORT))
    simulate(config, directory)
    path = trace_path(directory, 0)

    def feed(raw: bytes) -> bool:
        path.write_bytes(raw)
        try:
            segments = read_segments(path)
        except TraceError:
            return False
        for table in (table for segment in segments for table in segment.tables.values()):
            taken = [table.get(step) for step in table]
            assert all(one is not None and len(one.senders) == 5 for one in taken)
        return bool(segments)

    return Target("traces", [path.read_bytes()], feed)


MAKERS: dict[str, Callable[[Path], Target]] = {
    "frames": _frames,
    "checkpoints": _checkpoints,
    "data files": _data,
    "configs": _configs,
    "done-files": _done,
    "event logs": _logs,
    "traces": _traces,
}
