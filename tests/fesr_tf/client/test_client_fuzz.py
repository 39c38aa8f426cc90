"""Malformed images through the client: an answer or a sentence each, and bounded memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_thousand_malformed_images(exported_model):
    words = ["-m", "benchmarks.robustness.client_fuzz", "--model", str(exported_model.parent)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = re.findall(r"1,000 images, \d+ s, 0 wrong; peak memory ([\d,]+) MB", done.stdout)
    assert len(found) == 3
    assert all(int(peak.replace(",", "")) < 3000 for peak in found)
