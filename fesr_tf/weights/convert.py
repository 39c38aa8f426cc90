"""`python -m fesr_tf.weights convert CHECKPOINT --variant 29|29v2|v4`

Reads the authors' `.pth.tar` without PyTorch and without running anything in it, and writes
the weights as `.npz`, where `identity=light_cnn_…` finds them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from fesr_tf.networks.face_networks import fill, load_face_network, pack_weights
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from fesr_tf.networks.weight_cache import cached_weights
from fesr_tf.weights import light_cnn_checkpoints as checkpoints
from fesr_tf.weights.torch_checkpoint import read_checkpoint, shown
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.common.files import sha256_of, write_whole


@dataclasses.dataclass(frozen=True)
class Record:
    """The `.json` beside converted weights: their origin and both SHA-256 sums."""

    identity: str
    checkpoint: str
    checkpoint_sha256: str
    notes: dict[str, float | int | str | bool]
    unused: list[str]
    parameters: int
    sha256: str


def convert(checkpoint: Path, identity: str, output: Path, sha256: str | None = None) -> Record:
    """Converts and writes `output` (.npz) and its `.json`, and prints the steps.

    Raises `BadUse` for a missing file; `FailedWork` for one whose SHA-256 is not `sha256`, that
    is no checkpoint or another network's, or whose layers differ from PyTorch's. Nothing is
    written then.
    """
    if not checkpoint.is_file():
        raise BadUse(f"no checkpoint at {checkpoint}")
    digest = sha256_of(checkpoint)
    if sha256 and digest != sha256.lower():
        raise FailedWork(f"{checkpoint} has the SHA-256 {digest} and not {sha256.lower()}")
    spec = SPECS[identity]
    content = read_checkpoint(checkpoint)
    print(f"checkpoint  {checkpoint} ({content.layout} format)\n  SHA-256   {digest}")
    for name, value in content.notes.items():
        print(f"  {shown(name):<9} {shown(str(value))}")
    arrays = checkpoints.without_prefix(content.arrays)
    unused = checkpoints.check(arrays, spec, checkpoint)
    for key in unused:
        print(f"  not used  {shown(key)} {arrays[key].shape}")
    network = LightCNN(spec)
    fill(network, checkpoints.to_keras(arrays, spec), checkpoint)
    print(f"network     {identity}, {network.count_params():,} parameters")
    _compare_with_torch(network, arrays, checkpoint)
    write_whole(output, pack_weights(network, "float32"))
    load_face_network(identity, output)
    record = Record(
        identity=identity,
        checkpoint=checkpoint.name,
        checkpoint_sha256=digest,
        notes=content.notes,
        unused=unused,
        parameters=network.count_params(),
        sha256=sha256_of(output),
    )
    write_whole(output.with_suffix(".json"), json.dumps(dataclasses.asdict(record), indent=1))
    print(f"written     {output}\n  SHA-256   {record.sha256}")
    return record


def _compare_with_torch(network: LightCNN, arrays: dict[str, np.ndarray], checkpoint: Path) -> None:
    definition = checkpoints.torch_definition()
    if definition is None:
        print("parity      not measured: it needs PyTorch (pip install torch)")
        return
    spec, rng = network.spec, np.random.default_rng(0)
    faces = rng.uniform(*spec.value_range, (2, spec.size, spec.size, spec.channels))
    differences = checkpoints.torch_differences(
        network, arrays, definition, faces.astype(np.float32)
    )
    print("parity      largest difference to PyTorch, by the layer's largest value")
    for name, difference in differences.items():
        print(f"  {name:<16} {difference:.1e}")
    worst = max(differences, key=differences.get)
    if differences[worst] > checkpoints.LARGEST_DIFFERENCE:
        raise FailedWork(
            f"{checkpoint}: {worst} differs from PyTorch's by {differences[worst]:.1e}, more than "
            f"{checkpoints.LARGEST_DIFFERENCE:.0e} of its largest value; nothing was written"
        )


@command
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.weights convert",
        description="Converts the authors' Light CNN checkpoint; no PyTorch, no pickle is run.",
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="the .pth.tar")
    add("--variant", required=True, choices=checkpoints.VARIANTS, help="the network's variant")
    add("--output", type=Path, help="weights, .npz (default: where identity=… finds them)")
    add("--sha256", help="refuse a checkpoint with another SHA-256")
    args = parser.parse_args(argv)
    identity = checkpoints.VARIANTS[args.variant]
    output = args.output or cached_weights(identity)
    if output.suffix != ".npz":
        raise BadUse(f"--output {output} must end in .npz")
    convert(args.checkpoint, identity, output, args.sha256)
    extra = "" if output == cached_weights(identity) else f" identity_weights={output}"
    print(f"use         python -m fesr_tf.train … identity={identity}{extra}")
    return 0
