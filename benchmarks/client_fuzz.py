"""A thousand malformed pictures and decompression bombs through the client.

    python -m benchmarks.client_fuzz [--count 1000] [--model saved_models/fesr_demo]

Each is asked about twice: as a photograph that is searched for faces, and as an aligned face that
is sent as it is, if it passes the client's look, behind the SavedModel and both stand-ins (which
are not TensorFlow Serving). Between them sound pictures are asked about, whose answers must not
change. Prints what became of each kind, and the peak of memory; exits with 1 if anything but an
answer or a sentence came back.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import heading
from fesr_tf.client import Client
from pipelines.common.errors import FailedWork, FesrError, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from tests.pipelines.corpus.pictures import SOUND, bombs, cut, flipped, foreign, stored

MUST, MAY = "error", "error or answer"


def malformed(face: np.ndarray, count: int, seed: int = 0) -> list[tuple[str, str, bytes]]:
    """`count` pictures: kind, what must become of it, bytes. All bombs and foreign files, then
    cuts and flipped bits of every format in turn; the same each time."""
    rng = np.random.default_rng(seed)
    made = [("bomb", MAY, data) for _, data in bombs()]
    made += [("foreign", MAY, data) for _, data in foreign()]
    whole = {ending: stored(face, ending, 160) for ending in SOUND}
    # Of what lacks more than the last hundredth, no format holds every pixel.
    cuts = [
        ("cut", MUST if ending.endswith("png") else MAY, short)
        for ending, data in whole.items()
        for _, short in cut(data, max(64, len(data) // 24))
        if len(short) < 0.9 * len(data)
    ]
    order = rng.permutation(len(cuts))
    half = (count - len(made)) // 2
    made += [cuts[i] for i in order[:half]]
    turn = itertools.cycle(whole.values())
    made += [
        ("flipped", MAY, flipped(data, rng, int(rng.integers(1, 64))))
        for data in itertools.islice(turn, max(0, count - len(made)))
    ]
    return made[:count]


def peak() -> int:
    """Bytes of memory that this process held at its most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client_fuzz")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--model", type=Path, required=True, help="saved_models/NAME")
    args = parser.parse_args(argv)
    print(heading("benchmarks.client_fuzz", argv))
    with tempfile.TemporaryDirectory() as name:
        render_database(Path(name), subjects=1, seed=11, frames=2, size=192, progress=False)
        path = next(Path(name).glob("happiness/*.png"))
        face = np.asarray(Image.open(path).convert("RGB"))
    pictures = malformed(face, args.count)
    wrong: list[str] = []
    with contextlib.ExitStack() as stack:
        for way, client in _clients(stack, args.model):
            wrong += _way(way, client, face, pictures, photographs=way == "SavedModel")
    if wrong:
        raise FailedWork(f"{len(wrong)} went wrong; the first: {wrong[0]}")
    return 0


def _clients(stack: contextlib.ExitStack, model: Path) -> Iterator[tuple[str, Client]]:
    yield "SavedModel", stack.enter_context(Client(model=model))
    from benchmarks.serving_standin import Models, serve_grpc, serve_rest

    models = Models(model, model.resolve().name)
    for way, serve in (("gRPC stand-in", serve_grpc), ("REST stand-in", serve_rest)):
        address = stack.enter_context(serve(models))
        yield way, stack.enter_context(Client(address, name=models.name, timeout=60))


def _way(
    way: str,
    client: Client,
    face: np.ndarray,
    pictures: Sequence[tuple[str, str, bytes]],
    photographs: bool,
) -> list[str]:
    """Asks about all of them, prints the table, and returns what went wrong."""
    sound = stored(face, "png")
    (known,) = client.faces(sound)
    before, began, wrong = peak(), time.monotonic(), []
    counts: dict[tuple[str, str], collections.Counter] = collections.defaultdict(
        collections.Counter
    )

    def note(kind: str, must: str, what: str, outcome: object) -> None:
        error = isinstance(outcome, FesrError)
        counts[kind, what]["error" if error else "answer"] += 1
        if must == MUST and not error:
            wrong.append(f"{way}: {kind} {what} got an answer")
        if error and ("\n" in str(outcome) or not str(outcome)):
            wrong.append(f"{way}: {kind} {what} got no sentence: {outcome}")

    for start in range(0, len(pictures), 50):
        part = pictures[start : start + 50]
        data = [each for _, _, each in part]
        if photographs:
            for (kind, must, _), found in zip(part, client.each(data), strict=True):
                note(kind, must, "as a photograph", found.error or found)
        # The sound face goes in the same requests as the others.
        *answers, own = client.classify([*data, known.chip])
        for (kind, must, _), answer in zip(part, answers, strict=True):
            note(kind, must, "as a face", answer)
        if isinstance(own, FesrError) or abs(
            own.probabilities[known.label] - known.probabilities[known.label]
        ) > 1e-5:  # fmt: skip
            wrong.append(f"{way}: the sound face beside pictures {start}… got {own}")
    took = time.monotonic() - began
    rows = [(*key, sum(c.values()), c["error"], c["answer"]) for key, c in sorted(counts.items())]
    print(f"\n{way}: {len(pictures):,} pictures, {took:.0f} s, {len(wrong)} wrong; peak memory "
          f"{peak() / 1e6:,.0f} MB, {before / 1e6:,.0f} MB before")  # fmt: skip
    print(table(("kind", "asked", "made", "an error", "an answer"), rows))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
