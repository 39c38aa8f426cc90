"""One face at a time through the client: TensorFlow's answer, TensorFlow Lite's, and DeepFace's.

    python -m benchmarks.serving.one_face [--peers-python PATH] [--model saved_models/fesr_photo]
        [--rounds 6] [--seconds 0.5]

Each package has two processes, one with the threads that it takes by itself and one with a single
thread; they take turns as in `benchmarks.serving`. SavedModel: `Client.classify` of one aligned
face without the converted copy that the client makes after some such requests; TensorFlow Lite:
with it. CPU is the time of all of the process's threads; the lowest tenth is the least disturbed
by other work. The first lines have the largest difference of a probability between the two.
--peers-python: see docs/benchmarks/serving_speed.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from benchmarks.serving import models
from benchmarks.serving.__main__ import GOAL, Timed, at_least, measure
from fesr_tf.client.shipped import shipped_model
from pipelines.common.errors import command
from pipelines.common.text import table
from tests.support.request_times import Backend, Times, timed_cpu, timer
from tests.support.workers import Questions, Worker, answer, thread_limits

LITE, SAVED, PEER = "TensorFlow Lite", "SavedModel", "DeepFace.analyze"
GOAL_MS = 1.5


def prepare(faces: str, model: str) -> tuple[str, Questions]:
    """Two clients of one model, and their largest difference as the greeting."""
    import tensorflow as tf

    from fesr_tf.client import Client
    from fesr_tf.client.saved_model import SINGLE

    chips = np.load(faces)
    saved, lite = (Client(model=model) for _ in range(2))
    saved._backend._single = SINGLE + 1
    lite._backend._single = SINGLE
    lite.classify([chips[0]])
    assert lite._backend._one_face is not None and saved._backend._one_face is None
    one, other = (
        np.array([list(client.classify([chip])[0].probabilities.values()) for chip in chips])
        for client in (saved, lite)
    )
    backends = {
        name: Backend(lambda indices: [chips[indices[0]]], timed_cpu(client.classify))
        for name, client in ((SAVED, saved), (LITE, lite))
    }
    greeting = f"tensorflow {tf.__version__}, largest difference {np.abs(one - other).max():.1e}"
    return greeting, {"time": timer(backends, len(chips))}


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.serving.one_face", __doc__)
    options.add_argument("--peers-python", type=Path, metavar="PATH")
    options.add_argument("--model", type=Path, help="[the package's own]")
    options.add_argument("--rounds", type=at_least(1), default=6, help="turns of each [6]")
    options.add_argument("--seconds", type=float, default=0.5, help="of a turn [0.5]")
    args = options.parse_args(argv)
    print(f"{heading(options, argv)}; load of the machine before: {os.getloadavg()[0]:.1f}\n"
          f"goals: {GOAL:g} times {PEER} with default threads; {GOAL_MS} ms with one")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        models.make_faces(Path(scratch))
        faces = str(Path(scratch, models.CHIPS))
        backends: list[Timed] = []
        for threads in (None, 1):
            limits = (thread_limits(threads) if threads else {}) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            own = [sys.executable, "-m", "benchmarks.serving.one_face", "worker", faces,
                   str(args.model or shipped_model())]  # fmt: skip
            commands = [(own, {SAVED: SAVED, LITE: LITE})]
            if args.peers_python:
                peer = [str(args.peers_python), "-E", "-s", "-m", "benchmarks.serving.peers"]
                commands.append(([*peer, "deepface", faces], {"analyze": PEER}))
            for words, kinds in commands:
                worker = stack.enter_context(Worker(f"{threads or 'default'}", words, limits))
                print(f"{worker.name}: {worker.line().strip()}", flush=True)
                backends += [(Times(title), worker, kind) for kind, title in kinds.items()]
        measure(backends, [1], args.rounds, args.seconds)
    taken = {}
    for times, worker, _ in backends:
        wall, cpu = 1e3 * times.rows(1).T
        taken[times.title, worker.name] = np.array([*np.quantile(wall, (0.1, 0.5)), np.median(cpu)])
    rows = []
    for times, worker, _ in backends:
        own, peer = (taken.get((title, worker.name)) for title in (times.title, PEER))
        compared = peer is not None and times.title != PEER
        faster = [f"{each:.2f}" for each in peer / own] if compared else [""] * 3
        rows.append((times.title, worker.name, *(f"{each:.2f}" for each in own), *faster,
                     len(times.rows(1))))  # fmt: skip
    print(f"milliseconds a face: lowest tenth, median, median of CPU; then {PEER}'s over it")
    print(table(("backend", "threads", "p10", "p50", "CPU", "times p10", "times p50", "times CPU",
                 "requests"), rows))  # fmt: skip
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        answer(lambda: prepare(*sys.argv[2:]))
    else:
        sys.exit(main())
