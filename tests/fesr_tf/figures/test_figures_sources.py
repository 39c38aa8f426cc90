"""What the figures refuse to mix, each refusal naming what differs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import pytest

from fesr_tf import config, runs
from fesr_tf.figures import faces, features
from fesr_tf.figures.sources import other_settings, read, require_comparable
from fesr_tf.results.sources import CROSS_VALIDATION
from pipelines.common.errors import BadUse, FailedWork
from tests.support.naming import naming


@pytest.fixture
def another(tiny_run, tmp_path):
    """Makes a folder of a run that differs from `tiny_run` as told; it has no networks."""

    def make(variant: str, overrides: tuple[str, ...] = (), **info):
        folder = tmp_path / f"{variant}-{info.get('fold', 0)}"
        folder.mkdir()
        about = dataclasses.replace(runs.read_info(tiny_run), variant=variant, **info)
        (folder / "run.json").write_text(json.dumps(dataclasses.asdict(about)))
        settings = config.load(tiny_run / "config.yaml")
        own = config.resolve("demo", variant)
        made_by = {key: getattr(own, key) for key in config.own_keys(variant)}
        given = dict(text.split("=") for text in overrides)
        more = {key: type(getattr(settings, key))(value) for key, value in given.items()}
        settings.model_copy(update=made_by | more).save(folder / "config.yaml")
        return folder

    return make


def refused(folders, *said: str) -> None:
    with pytest.raises(BadUse) as error:
        read(folders)
    assert all(str(each) in str(error.value) for each in (*folders, *said))


def test_other_data_are_refused_with_both_folders(tiny_run, another):
    refused([tiny_run, another("FG", data_digest="0" * 64)], "000000000000")


def test_other_classes_are_refused_with_both_folders(tiny_run, another):
    refused([tiny_run, another("FG", classes=("anger", "joy"))], "joy")


def test_two_runs_of_a_variant_are_refused(tiny_run, another):
    refused([tiny_run, another("FESR_JL", fold=1)], "FESR_JL")


def test_baseline_alone_has_nothing_to_draw(another):
    with pytest.raises(BadUse, match="BASELINE"):
        read([another("BASELINE")])


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(BadUse, match=naming(tmp_path, "crossval.json")):
        read([tmp_path])


@pytest.mark.parametrize(
    ("change", "name"),
    [({"fold": 1}, "fold"), ({"overrides": ("code_size=32",)}, "code_size")],
)
def test_what_stands_side_by_side_must_share_fold_and_sizes(another, change, name):
    sources = read([another("FG"), another("FG-Dz", **change)])
    for figure in (faces.sources_4, faces.sources_7):
        with pytest.raises(BadUse, match=name) as error:
            figure(sources)
        assert all(str(each.folder) in str(error.value) for each in sources.runs.values())
    # A figure of one run alone may be of any fold.
    assert [each.info.variant for each in faces.sources_fesgan(sources)] == ["FG"]


def test_fig_9_compares_one_fold(another):
    sources = read([another("FESR_JL"), another("FESR_JL-IL", fold=1)])
    with pytest.raises(BadUse, match=naming("Fig. 9", 0, 1)):
        features.sources_9(sources)


def test_settings_that_make_no_variant_are_told(another):
    same = read([another("FG"), another("FG-CO")])
    require_comparable("Fig. 4", list(same.runs.values()))
    assert other_settings(list(same.runs.values())) == ""
    odd = [
        *same.runs.values(),
        read([another("FG-IP", ("beta2=0.9", "log_every=7"))]).runs["FG-IP"],
    ]
    assert "beta2" in other_settings(odd) and "log_every" not in other_settings(odd)


def test_without_fg_another_generator_stands_for_fesgan(tiny_run, another):
    sources = read([another("BASELINE"), another("FESR_SL"), tiny_run])
    assert [each.info.variant for each in faces.sources_fesgan(sources)] == ["FESR_JL"]
    only_ablations = read([another("FG-Dz")])
    assert re.search(r"\bFG\b", faces.sources_fesgan(only_ablations))


def test_a_cross_validation_of_other_data_is_refused(tiny_run, tmp_path):
    folder = tmp_path / "cv"
    folder.mkdir()
    info = runs.read_info(tiny_run)
    found = dict.fromkeys(CROSS_VALIDATION) | {
        "format": 2, "data_digest": "1" * 64, "classes": info.classes, "summaries": []
    }  # fmt: skip
    (folder / "crossval.json").write_text(json.dumps(found))
    refused([tiny_run, folder], "111111111111")
    shutil.copytree(folder, tmp_path / "again")
    refused([folder, tmp_path / "again"], "crossval.json")
    (folder / "crossval.json").write_text(json.dumps(found | {"format": 99}))
    with pytest.raises(FailedWork, match=naming(99)):
        read([folder])
