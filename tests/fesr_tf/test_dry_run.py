"""`--dry-run` says what a run would be, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from fesr_tf import config, data
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.train import main
from fesr_tf.training import dry_run
from fesr_tf.training.loop import stages


@pytest.fixture(scope="module")
def printed(demo_data, tiny_settings, tmp_path_factory):
    """What the command prints, its folder of runs, and the files there afterwards."""
    folder = tmp_path_factory.mktemp("dry")
    command = ["--dry-run", "--db", "demo", "--data", str(demo_data)]
    command += ["--runs", str(folder / "runs")]
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        assert main([*command, *tiny_settings, "lambda6=0.5"]) == 0
    return out.getvalue(), list(folder.rglob("*"))


def row(text: str, name: str) -> list[str]:
    """The cells of the line that begins with `name`."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name + " "))
    return re.split(r"\s{2,}", line.strip())[1:]


def test_nothing_is_left(printed):
    assert printed[1] == []


def test_every_setting_has_its_origin(printed):
    for key, value in (("lambda6", "0.5"), ("width", "0.0625")):
        assert row(printed[0], key) == [value, "command line"]
    assert row(printed[0], "lambda2") == ["100.0", "demo.yaml"]
    assert row(printed[0], "lambda3") == ["5.0", "base.yaml"]


def test_the_data_are_counted_by_class_and_part(printed, demo_data, opened_run):
    fold = data.load_fold(demo_data, 0, opened_run.config)
    for k, name in enumerate(fold.classes):
        parts = (fold.train, fold.valid, fold.test)
        assert row(printed[0], name) == [str(sum(p.labels == k)) for p in parts]
    assert row(printed[0], "people")[0] == str(len(set(fold.train.subjects)))
    assert "no validation part" in printed[0]


def test_parameter_counts_are_the_model_s(printed, opened_run):
    gan, model = opened_run.fesr.fesgan, opened_run.fesr
    frozen = model.face_network.network.count_params()
    expected = {
        "G_enc": gan.encoder.count_params(),
        "G_dec": gan.decoder.count_params(),
        "D_img": gan.image_critic.count_params(),
        "D_z": gan.code_critic.count_params(),
        "R": model.recognizer.count_params() - frozen,
    }
    for name, count in expected.items():
        assert row(printed[0], name) == [f"{count:,}", "0"]
    assert row(printed[0], "F_id (light_cnn_demo)") == ["0", f"{frozen:,}"]


def test_both_stages_are_timed(printed):
    for stage in ("FESGAN", "FESR"):
        steps, seconds, images = row(printed[0], stage)[:3]
        assert steps == "2"
        assert float(seconds) > 0
        assert float(images) == pytest.approx(4 / float(seconds), rel=0.05)
    memory = float(re.search(r"memory: ([\d.]+) GiB", printed[0])[1])
    assert 0.2 < memory < 20


def test_a_checkpoint_has_the_size_that_was_foretold(opened_run, tiny_run):
    written = max(path.stat().st_size for path in (tiny_run / "checkpoints").rglob("*.data-*"))
    model = fesr.build(opened_run.config, len(opened_run.info.classes))
    # The file has names and the object graph besides, a few dozen kilobytes.
    assert 0 < written - dry_run.checkpoint_bytes(model) < 100_000


def test_the_whole_time_is_the_first_step_and_the_rest_at_the_median():
    timing = dry_run.Timing("FESR", 101, 12.0, [0.5, 0.4, 9.0, 0.5, 0.6])
    assert timing.seconds_per_step == 0.5
    assert timing.whole == pytest.approx(12 + 100 * 0.5)


def test_a_variant_without_second_stage_or_generator_is_measured(demo_data):
    tiny = ["image_size=32", "width=0.0625", "batch_size=4", "pretrain_iterations=20",
            "max_iterations=50"]  # fmt: skip
    expected = (("BASELINE", ["R"], 30), ("FG-Dz", ["G_enc", "G_dec", "D_img"], 20))
    for variant, names, steps in expected:
        settings = config.resolve("demo", variant, tiny)
        fold = data.load_fold(demo_data, 0, settings)
        model = fesr.build(settings, len(fold.classes))
        assert list(dry_run.parameter_counts(model))[:-1] == names
        (timing,) = dry_run.measure(model, fold.train, stages(settings))
        assert timing.steps == steps and len(timing.later) == dry_run.STEPS


@pytest.mark.slow
def test_the_paper_s_networks_have_the_paper_s_parameters():
    """Counts worked out from Tables I and II by hand, one channel and seven classes."""
    settings = config.resolve("ckplus", overrides=["channels=1"])
    network = load_face_network("light_cnn_29", random_seed=0)
    counts = dry_run.parameter_counts(fesr.build(settings, 7, network))
    assert {name: sum(both) for name, both in counts.items()} == {
        "G_enc": 12_192_768,
        "G_dec": 3_368_417,
        "D_img": 11_267_016,
        "D_z": 6_785,
        "R": 19_454_727,
        "F_id (light_cnn_29)": 12_573_280,
    }
