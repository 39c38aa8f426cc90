"""The model that comes with the package: it is found, small, and used by default."""

from __future__ import annotations

import json

import pytest

from fesr_tf.client import Client, shipped
from fesr_tf.client.__main__ import main
from fesr_tf.client.saved_model import SavedModel
from pipelines.common.errors import BadUse

MEGABYTES = 12


RECOGNISER = {"serving_default", "classify", "embed", "predict_pixels", "predict_tensor"}


def test_it_has_the_recognisers_signatures_and_is_small():
    folder = shipped.shipped_model()
    assert set(SavedModel(folder).signatures()) == RECOGNISER
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MEGABYTES * 1e6
    assert folder / "MODEL_CARD.md" in files


def test_the_client_uses_it_where_no_model_is_named(demo_images, tmp_path, capfd):
    photo = min((demo_images / "happiness").glob("*.png"))
    assert main([str(photo), "--json", "--output", str(tmp_path)]) == 0
    out, err = capfd.readouterr()
    answer = json.loads(out)
    assert answer["model"].endswith("fesr_photo/1") and answer["notes"] == []
    (face,) = answer["photos"][0]["faces"]
    assert len(face["probabilities"]) == 7
    assert "note:" not in err


def test_an_installation_without_it_says_so(monkeypatch):
    monkeypatch.setattr(shipped, "NAME", "absent")
    with pytest.raises(BadUse, match="saved_models/absent"):
        Client()
