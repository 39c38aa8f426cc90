"""Wrote `checkpoints/`, with PyTorch: `python tests/support/torch_checkpoints.py`.

`expected()` needs numpy only, and says what they hold.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent / "checkpoints"


def expected() -> dict[str, np.ndarray]:
    """The state dict of every checkpoint here."""
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
    return {
        "module.plain": whole,
        "module.turned": whole.transpose(2, 0, 1),
        "module.part": whole[1, :, 1:3],
        "module.repeated": np.broadcast_to(np.float32([1.5, 2.5]), (1, 2)),
        "module.half": np.float16([[0.5, -2.0]]),
        "module.double": np.float64([np.pi]),
        "module.count": np.array(1234567890123, np.int64),
        "module.flags": np.array([True, False, True]),
        "module.nothing": np.zeros((0, 3), np.float32),
        "module.parameter": np.float32([3.25, -1.0]),
    }


def main() -> None:
    import torch

    whole = torch.tensor(expected()["module.plain"])
    made = OrderedDict((key, torch.tensor(value.copy())) for key, value in expected().items())
    # Views of one storage, as tied weights are.
    made["module.plain"] = whole
    made["module.turned"] = whole.permute(2, 0, 1)
    made["module.part"] = whole[1, :, 1:3]
    made["module.parameter"] = torch.nn.Parameter(made["module.parameter"])
    content = {
        "epoch": 80,
        "arch": "LightCNN",
        "prec1": torch.tensor(98.5),
        "best": np.float64(0.25),
        "state_dict": made,
    }
    torch.save(content, HERE / "zip.pth.tar")
    torch.save(content, HERE / "legacy.pth.tar", _use_new_zipfile_serialization=False)
    torch.save(content, HERE / "protocol4.pth.tar", pickle_protocol=4)
    # Attributes of the dictionary (`_metadata`), and nothing around it.
    layer = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(layer.weight, 0.5)
    torch.nn.init.constant_(layer.bias, -1.0)
    torch.save(layer.state_dict(), HERE / "bare.pth.tar")


if __name__ == "__main__":
    main()
