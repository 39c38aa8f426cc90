"""Reads numeric arrays from MATLAB files, v5 and v7.3, without trusting a byte of them.

scipy and h5py do the reading, in a process of its own (`matlab_child`): a damaged file can crash
them or make them request gigabytes, and neither may reach the caller.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.files import Location, local_copy

TIME_LIMIT = 300.0
"""Seconds that reading one file may take; the largest of the databases takes about ten."""

_CHILD = Path(__file__).with_name("matlab_child.py")
# A thread for each core would reserve more address space than the child may have.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def read_arrays(
    file: Location, names: Sequence[str], time_limit: float = TIME_LIMIT
) -> dict[str, np.ndarray]:
    """The arrays with these names, in MATLAB's order of axes, in the type they are stored in.

    Raises `BadUse` for a file that is not MATLAB's, is damaged or cut short, lacks one of the
    arrays or holds it twice, holds something other than plain real numbers under a name, declares
    more than `matlab_child.MAX_BYTES` for one, or takes longer than `time_limit` seconds.
    """
    with local_copy(file) as local, local.open("rb") as data, tempfile.TemporaryFile() as arrays:
        try:
            child = subprocess.run(
                [sys.executable, "-P", str(_CHILD), *names],
                stdin=data,
                stdout=arrays,
                stderr=subprocess.PIPE,
                env={**os.environ, **_ONE_THREAD},
                timeout=time_limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BadUse(f"{file} took longer than {time_limit:.0f} seconds to read") from error
        if child.returncode < 0:
            name = signal.Signals(-child.returncode).name
            raise BadUse(f"{file} is damaged: it crashed the reader of MATLAB files ({name})")
        if child.returncode:
            reason = " ".join(child.stderr.decode(errors="replace").split())
            raise BadUse(f"{file} {reason[-400:]}")
        arrays.seek(0)
        return {name: np.load(arrays, allow_pickle=False) for name in names}
