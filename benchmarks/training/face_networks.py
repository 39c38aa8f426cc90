"""The face networks beside each other: cost, R on their frozen trunk, and verification.

R's own layers (width 0.25, with a head for the challenge's labels and one for the votes) are
trained on the frozen trunk with every image of Training, as `python -m fesr_tf.weights pretrain`
trains them, and measured on PublicTest. PHOTOS is a folder <expression>/<person>[_…].jpg: every
photograph is aligned as `pipelines.preprocess` does, and images of one person with two expressions
are compared with images of two people, by the cosine of their embeddings.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.heading import heading, parser
from fesr_tf import config as configs
from fesr_tf.metrics.face_verification import rank_one, verification
from fesr_tf.networks.face_networks import FaceNetwork, load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, layers_of
from fesr_tf.weights import expression_training
from fesr_tf.weights.expression_faces import LabelledFaces, read_faces, training_faces
from pipelines.common.errors import command
from pipelines.common.text import table
from tests.support.face_verification import embed, read_photographs

NETWORKS = ("light_cnn_demo", "light_cnn_photo", "light_cnn_v4")
NOT_RUN = "not run"


def recognizer_cells(
    name: str, network: FaceNetwork, trained: LabelledFaces, tested: LabelledFaces, epochs: int
) -> list[str]:
    """Accuracy of R on the frozen trunk, by label and by votes."""
    settings = configs.resolve("images", overrides=["width=0.25", f"identity={name}"])
    light_cnn = network.network
    recognizer = expression_training.ExpressionNetwork(light_cnn.spec, settings, 0, light_cnn)
    with tempfile.TemporaryDirectory() as folder:
        expression_training.train(recognizer, trained, epochs, 64, 0, Path(folder))
    found = expression_training.measure(recognizer, light_cnn, tested)
    return [f"{found['by_label']:.1%}", f"{found['by_votes']:.1%}"]


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.training.face_networks", __doc__)
    options.add_argument("--faces", type=Path, required=True, metavar="FILE", help="fer2013.csv")
    options.add_argument("--votes", type=Path, required=True, metavar="FILE",
                         help="fer2013new.csv")  # fmt: skip
    options.add_argument("--photos", type=Path, metavar="DIR")
    options.add_argument("--networks", nargs="+", choices=SPECS, default=NETWORKS)
    options.add_argument("--without-recognizer", nargs="*", choices=SPECS, default=["light_cnn_v4"],
                         help="networks too costly for it [light_cnn_v4]")  # fmt: skip
    options.add_argument("--epochs", type=int, default=10, help="of R [10]")
    args = options.parse_args(argv)
    parts = read_faces(args.faces, args.votes)
    trained, tested = training_faces(parts)[0], parts["PublicTest"]
    photos = read_photographs(args.photos) if args.photos else None
    rows = []
    for name in args.networks:
        network = load_face_network(name)
        cost = sum(layer.multiply_adds for layer in layers_of(SPECS[name]))
        size = len(pack_weights(network.network))
        cells = [name, f"{cost / 1e6:.0f} M", f"{size / 1e6:.1f} MB"]
        if name in args.without_recognizer:
            cells += [NOT_RUN] * 2
        else:
            cells += recognizer_cells(name, network, trained, tested, args.epochs)
        if photos is None:
            cells += [NOT_RUN] * 2
        else:
            of = embed(network, photos.aligned), photos.subjects, photos.expressions
            cells += [f"{verification(*of).auc:.4f}", f"{rank_one(*of):.0%}"]
        rows.append(cells)
    counted = int(np.count_nonzero(tested.majority >= 0))
    print(heading(options, argv))
    print(
        f"{len(trained)} training images, each once; {len(tested)} of PublicTest, {counted} with a "
        "majority of votes"
    )
    head = ["network", "multiply-adds", "size", "R by label", "R by votes", "AUC", "rank-1"]
    print(table(head, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
