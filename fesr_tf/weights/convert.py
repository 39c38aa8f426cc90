"""`python -m fesr_tf.weights.convert CHECKPOINT --variant 29|29v2|v4`

Reads the authors' `.pth.tar` without PyTorch and without running anything in it, and writes
the weights as `.npz`, where `identity=light_cnn_…` finds them by itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from fesr_tf.networks.face_networks import fill, load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from fesr_tf.networks.weight_cache import cached_weights
from fesr_tf.weights import light_cnn_parity
from fesr_tf.weights.light_cnn_checkpoints import VARIANTS, check, to_keras, without_prefix
from fesr_tf.weights.torch_files import read_checkpoint
from fesr_tf.weights.torch_pickle import shown
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of, write_whole

_FACES, _SEED = 2, 0


@dataclasses.dataclass(frozen=True)
class Record:
    """What is written beside the weights: where they come from, and that they are theirs."""

    identity: str
    checkpoint: str
    checkpoint_sha256: str
    notes: dict[str, float | int | str | bool]
    unused: list[str]
    parameters: int
    sha256: str


def convert(checkpoint: Path, identity: str, output: Path, sha256: str | None = None) -> Record:
    """Converts and writes `output` (.npz) and its `.json`, printing what it finds.

    Raises `BadUse` for a missing file; `FailedWork` for one whose SHA-256 is not `sha256`, that
    is no checkpoint or another network's, or whose layers PyTorch computes otherwise. Nothing
    is written then.
    """
    if not checkpoint.is_file():
        raise BadUse(f"no checkpoint at {checkpoint}")
    digest = sha256_of(checkpoint)
    if sha256 and digest != sha256.lower():
        raise FailedWork(f"{checkpoint} has the SHA-256 {digest} and not {sha256.lower()}")
    spec = SPECS[identity]
    found = read_checkpoint(checkpoint)
    print(f"checkpoint  {checkpoint} ({found.layout} format)\n  SHA-256   {digest}")
    for name, value in found.notes.items():
        print(f"  {shown(name):<9} {shown(str(value))}")
    arrays = without_prefix(found.arrays)
    unused = check(arrays, spec, checkpoint)
    for key in unused:
        print(f"  not used  {shown(key)} {arrays[key].shape}")
    network = LightCNN(spec)
    fill(network, to_keras(arrays, spec), checkpoint)
    print(f"network     {identity}, {network.count_params():,} parameters")
    _print_parity(network, arrays, checkpoint)
    write_whole(output, pack_weights(network, "float32"))
    load_face_network(identity, output)
    record = Record(
        identity=identity,
        checkpoint=checkpoint.name,
        checkpoint_sha256=digest,
        notes=found.notes,
        unused=unused,
        parameters=network.count_params(),
        sha256=sha256_of(output),
    )
    write_whole(output.with_suffix(".json"), json.dumps(dataclasses.asdict(record), indent=1))
    print(f"written     {output}\n  SHA-256   {record.sha256}")
    return record


def _print_parity(network: LightCNN, arrays: dict[str, np.ndarray], checkpoint: Path) -> None:
    definition = light_cnn_parity.torch_definition()
    if definition is None:
        print("parity      not measured: it needs PyTorch (pip install torch)")
        return
    spec = network.spec
    faces = np.random.default_rng(_SEED).uniform(
        *spec.value_range, (_FACES, spec.size, spec.size, spec.channels)
    )
    found = light_cnn_parity.differences(network, arrays, definition, faces.astype(np.float32))
    print("parity      largest difference to PyTorch, by the layer's largest value")
    for name, difference in found.items():
        print(f"  {name:<16} {difference:.1e}")
    worst = max(found, key=found.get)
    if found[worst] > light_cnn_parity.LIMIT:
        raise FailedWork(
            f"{checkpoint}: {worst} differs from PyTorch's by {found[worst]:.1e}, more than "
            f"{light_cnn_parity.LIMIT:.0e} of its largest value; nothing was written"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.weights.convert",
        description="Converts the authors' Light CNN checkpoint; no PyTorch, no pickle is run.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="the .pth.tar")
    parser.add_argument("--variant", required=True, choices=VARIANTS, help="which network it is")
    parser.add_argument(
        "--output", type=Path, help="weights, .npz (default: where identity=… finds them)"
    )
    parser.add_argument("--sha256", help="refuse a checkpoint with another SHA-256")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    identity = VARIANTS[args.variant]
    output = args.output or cached_weights(identity)
    if output.suffix != ".npz":
        raise BadUse(f"--output {output} must end in .npz")
    convert(args.checkpoint, identity, output, args.sha256)
    extra = "" if output == cached_weights(identity) else f" identity_weights={output}"
    print(f"use         python -m fesr_tf.train … identity={identity}{extra}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
