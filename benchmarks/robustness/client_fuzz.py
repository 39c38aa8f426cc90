"""A thousand malformed images and decompression bombs through the client.

    python -m benchmarks.robustness.client_fuzz --model saved_models/fesr_demo [--count 1000]

Each is sent twice: as a photograph that is searched for faces, and as an aligned face that is
sent as it is, if it passes the client's checks, to the SavedModel and to both stand-ins (which
are not TensorFlow Serving). A sound image goes with every request, and its answer must not change.
Prints the outcome of each kind, and the peak of memory; exits with 1 if an outcome was neither an
answer nor a sentence.
"""

from __future__ import annotations

import contextlib
import itertools
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.heading import heading, parser
from fesr_tf.client import Client
from pipelines.common.errors import BadUse, FailedWork, FesrError, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from tests.support.corpus.pictures import SOUND, bombs, cut, flipped, foreign, stored

Malformed = tuple[str, bool, bytes]
"""Kind, whether it must give an error (else it may), the file."""


def malformed(face: np.ndarray, count: int, seed: int = 0) -> list[Malformed]:
    """`count` files, the same each time: all bombs and foreign files, then cuts and flipped bits
    of every format in turn."""
    rng = np.random.default_rng(seed)
    made = [("bomb", False, data) for _, data in bombs()]
    made += [("foreign", False, data) for _, data in foreign()]
    whole = {ending: stored(face, ending, 160) for ending in SOUND}
    # A file that lacks more than a tenth does not hold every pixel, in any format.
    cuts = [
        ("cut", ending.endswith("png"), short)
        for ending, data in whole.items()
        for _, short in cut(data, max(64, len(data) // 24))
        if len(short) < 0.9 * len(data)
    ]
    made += [cuts[i] for i in rng.permutation(len(cuts))[: (count - len(made)) // 2]]
    made += [
        ("flipped", False, flipped(data, rng, int(rng.integers(1, 64))))
        for data in itertools.islice(itertools.cycle(whole.values()), max(0, count - len(made)))
    ]
    return made[:count]


def peak_mb() -> float:
    """The most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def clients(stack: contextlib.ExitStack, model: Path) -> Iterator[tuple[str, Client]]:
    """A client of each backend, by its name."""
    yield "SavedModel", stack.enter_context(Client(model=model))
    try:
        from tests.support.serving_standin import Models, serve_grpc, serve_rest
    except ImportError:
        raise BadUse(
            "the stand-in needs tensorflow-serving-api: pip install -e '.[client]'"
        ) from None
    models = Models(model, model.resolve().name)
    for backend, serve in (("gRPC stand-in", serve_grpc), ("REST stand-in", serve_rest)):
        address = stack.enter_context(serve(models))
        yield backend, stack.enter_context(Client(address, name=models.name, timeout=60))


def send(backend: str, client: Client, face: np.ndarray, files: Sequence[Malformed]) -> list[str]:
    """Sends all files, prints the table, and returns what went wrong."""
    (known,) = client.faces(stored(face, "png"))
    before, began, wrong = peak_mb(), time.monotonic(), []
    counts: dict[tuple[str, str], Counter] = defaultdict(Counter)

    def note(kind: str, must: bool, sent: str, outcome: object) -> None:
        error = isinstance(outcome, FesrError)
        counts[kind, sent][error] += 1
        if must and not error:
            wrong.append(f"{backend}: {kind} {sent} got an answer")
        if error and ("\n" in str(outcome) or not str(outcome)):
            wrong.append(f"{backend}: {kind} {sent} got no sentence: {outcome}")

    for start in range(0, len(files), 50):
        part = files[start : start + 50]
        data = [each for _, _, each in part]
        if backend == "SavedModel":
            for (kind, must, _), found in zip(part, client.each(data), strict=True):
                note(kind, must, "as a photograph", found.error or found)
        # The sound face goes in the same requests as the others.
        *answers, own = client.classify([*data, known.chip])
        for (kind, must, _), answer in zip(part, answers, strict=True):
            note(kind, must, "as a face", answer)
        share = known.probabilities[known.label]
        if isinstance(own, FesrError) or abs(own.probabilities[known.label] - share) > 1e-5:
            wrong.append(f"{backend}: the sound face beside files {start}… got {own}")
    took = time.monotonic() - began
    print(f"\n{backend}: {len(files):,} images, {took:.0f} s, {len(wrong)} wrong; peak memory "
          f"{peak_mb():,.0f} MB, {before:,.0f} MB before")  # fmt: skip
    rows = [(*key, sum(c.values()), c[True], c[False]) for key, c in sorted(counts.items())]
    print(table(("kind", "sent", "made", "an error", "an answer"), rows))
    return wrong


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.robustness.client_fuzz", __doc__)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--model", type=Path, required=True, help="saved_models/NAME")
    args = options.parse_args(argv)
    print(heading(options, argv))
    with tempfile.TemporaryDirectory() as name:
        render_database(Path(name), subjects=1, seed=11, frames=2, size=192, progress=False)
        path = next(Path(name).glob("happiness/*.png"))
        face = np.asarray(Image.open(path).convert("RGB"))
    files = malformed(face, args.count)
    with contextlib.ExitStack() as stack:
        wrong = [each for backend, client in clients(stack, args.model)
                 for each in send(backend, client, face, files)]  # fmt: skip
    if wrong:
        raise FailedWork(f"{len(wrong)} went wrong; the first: {wrong[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
