"""Time of an answer, photograph to expression, against two other packages; memory over reloads.

    python -m benchmarks.serving [--quick] [--peers-python PATH] [--models demo,full]
        [--batch 1,8,32] [--rounds 6] [--seconds 0.5] [--reloads 200] [--threads N]

Every backend is a process of its own, with the threads that it takes by itself, or all with
`--threads`; they take turns, and in each turn one works for `--seconds` while the others wait.
gRPC is that of `tests.support.serving_standin`, which is not TensorFlow Serving. The networks are
untrained: time does not depend on what they learnt.
--peers-python: the interpreter of an environment that has deepface and fer
(docs/benchmarks/serving_speed.md says how to make it); without it their rows are "not run".
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.heading import heading, parser
from benchmarks.serving import models
from fesr_tf.serving import warmup
from fesr_tf.serving.cpp_loader import FLAGS, STRING, CppSession, library, meta_graph
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.text import table
from pipelines.media import images
from tests.support.request_times import Times, growth
from tests.support.workers import Worker, thread_limits

GOAL, FLAT_KB, SETTLED = 5.0, 10.0, 50
EXPECTED = """\
goals: a face of the demo's scale classified at batch 1 at least 5 times faster than by
DeepFace.analyze; memory flat over the reloads (under 10 KB each beyond the 50th)
expected beforehand, milliseconds a face at batch 1, from PNG files: demo 2.5 (1 to read the
image in the graph, 0.6 for 30 M multiply-adds, the rest Python), gRPC 1.5 more;
DeepFace.analyze 12, its 30 M multiply-adds layer by layer, so 5 times, just; fer 1, a smaller
network quantized, so faster than ours; full size 25 for 1,841 M multiply-adds, so half as fast as
DeepFace. Of a photograph of 640 x 480, 25 to find its faces and 3 to align one: the demo's network
is a tenth of the whole.
First request without warm-up 0.3 s, after it as any other. Memory: flat, for all is released.
Files took 4 to 8, so faces now travel as pixels; expected of that: demo 2.4, on one thread 1.4"""
QUICK = {"batch": [1, 8], "rounds": 3, "seconds": 0.2, "reloads": 60, "trials": 1}
PEERS = {
    "deepface": {"analyze": "DeepFace.analyze", "predict": "DeepFace's model alone"},
    "fer": {"detect_emotions": "fer (TFLite, its default)", "keras": "fer (Keras)"},
}
Timed = tuple[Times, Worker, str]
"""The times of a backend, its process, and its name there."""


def own(name: str, folder: Path, limits: dict[str, str], stack: ExitStack) -> list[Timed]:
    """This project's backends with one model, in the worker's process and through gRPC."""
    python, model = [sys.executable, "-m"], str(folder / name)
    serve = ["tests.support.serving_standin", "--model", model, "--grpc", "0", "--rest", "0"]
    server = stack.enter_context(Worker(f"the stand-in of {name}", [*python, *serve], limits))
    address = re.search(r" at (\S+) and ", server.line())[1]
    found: list[Timed] = []
    for title, where in (("in-process", [model]), ("gRPC", [address, name])):
        words = [*python, "benchmarks.serving.worker", str(folder), *where]
        worker = stack.enter_context(Worker(f"{name}, {title}", words, limits))
        titles = {"photos": f"{name}, {title}", "classify": f"{name}, {title}",
                  "files": f"{name}, {title}, PNG files"}  # fmt: skip
        if title == "in-process":
            titles["pixels"] = f"{name}, pixels in, model alone"
            titles["bytes"] = f"{name}, PNG in, model alone"
        found += [(Times(each), worker, kind) for kind, each in titles.items()]
    return found


def peers(python: Path, folder: Path, limits: dict[str, str], stack: ExitStack) -> list[Timed]:
    """The backends of deepface and fer, by the interpreter that has them."""
    found: list[Timed] = []
    for peer, titles in PEERS.items():
        words = [str(python), "-E", "-s", "-m", "benchmarks.serving.peers", peer]
        worker = stack.enter_context(Worker(peer, [*words, str(folder / models.CHIPS)], limits))
        found += [(Times(title), worker, kind) for kind, title in titles.items()]
    return found


def measure(backends: list[Timed], batches: list[int], rounds: int, seconds: float) -> None:
    """All backends in turn, each first in some rounds; their first requests do not count."""
    with tqdm(total=len(backends) * len(batches) * (rounds + 1), disable=None, unit="turn") as bar:
        for batch in batches:
            for turn in range(rounds + 1):
                first = turn % len(backends)
                for times, worker, kind in backends[first:] + backends[:first]:
                    rows = worker.ask("time", kind, batch, seconds if turn else 0.0)
                    if turn:
                        times.rounds.setdefault(batch, []).append(rows)
                    bar.update()


def first_requests(folder: Path, image: bytes, trials: int) -> str:
    """The first request after loading, with the warm-up requests answered before and without, in
    TensorFlow's C++ loader, in turn, a process each; medians, as a sentence."""
    face = {models.IMAGE: np.array([image], object)}
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(trials):
        for case in ("without", "with"):
            with CppSession(folder) as session:
                began = time.perf_counter()
                if case == "with":
                    for _, name, inputs in warmup.read(folder):
                        session.run(name, inputs)
                    took["replay"].append(time.perf_counter() - began)
                for place in (case, *["later"] * 5):
                    began = time.perf_counter()
                    session.run("serving_default", face)
                    took[place].append(time.perf_counter() - began)
    ms = {case: 1e3 * np.median(each) for case, each in took.items()}
    return (
        f"first request after loading {ms['without']:.0f} ms, with the warm-up file replayed "
        f"before {ms['with']:.1f} ms, a later one {ms['later']:.1f} ms; the replay takes the "
        f"server {ms['replay'] / 1e3:.1f} s ({trials} of each, medians)"
    )


def reloads(folders: dict[str, Path], image: bytes, count: int) -> dict[str, list[int]]:
    """Resident bytes after each of `count` reloads of each model, in turn, a process each."""
    data = base64.b64encode(image).decode()
    resident: dict[str, list[int]] = {name: [] for name in folders}
    with ExitStack() as stack:
        questions = []
        for name, folder in folders.items():
            words = ["-m", "benchmarks.serving.reloads", library(), str(folder)]
            worker = Worker(f"reloads, {name}", [sys.executable, *words], FLAGS)
            stack.enter_context(worker).line()
            signature = meta_graph(folder).signature_def["serving_default"]
            feed = signature.inputs[models.IMAGE].name, [STRING, [1], [data]]
            fetches = [each.name for each in signature.outputs.values()]
            questions.append((name, worker, [feed], fetches))
        for _ in tqdm(range(count), disable=None, unit="reload"):
            for name, worker, feeds, fetches in questions:
                resident[name].append(worker.ask("reload", feeds, fetches))
    return resident


def print_speed(backends: list[Timed], missing: list[str], batches: list[int]) -> None:
    """Prints both tables and whether the goal was reached."""
    print("\nphotographs of 640 x 480 with one face: milliseconds a face of each stage (medians), "
          "and of requests")  # fmt: skip
    rows = []
    for times in (times for times, _, kind in backends if kind == "photos"):
        for batch in batches:
            whole, detect, align = 1e3 * times.rows(batch).T
            stages = (detect, align, whole - detect - align)
            split = [f"{np.median(stage) / batch:.2f}" for stage in stages]
            ends = [f"{each:.1f}" for each in times.quantiles_ms(batch)]
            rate = f"{times.faces_a_second(batch):.1f}"
            rows.append((times.title, batch, *split, *ends, rate, len(whole)))
    print(table(("model, through", "batch", "detect", "align", "classify", "p50", "p99", "faces/s",
                 "requests"), rows))  # fmt: skip

    faces = {times.title: times for times, _, kind in backends if kind != "photos"}
    base = faces.get("DeepFace.analyze")
    print("\nthe same faces, aligned")
    rows = []
    for times in faces.values():
        for batch in batches:
            p50, p99 = times.quantiles_ms(batch)
            faster = ""
            if base and base is not times:
                faster = "{:.2f} ({:.2f} to {:.2f})".format(*times.speedup(base, batch))
            cells = f"{p50:.2f}", f"{p99:.2f}", f"{times.faces_a_second(batch):.0f}", faster
            rows.append((times.title, batch, *cells, len(times.rows(batch))))
    rows += [(title, "not run", *[""] * 5) for title in missing]
    print(table(("backend", "batch", "p50 ms", "p99 ms", "faces/s",
                 "times faster than DeepFace.analyze", "requests"), rows))  # fmt: skip
    ours = faces.get("demo, in-process")
    if base and ours:
        middle, low, high = ours.speedup(base, batches[0])
        met = "met" if middle >= GOAL else "not met"
        print(f"\ngoal of {GOAL:g} times DeepFace.analyze at batch {batches[0]}: {middle:.2f} "
              f"({low:.2f} to {high:.2f} by round): {met}")  # fmt: skip


def print_memory(resident: dict[str, list[int]], goal_of: str) -> None:
    """Prints resident memory after some reloads, its growth, and whether the goal was reached."""
    count = min(len(each) for each in resident.values())
    first = min(SETTLED, count // 2)
    marks = [mark for mark in (1, 10, 50, 100, 200) if mark < count] + [count]
    grown = {name: growth(each, first) / 1e3 for name, each in resident.items()}
    print(f"\nresident MB of a process that loads a model, uses it once and releases it, "
          f"{count} times")  # fmt: skip
    print(table(
        ("model", *(f"after {mark}" for mark in marks), f"KB a reload from {first} on"),
        [(name, *(f"{each[mark - 1] / 1e6:.1f}" for mark in marks), f"{grown[name]:+.2f}")
         for name, each in resident.items()],
    ))  # fmt: skip
    met = "met" if grown[goal_of] < FLAT_KB else "not met"
    print(f"\ngoal of under {FLAT_KB:g} KB a reload beyond the first {first}: "
          f"{grown[goal_of]:+.2f} KB: {met}")  # fmt: skip


def at_least(smallest: int) -> type:
    """An argparse type: a whole number from `smallest` on."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < smallest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {smallest} on")
        return int(text)

    return number


def listed(one: type) -> type:
    """An argparse type: values with commas between them."""
    return lambda text: [one(each) for each in text.split(",")]


def model(text: str) -> str:
    if text not in models.TITLES:
        raise argparse.ArgumentTypeError(
            f"no model {text!r}; choose from {', '.join(models.TITLES)}"
        )
    return text


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.serving", __doc__)
    options.add_argument("--peers-python", type=Path, metavar="PATH")
    options.add_argument("--models", type=listed(model), default=list(models.TITLES))
    options.add_argument("--batch", type=listed(at_least(1)), default=[1, 8, 32])
    options.add_argument("--rounds", type=at_least(1), default=6, help="turns of each [6]")
    options.add_argument("--seconds", type=float, default=0.5, help="of a turn [0.5]")
    options.add_argument("--reloads", type=at_least(2), default=200)
    options.add_argument("--trials", type=at_least(1), default=3, help="first requests [3]")
    options.add_argument("--threads", type=at_least(1), help="of every process [its own choice]")
    options.add_argument("--quick", action="store_true", help="batches 1, 8; 3 rounds; 60 reloads")
    args = options.parse_args(argv)
    if args.quick:
        options.set_defaults(**QUICK)
        args = options.parse_args(argv)
    if args.peers_python and not args.peers_python.is_file():
        raise BadUse(f"no interpreter at {args.peers_python}; see "
                     "docs/benchmarks/serving_speed.md")  # fmt: skip
    threads = f"{args.threads} each" if args.threads else "as many as each takes by itself"
    print(f"{heading(options, argv)}\nthreads: {threads}; load of the machine before: "
          f"{os.getloadavg()[0]:.1f}\n{EXPECTED}", flush=True)  # fmt: skip
    limits = thread_limits(args.threads) if args.threads else {}
    limits |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        build = ["-m", "benchmarks.serving.models", scratch, models.EMPTY, *args.models]
        built = subprocess.run([sys.executable, *build], capture_output=True, text=True)
        if built.returncode:
            raise FailedWork(f"the models were not built: {built.stderr.strip()[-300:]}")
        for name in args.models:
            print(f"{name}: {models.TITLES[name]}")
        rendered, used = models.make_faces(folder)
        print(f"faces: {used} of {rendered} rendered photographs, one face found in each")
        backends = [each for name in args.models for each in own(name, folder, limits, stack)]
        missing = [title for titles in PEERS.values() for title in titles.values()]
        if args.peers_python:
            backends += peers(args.peers_python, folder, limits, stack)
            missing = []
        for name, worker in {worker.name: worker for _, worker, _ in backends}.items():
            print(f"{name}: {worker.line().strip()}", flush=True)
        measure(backends, args.batch, args.rounds, args.seconds)
        stack.pop_all().close()
        print_speed(backends, missing, args.batch)
        image = images.encode_png(np.load(folder / models.CHIPS)[0])
        print()
        for name in args.models:
            print(f"{name}: {first_requests(folder / name / '1', image, args.trials)}")
        loaded = {name: folder / name / "1" for name in (args.models[0], models.EMPTY)}
        print_memory(reloads(loaded, image, args.reloads), args.models[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
