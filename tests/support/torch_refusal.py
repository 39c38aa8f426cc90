"""How a file that is no checkpoint is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fesr_tf.weights.torch_checkpoint import read_checkpoint
from pipelines.common.errors import FailedWork


def refused(path: Path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(FailedWork) as caught:
        read_checkpoint(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} ")
    assert "\n" not in sentence and len(sentence) < len(str(path)) + 300
    return sentence
