"""A face network on photographs, its input as it declares and deliberately otherwise.

    python -m benchmarks.parity.face_verification DIR [--identity light_cnn_v4] [--weights FILE]

DIR is in the layout of the database `images`: a folder an expression, files named by the person
(<expression>/<person>[_…].jpg). Every photograph is aligned as `pipelines.preprocess` does. Of all
pairs of images with different expressions, those of one person are separated from those of two by
the cosine of their embeddings. d' is the distance of the two mean cosines in their standard
deviations; it still discriminates where the AUC is 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.heading import heading, parser
from fesr_tf.networks.face_networks import load_face_network
from pipelines.common.errors import command
from pipelines.common.text import table
from tests.support.face_verification import PIXELS, read_photographs, rows

EXPECTED = """\
goal: at least 0.99 for the aligned photographs as declared
expected beforehand: a fall for each other variant, least for the order of the colours, since a
gray image has none and is recognised too"""


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.parity.face_verification", __doc__)
    options.add_argument("photos", type=Path, metavar="DIR")
    options.add_argument("--identity", default="light_cnn_v4", help="the network [light_cnn_v4]")
    options.add_argument("--weights", type=Path, help="its weights, where they are not its own")
    args = options.parse_args(argv)
    network = load_face_network(args.identity, args.weights)
    photos = read_photographs(args.photos)
    print(f"{heading(options, argv)}\n{EXPECTED}")
    print(f"{len(photos.aligned)} photographs of {len(set(photos.subjects))} people")
    print(f"pixels a side: {', '.join(map(str, PIXELS))}; the smaller ones are enlarged again")
    found = dict(rows(network, photos))
    head = [f"{args.identity}, input", *(each for p in PIXELS for each in (f"AUC {p}", "d'"))]
    print(table(head, [
        (name, *(cell for one, distance in each for cell in (f"{one.auc:.4f}", f"{distance:.2f}")))
        for name, each in found.items()
    ]))  # fmt: skip
    declared, _ = next(iter(found.values()))[0]
    print(
        f"pairs: {declared.pairs_same} of one person, {declared.pairs_different} of two\n"
        f"as declared: the embeddings' RMS is {declared.rms:.3f}, their L1 distance, as in L_id, "
        f"{declared.l1_same:.3f} in images of one person and {declared.l1_different:.3f} of two"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
