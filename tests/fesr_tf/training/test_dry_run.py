"""`--dry-run` says what a run would be, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import re
import resource

import pytest

from fesr_tf import config, data
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import load_face_network
from fesr_tf.train import main
from fesr_tf.training import dry_run
from fesr_tf.training.loop import stages

# Tables I and II by hand at 32 gray pixels, a sixteenth of the width and 8 classes: kernel x
# kernel x inputs x outputs + outputs of each layer. F_id is the demo's Light CNN.
TRAINED = {
    "G_enc": 68 + 520 + 2_064 + (256 * 64 + 64),
    "G_dec": (16 * 72 * 32 + 32) + (16 * 32 * 16 + 16) + (16 * 16 * 8 + 8) + (16 * 8 + 1),
    "D_img": 68 + 520 + 129 + 2_064 + (16 * 16 * 8 + 8),
    "D_z": 4_160 + 2_080 + 528 + 17,
    "R": (9 * 48 * 16 + 16) + (9 * 16 * 32 + 32) + (128 * 128 + 128) + (128 * 32 + 32) + 264,
}
FROZEN = 372_944
# Each weight that trains has Adam's two moments beside it, 4 bytes each; t and the four
# optimizers' own counts of steps are int64.
CHECKPOINT = 4 * (3 * sum(TRAINED.values()) + FROZEN) + 5 * 8


@pytest.fixture(scope="module")
def printed(demo_data, tiny_settings, tmp_path_factory):
    """What the command prints, the files in its folder afterwards, and this process's largest
    size in bytes before and after it."""
    folder = tmp_path_factory.mktemp("dry")
    command = ["--dry-run", "--db", "demo", "--data", str(demo_data)]
    command += ["--runs", str(folder / "runs")]
    out, before = io.StringIO(), largest()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        assert main([*command, *tiny_settings, "lambda6=0.5"]) == 0
    return out.getvalue(), list(folder.rglob("*")), (before, largest())


def largest() -> int:
    """This process's largest resident size so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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
    # Below the classes: all pictures, then all people.
    lines = printed[0].splitlines()
    last = next(
        i for i, line in enumerate(lines) if line.strip().startswith(fold.classes[-1] + " ")
    )
    assert re.findall(r"\d+", lines[last + 2]) == ["2", "0", "2"]
    assert [line for line in printed[0].splitlines() if line.startswith("note: ")]


def test_parameter_counts_are_those_of_the_tables(printed):
    for name, count in TRAINED.items():
        assert row(printed[0], name) == [f"{count:,}", "0"]
    assert row(printed[0], "F_id (light_cnn_demo)") == ["0", f"{FROZEN:,}"]


def test_both_stages_are_timed(printed):
    for stage in ("FESGAN", "FESR"):
        steps, seconds, images, first, whole = row(printed[0], stage)
        assert steps == "2"
        assert float(images) == pytest.approx(4 / float(seconds), rel=0.05)
        minutes, rest = map(int, whole.split(":"))
        both = float(first.removesuffix(" s")) + float(seconds)
        assert 60 * minutes + rest == pytest.approx(both, abs=0.6)


def test_the_memory_is_this_process_s_largest_size(printed):
    """Linux counts a few pages late."""
    (memory,) = re.findall(r"^memory.*?([\d.]+) GiB", printed[0], re.MULTILINE)
    before, after = printed[2]
    assert before / 2**30 - 0.05 <= float(memory) <= after / 2**30 + 0.05


def test_a_checkpoint_has_the_predicted_size(printed, opened_run, tiny_run):
    model = fesr.build(opened_run.config, len(opened_run.info.classes))
    assert dry_run.checkpoint_bytes(model) == CHECKPOINT
    assert f"{CHECKPOINT / 2**20:.1f} MiB" in printed[0]
    written = max(path.stat().st_size for path in (tiny_run / "checkpoints").rglob("*.data-*"))
    # The file has names and the object graph besides, a few dozen kilobytes.
    assert CHECKPOINT < written < CHECKPOINT + 100_000


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
