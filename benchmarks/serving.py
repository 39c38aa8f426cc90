"""Time of an answer, photograph to expression, beside two other packages; memory over reloads.

    python -m benchmarks.serving [--quick] [--peers-python PATH] [--models demo,full]
        [--batch 1,8,32] [--rounds 6] [--seconds 0.5] [--reloads 200] [--threads N]

Every way is a process of its own, with the threads that it takes by itself, or all with
`--threads`; they take turns, and in each turn one works for `--seconds` while the others wait.
gRPC is that of `benchmarks.serving_standin`, which is not TensorFlow Serving. The networks are
untrained: time does not depend on what they learnt.
--peers-python: the interpreter of an environment that has deepface and fer
(docs/serving_speed.md says how it is made); without it their rows say "not run".
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import serving_figures as figures
from benchmarks import serving_models as models
from benchmarks import serving_peers
from benchmarks.asked import Asked, thread_limits
from benchmarks.machine import heading
from benchmarks.serving_figures import Timed
from fesr_tf.serving import warmup
from fesr_tf.serving.cpp_loader import FLAGS, STRING, CppSession, library, meta_graph
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.media import images

GOAL, FLAT_KB, SETTLED = 5.0, 10.0, 50
EXPECTED = """\
goals: a face of the demo's scale classified at batch 1 at least 5 times faster than by
DeepFace.analyze; memory flat over the reloads (under 10 KB each beyond the 50th)
expected beforehand, milliseconds a face at batch 1, from PNG files: demo 2.5 (1 to read the
picture in the graph, 0.6 for 30 M multiply-adds, the rest Python), gRPC 1.5 more;
DeepFace.analyze 12, its 30 M multiply-adds layer by layer, so 5 times, just; fer 1, a smaller
network quantized, so faster than ours; full size 25 for 1,841 M multiply-adds, so half as fast as
DeepFace. Of a photograph of 640 x 480, 25 to find its faces and 3 to align one: the demo's network
is a tenth of the whole.
First request without warm-up 0.3 s, after it as any other. Memory: flat, for all is released.
Files took 4 to 8, so faces now travel as pixels; expected of that: demo 2.4, on one thread 1.4"""
QUICK = {"batch": "1,8", "rounds": 3, "seconds": 0.2, "reloads": 60, "trials": 1}
PEERS = {
    "deepface": {"analyze": "DeepFace.analyze", "predict": "DeepFace's model alone"},
    "fer": {"detect_emotions": "fer (TFLite, its default)", "keras": "fer (Keras)"},
}
Way = tuple[Timed, Asked, str]


def grpc_address(server: Asked) -> str:
    """Where the stand-in that was started serves gRPC."""
    return re.search(r" at (\S+) and ", server.line())[1]


def own_ways(name: str, folder: Path, limits: dict[str, str], stack: ExitStack) -> list[Way]:
    """The project's ways to one model, in this process and through gRPC."""
    python, model = [sys.executable, "-m"], str(folder / name)
    serve = ["benchmarks.serving_standin", "--model", model, "--grpc", "0", "--rest", "0"]
    server = stack.enter_context(Asked(f"the stand-in of {name}", [*python, *serve], limits))
    asked = {"faces": str(folder), "name": name}
    through = {"in-process": asked | {"model": model}}
    through["gRPC"] = asked | {"server": grpc_address(server)}
    ways: list[Way] = []
    for title, question in through.items():
        words = [*python, "benchmarks.serving_worker", json.dumps(question)]
        worker = stack.enter_context(Asked(f"{name}, {title}", words, limits))
        alone = ["pixels", "bytes"] if "model" in question else []
        kinds = ["photos", "classify", "files", *alone]
        names = {"files": f"{name}, {title}, PNG files",
                 "pixels": f"{name}, pixels in, model alone",
                 "bytes": f"{name}, PNG in, model alone"}  # fmt: skip
        ways += [(Timed(names.get(kind, f"{name}, {title}")), worker, kind) for kind in kinds]
    return ways


def peer_ways(python: Path, folder: Path, limits: dict[str, str], stack: ExitStack) -> list[Way]:
    """The ways of deepface and fer, by the interpreter that has them."""
    ways: list[Way] = []
    for peer, kinds in PEERS.items():
        words = [str(python), "-I", serving_peers.__file__, peer, str(folder / models.CHIPS)]
        worker = stack.enter_context(Asked(peer, words, limits))
        ways += [(Timed(title), worker, kind) for kind, title in kinds.items()]
    return ways


def measure(ways: list[Way], batches: list[int], rounds: int, seconds: float) -> None:
    """All ways in turn, each first in some rounds; what a way does first is not counted."""
    with tqdm(total=len(ways) * len(batches) * (rounds + 1), disable=None, unit="turn") as bar:
        for batch in batches:
            for turn in range(rounds + 1):
                first = turn % len(ways)
                for timed, worker, kind in ways[first:] + ways[:first]:
                    last = seconds if turn else 0.0
                    rows = worker.ask({"way": kind, "batch": batch, "seconds": last})
                    if turn:
                        timed.rounds.setdefault(batch, []).append(rows)
                    bar.update()


def first_requests(folder: Path, picture: bytes, trials: int) -> str:
    """The first request after loading, with the warm-up requests answered before and without, in
    TensorFlow's C++ loader, in turn, a process each; medians, as a sentence."""
    face = {models.PICTURE: np.array([picture], object)}
    took: dict[str, list[float]] = {"without": [], "with": [], "replay": [], "later": []}
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
    ms = {case: 1e3 * statistics.median(each) for case, each in took.items()}
    return (
        f"first request after loading {ms['without']:.0f} ms, with the warm-up file replayed "
        f"before {ms['with']:.1f} ms, a later one {ms['later']:.1f} ms; the replay takes the "
        f"server {ms['replay'] / 1e3:.1f} s ({trials} of each, medians)"
    )


def reloads(folders: dict[str, Path], picture: bytes, count: int) -> dict[str, list[int]]:
    """Resident bytes after each of `count` reloads of each model, in turn, a process each."""
    resident: dict[str, list[int]] = {}
    with ExitStack() as stack:
        workers = {}
        for name, folder in folders.items():
            words = [sys.executable, "-m", "benchmarks.serving_reloads", library(), str(folder)]
            workers[name] = worker = stack.enter_context(Asked(f"reloads, {name}", words, FLAGS))
            signature = meta_graph(folder).signature_def["serving_default"]
            data = base64.b64encode(picture).decode()
            feed = signature.inputs[models.PICTURE].name, [STRING, [1], [data]]
            fetches = [info.name for info in signature.outputs.values()]
            worker.ask({"feeds": [feed], "fetches": fetches})
            resident[name] = []
        for _ in tqdm(range(count), disable=None, unit="reload"):
            for name, worker in workers.items():
                resident[name].append(worker.ask("reload"))
    return resident


def report_speed(ways: list[Way], missing: list[str], batches: list[int]) -> None:
    """Prints both tables and whether the goal was reached."""
    whole = [timed for timed, _, kind in ways if kind == "photos"]
    faces = [timed for timed, _, kind in ways if kind != "photos"]
    by_title = {timed.title: timed for timed in faces}
    base = by_title.get("DeepFace.analyze")
    print("\nphotographs of 640 x 480 with one face: milliseconds a face of each stage (medians), "
          "and of requests\n")  # fmt: skip
    print(figures.whole_table(whole, batches))
    print("\nthe same faces, aligned\n")
    print(figures.faces_table(faces, missing, batches, base))
    ours = by_title.get("demo, in-process")
    if base and ours:
        middle, low, high = figures.ratio(base, ours, batches[0])
        met = "met" if middle >= GOAL else "not met"
        print(f"\ngoal of {GOAL:g} times DeepFace.analyze at batch {batches[0]}: {middle:.2f} "
              f"({low:.2f} to {high:.2f} by round): {met}")  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--peers-python", type=Path, metavar="PATH")
    made.add_argument("--models", default=",".join(models.MODELS))
    made.add_argument("--batch", default="1,8,32")
    made.add_argument("--rounds", type=int, default=6, help="turns of each way [6]")
    made.add_argument("--seconds", type=float, default=0.5, help="of a turn [0.5]")
    made.add_argument("--reloads", type=int, default=200)
    made.add_argument("--trials", type=int, default=3, help="first requests [3]")
    made.add_argument("--threads", type=int, help="of every process [what each takes by itself]")
    made.add_argument("--quick", action="store_true", help="batches 1, 8; 3 rounds; 60 reloads")
    return made


@command
def main(argv: list[str] | None = None) -> int:
    made = parser()
    options = made.parse_args(argv)
    if options.quick:
        made.set_defaults(**QUICK)
        options = made.parse_args(argv)
    names = options.models.split(",")
    if unknown := [name for name in names if name not in models.MODELS]:
        raise BadUse(f"no model {unknown[0]!r}; there are: {', '.join(models.MODELS)}")
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", options.batch):
        raise BadUse(f"--batch takes numbers from 1 on, as in 1,8,32, not {options.batch!r}")
    if options.peers_python and not options.peers_python.is_file():
        raise BadUse(f"no interpreter at {options.peers_python}: see docs/serving_speed.md")
    if options.threads is not None and options.threads < 1:
        raise BadUse(f"--threads must be at least 1, not {options.threads}")
    if options.reloads < 2:
        raise BadUse(f"--reloads must be at least 2 for a slope, not {options.reloads}")
    batches = [int(each) for each in options.batch.split(",")]
    print(heading("benchmarks.serving", argv))
    load = os.getloadavg()[0]
    threads = options.threads
    each = f"{threads} each" if threads else "as many as each takes by itself"
    print(f"threads: {each}; load of the machine before: {load:.1f}\n{EXPECTED}", flush=True)
    limits = (thread_limits(threads) if threads else {}) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        build = [sys.executable, "-m", "benchmarks.serving_models", scratch, models.EMPTY, *names]
        built = subprocess.run(build, capture_output=True, text=True)
        if built.returncode:
            raise FailedWork(f"no models to time: {built.stderr.strip().splitlines()[-1:]}")
        for name in names:
            print(f"{name}: {models.MODELS[name].title}")
        rendered, used = models.make_faces(folder)
        print(f"faces: {used} of {rendered} rendered photographs, one face found in each")
        ways = [way for name in names for way in own_ways(name, folder, limits, stack)]
        missing = [title for kinds in PEERS.values() for title in kinds.values()]
        if options.peers_python:
            ways += peer_ways(options.peers_python, folder, limits, stack)
            missing = []
        ready = {worker.name: worker for _, worker, _ in ways}
        for name, worker in ready.items():
            print(f"{name}: {worker.answer()}", flush=True)
        measure(ways, batches, options.rounds, options.seconds)
        stack.pop_all().close()
        report_speed(ways, missing, batches)
        picture = images.encode_png(np.load(folder / models.CHIPS)[0])
        print()
        for name in names:
            print(f"{name}: {first_requests(folder / name / '1', picture, options.trials)}")
        loaded = {name: folder / name / "1" for name in (names[0], models.EMPTY)}
        resident = reloads(loaded, picture, options.reloads)
    start = min(SETTLED, options.reloads // 2)
    print(f"\nresident MB of a process that loads a model, asks it once and releases it, "
          f"{options.reloads} times\n")  # fmt: skip
    print(figures.memory_table(resident, start))
    grown = figures.growth(resident[names[0]], start) / 1e3
    met = "met" if grown < FLAT_KB else "not met"
    print(
        f"\ngoal of under {FLAT_KB:g} KB a reload beyond the first {start}: {grown:+.2f} KB: {met}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
