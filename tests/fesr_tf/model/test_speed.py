"""Every optimisation gives the plain step's result: caches, joint passes, several steps a call."""

from __future__ import annotations

import errno
import functools
import itertools
import os
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from fesr_tf import config, data
from fesr_tf.data import Faces
from fesr_tf.model import fesr
from fesr_tf.model.frozen_features import cache_place, cached_bytes, frozen_features
from fesr_tf.networks.face_networks import load_face_network
from pipelines.common.errors import BadUse, FailedWork
from tests.support.naming import naming

CLASSES, SIZE, BATCH, STEPS = 4, 64, 3, 3
TINY = [f"image_size={SIZE}", "width=0.0625", f"batch_size={BATCH}", "dropout=0.5"]
PLAIN = ["passes=separate"]
STAGED = [
    ("FESR_JL", 1, ()),
    ("FESR_JL", 2, ()),
    ("FESR_JL", 1, ("horizontal_flip=true",)),
    ("FESR_JL", 2, ("horizontal_flip=true",)),
    ("FESR_Real", 2, ()),
    ("FESR_SL", 2, ()),
    ("BASELINE", 2, ("horizontal_flip=true",)),
    ("FG-IP", 1, ()),
    ("FG-Dimg_cls", 1, ()),
]


def cases(*fast: tuple) -> list:
    """`STAGED`; those that are not `fast` are slow."""
    return [pytest.param(*case, marks=() if case in fast else pytest.mark.slow) for case in STAGED]


def settings(variant: str = "FESR_JL", *overrides: str) -> config.Config:
    return config.resolve("demo", variant, [*TINY, *overrides])


def build(configuration: config.Config) -> fesr.FESR:
    """A model whose weights, biases among them, are far from 0: the same for every speed."""
    model = fesr.build(configuration, CLASSES, load_face_network("light_cnn_demo", random_seed=0))
    random = np.random.default_rng(1)
    for variable in model.variables:
        if "bias" in variable.name:
            variable.assign(random.uniform(-0.1, 0.1, variable.shape))
    return model


def faces(count: int = 8) -> Faces:
    random = np.random.default_rng(3)
    text = np.array([str(index) for index in range(count)])
    return Faces(
        random.integers(0, 256, (count, SIZE, SIZE, 1), np.uint8),
        (np.arange(count) % CLASSES).astype(np.int32),
        text,
        text,
        np.ones(count, np.float32),
    )


def weights(model: fesr.FESR) -> dict[str, np.ndarray]:
    gan = model.fesgan
    networks = {
        "G_enc": gan.encoder.trainable_variables,
        "G_dec": gan.decoder.trainable_variables,
        "D_img": gan.image_critic.trainable_variables,
        "D_z": gan.code_critic.trainable_variables,
        "R": model.recognizer.trained_variables,
    }
    # By plain descent no weight's way depends on the sign of a gradient that is rounding.
    return {
        name: np.concatenate([v.numpy().ravel() for v in variables])
        for name, variables in networks.items()
    }


def given(model: fesr.FESR, cached: bool) -> Iterator[tuple]:
    """The batches of three steps, in Keras' own type. In float64 what is known of a batch is
    computed of it, as the cache itself holds what float32 makes of it."""
    configuration, floats = model.config, keras.backend.floatx()
    known = None
    if cached and floats == "float32":
        known = frozen_features(model.face_network, faces(), configuration, False)
    for batch in itertools.islice(data.batches(faces(), configuration, 0, known), STEPS):
        if floats == "float32":
            yield batch
            continue
        image, positive = (tf.cast(each, floats) for each in batch[:2])
        frozen, more = model.frozen, ()
        if cached:
            maps = frozen.trunk(image)
            identity = frozen.embed(image, maps)
            more = ({"map": maps, "positive_map": frozen.trunk(positive), "identity": identity},)
        yield image, positive, batch[2], *more


def taken(
    variant: str, stage: int, overrides: tuple[str, ...], cached: bool
) -> tuple[dict[str, np.ndarray], list[dict[str, float]]]:
    """The weights after three steps of plain descent, and each step's losses. A graph in float32;
    in float64, where rounding hides nothing, the steps are taken one operation at a time."""
    model = build(settings(variant, *overrides))
    for owner, name in (
        *((model.fesgan, name) for name in ("generator", "image_critic", "code_critic")),
        (model, "recognizer"),
    ):
        setattr(owner, f"{name}_optimizer", keras.optimizers.SGD(0.01, jit_compile=False))
    target = model.fesgan if stage == 1 else model
    step = target.train_step
    if keras.backend.floatx() == "float32":
        step = tf.function(step, autograph=False)
    logs = [
        {name: float(value) for name, value in step(batch).items()}
        for batch in given(model, cached)
    ]
    return weights(model), logs


@functools.cache
def compiled(variant: str, stage: int, overrides: tuple[str, ...], cached: bool):
    """`taken` in float32, once for every test that asks for it."""
    assert keras.backend.floatx() == "float32"
    return taken(variant, stage, overrides, cached)


@pytest.fixture
def float64():
    keras.backend.set_floatx("float64")
    yield
    keras.backend.set_floatx("float32")


# A batch holds what is known of it, mirrored or not: mirror images take no other way.
@pytest.mark.parametrize(("variant", "stage", "overrides"), cases(STAGED[1]))
def test_known_features_and_joint_passes_are_the_plain_step(variant, stage, overrides, float64):
    """Every loss of three steps, every gradient's norm and every weight's way, in float64.

    In float32 sums in another order are other last bits, and a unit that is 0 but for those bits
    then turns a gradient by a thousandth: that shows nothing.
    """
    plain, wanted = taken(variant, stage, (*overrides, *PLAIN), cached=False)
    fast, logs = taken(variant, stage, overrides, cached=True)
    begin = weights(build(settings(variant, *overrides)))
    assert logs == [pytest.approx(each, rel=1e-11, abs=1e-12) for each in wanted]
    for name, value in fast.items():
        assert value.dtype == np.float64
        moved = np.abs(plain[name] - begin[name]).max()
        assert np.abs(value - plain[name]).max() <= 1e-10 * moved, name


@pytest.mark.parametrize(("variant", "stage", "overrides"), cases(STAGED[2]))
def test_cache_and_joint_passes_give_the_plain_steps_losses(variant, stage, overrides):
    """In float32, from the cache itself. The gradients' norms: see above."""
    wanted = compiled(variant, stage, (*overrides, *PLAIN), cached=False)[1][0]
    losses = compiled(variant, stage, overrides, cached=True)[1][0]
    norms = {name for name in wanted if name.startswith("signals/gradient_")}
    assert losses.keys() == wanted.keys()
    for name in wanted.keys() - norms:
        assert losses[name] == pytest.approx(wanted[name], rel=1e-5, abs=1e-6), name


def test_the_cache_alone_changes_no_bit():
    plain = compiled("FESR_JL", 2, ("horizontal_flip=true", *PLAIN), cached=False)
    cached = compiled("FESR_JL", 2, ("horizontal_flip=true", *PLAIN), cached=True)
    assert cached[1] == plain[1]
    for name, value in plain[0].items():
        np.testing.assert_array_equal(cached[0][name], value, err_msg=name)


@pytest.mark.parametrize("flip", ["true", "false"])
def test_a_batch_carries_the_features_of_its_own_pictures(flip):
    configuration = settings("FESR_JL", f"horizontal_flip={flip}")
    network = load_face_network("light_cnn_demo", random_seed=0)
    known = frozen_features(network, faces(), configuration, False)
    for image, positive, _, found in itertools.islice(
        data.batches(faces(), configuration, 0, known), 6
    ):
        for name, value in (
            ("map", network.trunk(image)),
            ("positive_map", network.trunk(positive)),
            ("identity", network.embed(image)),
        ):
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_losses_stay_within_two_percent():
    """docs/benchmarks/speed.md states it; the first step, before anything was learnt."""
    plain = compiled("FESR_JL", 2, (), cached=True)[1][0]
    lower = compiled("FESR_JL", 2, ("frozen_dtype=bfloat16",), cached=True)[1][0]
    assert lower != plain
    assert lower == pytest.approx(plain, rel=0.02)


def test_bfloat16_is_in_the_frozen_network_alone():
    mirrored = ("horizontal_flip=true",)
    lower = compiled("FESR_JL", 1, (*mirrored, "frozen_dtype=bfloat16"), cached=True)[1][0]
    plain = compiled("FESR_JL", 1, mirrored, cached=True)[1][0]
    changed = {name for name in plain if plain[name] != lower[name]}
    assert changed == {"L_id", "L_G", "signals/gradient_G"}


def test_the_size_of_the_cache_is_known_before_it_is_made():
    """192 channels of 16x16 and 256 features are 197,632 bytes, a mirror image as many."""
    network = load_face_network("light_cnn_29", random_seed=0)
    paper = config.resolve("ckplus")
    assert cached_bytes(network, paper, 100) == 100 * 4 * (16 * 16 * 192 + 256)
    for change, factor in (({"horizontal_flip": True}, 2), ({"frozen_dtype": "bfloat16"}, 0.5)):
        other = paper.model_copy(update=change)
        assert cached_bytes(network, other, 1) == factor * 4 * (16 * 16 * 192 + 256)


@pytest.mark.parametrize(
    ("variant", "maps", "embeddings"),
    [("FESR_JL", True, True), ("BASELINE", True, False), ("FG", False, True)],
)
def test_the_cache_holds_what_the_variant_reads(variant, maps, embeddings):
    network = load_face_network("light_cnn_demo", random_seed=0)
    overrides = ("lambda3=5",) if variant == "FG" else ()
    known = frozen_features(network, faces(), settings(variant, *overrides), False)
    assert (known.maps is not None, known.embeddings is not None) == (maps, embeddings)


def test_a_cache_above_its_limit_is_a_file_without_a_name(tmp_path, capsys):
    network = load_face_network("light_cnn_demo", random_seed=0)
    memory = frozen_features(network, faces(), settings("FESR_JL"), False)
    small = settings("FESR_JL", "frozen_cache_limit_gib=0.00001")
    mapped = frozen_features(network, faces(), small, False, tmp_path)
    assert "frozen_cache_limit_gib=1e-05" in capsys.readouterr().out
    assert isinstance(mapped.maps, np.memmap) and list(tmp_path.iterdir()) == []
    assert np.array_equal(mapped.maps, memory.maps)
    assert np.array_equal(mapped.embeddings, memory.embeddings)
    none = settings("FESR_JL", "frozen_cache=none")
    assert frozen_features(network, faces(), none, False) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_batches_from_a_file_are_those_from_memory(dtype, tmp_path):
    network = load_face_network("light_cnn_demo", random_seed=0)
    kinds = {}
    for limit in ("4", "0.00001"):
        changes = f"frozen_cache_limit_gib={limit}", f"frozen_dtype={dtype}", "horizontal_flip=true"
        configuration = settings("FESR_JL", *changes)
        known = frozen_features(network, faces(), configuration, False, tmp_path)
        kinds[limit] = list(data.batches(faces(), configuration, 3, known).take(4))
    for memory, mapped in zip(*kinds.values(), strict=True):
        assert memory[3].keys() == mapped[3].keys() == {"map", "positive_map", "identity"}
        for name, value in memory[3].items():
            assert np.array_equal(value, mapped[3][name])
            assert value.shape == mapped[3][name].shape


def test_a_cache_that_the_disk_cannot_hold_is_refused(tmp_path, monkeypatch):
    network = load_face_network("light_cnn_demo", random_seed=0)
    small = settings("FESR_JL", "frozen_cache_limit_gib=0.00001")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(FailedWork, match=r"GiB.*No space left.*frozen_cache=none"):
        frozen_features(network, faces(), small, False, tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [((), "in memory"), (("frozen_cache_limit_gib=0",), "file"), (("frozen_cache=none",), "none")],
)
def test_the_dry_run_names_the_place_of_the_cache(changes, words):
    network = load_face_network("light_cnn_demo", random_seed=0)
    configuration = settings("FESR_JL", *changes)
    place = cache_place(network, configuration, 100)
    assert words in place
    if "frozen_cache=none" not in changes:
        assert f"{cached_bytes(network, configuration, 100):,}" in place


class Seen(keras.callbacks.Callback):
    def __init__(self, model: fesr.FESR, steps: list[int]):
        super().__init__()
        self.fesr, self.steps = model, steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(int(self.fesr.fesgan.step.numpy()))


@pytest.mark.slow
def test_several_steps_a_call_are_the_same_steps_and_nothing_is_traced_twice(monkeypatch):
    """Both stages, each fitted twice, with a last call of fewer steps: one trace each. Callbacks
    see every second step, and the odd one at the end.

    Newer TensorFlows run a loop's body twice while they trace it once.
    """
    traces = {"FESGAN": 0, "FESR": 0}
    for kind in (fesr.FESGAN, fesr.FESR):
        real = kind.train_step

        def counted(self, batch, real=real):
            traces[type(self).__name__] += 1
            return real(self, batch)

        monkeypatch.setattr(kind, "train_step", tf.autograph.experimental.do_not_convert(counted))
    ends, seen = {}, {}
    for together, once in ((1, ({1},)), (2, ({1}, {2}))):
        traces |= dict.fromkeys(traces, 0)
        configuration = settings("FESR_JL", f"steps_per_execution={together}")
        model, seen[together] = build(configuration), []
        known = frozen_features(model.face_network, faces(), configuration, False)
        for stage in (model.fesgan, model):
            for _ in range(2):
                start, callback = int(model.fesgan.step.numpy()), Seen(model, seen[together])
                batches = data.batches(faces(), configuration, start, known)
                stage.fit(batches, steps_per_epoch=3, verbose=0, callbacks=[callback])
            assert stage.train_tf_function.experimental_get_tracing_count() == 1
        assert set(traces.values()) in once
        ends[together] = weights(model)
    assert seen == {1: list(range(1, 13)), 2: [2, 3, 5, 6, 8, 9, 11, 12]}
    for name, value in ends[1].items():
        np.testing.assert_array_equal(ends[2][name], value, err_msg=name)


def test_steps_per_execution_must_divide_what_callbacks_wait_for():
    with pytest.raises(BadUse, match=naming("log_every", 20, "steps_per_execution", 3)):
        settings("FESR_JL", "steps_per_execution=3")


def first_losses(*overrides: str) -> dict[str, float]:
    """The losses of the first step as `fit` compiles it."""
    configuration = settings("FESR_JL", *overrides)
    batches = data.batches(faces(), configuration)
    history = build(configuration).fit(batches, steps_per_epoch=1, verbose=0).history
    return {name: values[0] for name, values in history.items() if "/" not in name}


@pytest.mark.slow
def test_xla_computes_the_same_where_nothing_is_drawn():
    """XLA makes other numbers of the same seeds, so what a draw reaches is another's."""
    plain, compiled = (
        first_losses("dropout=0.0", f"jit_compile={xla}") for xla in ("false", "true")
    )
    for name in ("L_cls_D_r", "L_cls_R_r", "L_dist_r"):
        assert compiled[name] == pytest.approx(plain[name], rel=1e-5), name
    assert first_losses("dropout=0.0", "jit_compile=true") == compiled
