"""Mistakes of public re-implementations, made in the source one at a time: each is seen.

A mistake is an edit of this project's own files. The edited modules are run instead of the real
ones, and the routing of a real step must differ from the right one in exactly these sentences.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import pytest

import fesr_tf
from tests.support import routing
from tests.support.recorded_step import Unexplained

Edit = tuple[str, str, str]  # module, what stands there once, what stands there instead
ON_FAKES = "losses.classification(draws.target_label, critic(translated)[1])"


def changes(loss: str, verb: str, *, lost: str = "", gained: str = "") -> set[str]:
    """What `differences` says of one loss; names apart by spaces."""
    said = {f"{loss} no longer {verb} {name}" for name in lost.split()}
    return said | {f"{loss} also {verb} {name}" for name in gained.split()}


def detached(*found: str) -> Edit:
    """Module, the text around a tensor, the tensor, the rest: the tensor's gradient is stopped."""
    module, before, tensor, after = found
    return module, before + tensor + after, f"{before}tf.stop_gradient({tensor}){after}"


MISTAKES: dict[str, tuple[list[Edit], list[set[str]]]] = {
    "x_hat detached in the generator's loss": (
        [detached("fesgan", "= self.image_critic(", "translated", ")")],
        [
            changes(loss, verb, lost=lost)
            for loss in ("L_advg_img", "L_cls_D_f")
            for verb, lost in (("moves", "G_enc G_dec"), ("reads", "x g(x) x_hat"))
        ],
    ),
    "x_hat kept off the generator's tape": (
        [
            (
                "fesr",
                "translated = gan.translate(",
                "with tape.stop_recording(): translated = gan.translate(",
            )
        ],
        [changes(loss, "moves", lost="G_enc G_dec") for loss in ("L_advg_img", "L_cls_D_f")],
    ),
    "g(x) detached in x_hat": (
        [detached("fesgan", "return self.decode(", "face_code", ", code)")],
        [
            changes("L_advg_img", "moves", lost="G_enc"),
            changes("L_cls_D_f", "moves", lost="G_enc"),
            changes("L_advg_img", "reads", lost="x g(x)"),
            changes("L_cls_D_f", "reads", lost="x g(x)"),
            changes("L_advd_img", "reads", lost="g(x)"),
            {"penalty reads g(x): ·, not 0"},
        ],
    ),
    "g(x) detached in L_advg^z": (
        [detached("fesgan", "adversarial_code(self.code_critic(", "face_code", "))")],
        [
            changes("L_advg_z", "moves", lost="G_enc"),
            changes("L_advg_z", "reads", lost="x g(x)"),
        ],
    ),
    "x_rec detached in L_id": (
        [detached("fesr", "= self.map_drawn(", "reconstructed", ", synthetic)")],
        [
            changes("L_id", "moves", lost="G_enc G_dec"),
            changes("L_id", "reads", lost="g(x) x_rec"),
        ],
    ),
    "the penalty on x_rec": (
        [
            (
                "fesgan",
                "critic.realness, image, translated,",
                "critic.realness, image, self.reconstruct(self.encode(image), label, draws),",
            )
        ],
        [{"penalty reads x_hat: ·, not 0", "penalty reads x_rec: 0, not ·"}],
    ),
    "the penalty on faces from z": (
        [
            (
                "fesgan",
                "critic.realness, image, translated,",
                "critic.realness, image, self.reconstruct(draws.prior_code, label, draws),",
            )
        ],
        [
            {f"penalty reads {name}: ·, not 0" for name in ("g(x)", "x_hat")},
            {f"penalty reads {name}: 0, not ·" for name in ("z", "x_rec")},
        ],
    ),
    "the class head trained on fakes as well": (
        [
            (
                "fesgan",
                'logs["L_cls_D_r"] = losses.classification(label, logits)',
                f'logs["L_cls_D_r"] = losses.classification(label, logits) + {ON_FAKES}',
            )
        ],
        [changes("L_cls_D_r", "reads", gained="g(x) x_hat")],
    ),
    "the generator's losses move the image critic": (
        [
            (
                "fesgan",
                "return self.encoder.trainable_variables +",
                "return self.image_critic.trainable_variables + self.encoder.trainable_variables +",
            )
        ],
        [
            changes("L_advg_img", "moves", gained="D_img_trunk D_img_adv"),
            changes("L_cls_D_f", "moves", gained="D_img_trunk D_img_cls"),
        ],
    ),
    "the intra-class loss on the frozen trunk's map": (
        [
            (
                "fesr",
                "*compared, squared",
                "*[tf.reduce_mean(each, [1, 2]) for each in maps], squared",
            )
        ],
        [
            {"L_dist_r reaches no weight", "L_dist_rf reaches no weight"},
            changes("L_dist_r", "moves", lost="R_ext"),
            changes("L_dist_rf", "moves", lost="R_ext"),
            changes("L_dist_r", "reads", lost="R_ext(x) R_ext(x^{p,r})"),
            changes("L_dist_rf", "reads", lost="R_ext(x^{p,f})"),
        ],
    ),
    "R moved by the generator's loss": (
        [
            (
                "fesr",
                "gan.update_generator(tape, loss)",
                "gan.update_generator(tape, loss); own = self.recognizer.trained_variables; "
                "minimise(self.recognizer_optimizer, tape, loss, own)",
            )
        ],
        [changes("L_cls_R_f_to_G", "moves", gained="R_ext R_cls")],
    ),
    "the generator moved by R's loss": (
        [
            (
                "fesr",
                "with tape.stop_recording():\n                maps",
                "with tf.name_scope('R'):\n                maps",
            ),
            ("fesr", "terms.values()])  # line 17", "terms.values()]) + logs['L_R']  # line 17"),
        ],
        [
            {
                f"{loss} is a term of L_R and L_G, not of L_R"
                for loss in ("L_dist_r", "L_dist_rf", "L_cls_R_r", "L_cls_R_f")
            },
            changes("L_dist_rf", "moves", gained="G_dec"),
            changes("L_cls_R_f", "moves", gained="G_dec"),
        ],
    ),
    "x^{p,f} detached in the loss that guides the generator": (
        [detached("fesr", "= self.map_drawn(reconstructed, ", "synthetic", ")")],
        [
            changes("L_cls_R_f_to_G", "moves", lost="G_dec"),
            *(
                changes(loss, "reads", lost="z x^{p,f} R_ext(x^{p,f})")
                for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")
            ),
        ],
    ),
    "a second z for x^{p,f}": (
        [
            (
                "fesr",
                "code = draws.prior_code",
                "code = tf.random.uniform(draws.prior_code.shape, -1.0, 1.0)",
            )
        ],
        [changes(loss, "reads", lost="z") for loss in ("L_dist_rf", "L_cls_R_f", "L_cls_R_f_to_G")],
    ),
    "RDBP on the real-real term too": (
        [("losses", "distance(real, positive, squared), ", "distance(guide, positive, squared), ")],
        [changes("L_dist_r", "reads", lost="x R_ext(x)")],
    ),
    "RDBP on the wrong side": (
        [
            (
                "losses",
                "distance(guide, synthetic, squared)",
                "distance(real, tf.stop_gradient(synthetic), squared)",
            )
        ],
        [
            changes("L_dist_rf", "reads", lost="z x^{p,f} R_ext(x^{p,f})"),
            changes("L_dist_rf", "reads", gained="x R_ext(x)"),
        ],
    ),
}
# Those that re-implementations are known for; `make test-all` makes the others as well.
COMMON = (
    "x_hat detached in the generator's loss",
    "g(x) detached in x_hat",
    "the penalty on x_rec",
    "the class head trained on fakes as well",
    "the intra-class loss on the frozen trunk's map",
    "R moved by the generator's loss",
    "the generator moved by R's loss",
)
UNREPORTED: dict[str, Edit] = {
    "the class head trained on fakes by a loss that is not reported": (
        "fesgan",
        'loss += logs["L_cls_D_r"]',
        f'loss += logs["L_cls_D_r"] + {ON_FAKES}',
    ),
    "another function of a loss than a weight": (
        "fesr",
        "config.lambda6 * intra + on_real + on_fake",
        "config.lambda6 * intra + on_real + on_fake + 0.1 * tf.nn.l2_loss(plain[0])",
    ),
}


def edited(monkeypatch, edits: list[Edit]) -> types.ModuleType:
    """`fesr_tf.model.fesr` as it would be with these edits; each must fit in one place exactly."""
    for name in ("losses", "fesgan", "fesr"):
        module = importlib.import_module(f"fesr_tf.{name}")
        source = Path(module.__file__).read_text(encoding="utf-8")
        for _, old, new in (edit for edit in edits if edit[0] == name):
            assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {name}.py"
            source = source.replace(old, new)
        made = types.ModuleType(module.__name__)
        made.__file__ = module.__file__
        monkeypatch.setitem(sys.modules, module.__name__, made)
        monkeypatch.setattr(fesr_tf, name, made)
        exec(compile(source, f"{name}.py, edited", "exec"), made.__dict__)
    return made


def routed(monkeypatch, edits: list[Edit]) -> routing.Routing:
    """The routing of a step of stage 2, which has every loss of stage 1 too."""
    model = routing.build(routing.settings("FESR_JL"), edited(monkeypatch, edits))
    return routing.routing(model, stages=(2,))


@pytest.fixture(scope="module")
def right(measured):
    return {2: measured["FESR_JL"][2]}


def test_the_source_without_an_edit_is_routed_alike(right, monkeypatch):
    assert routing.differences(right, routed(monkeypatch, [])) == []


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(name, marks=() if name in COMMON else pytest.mark.slow, id=name)
        for name in MISTAKES
    ],
)
def test_a_mistake_changes_the_table(right, mistake, monkeypatch):
    edits, said = MISTAKES[mistake]
    assert set(routing.differences(right, routed(monkeypatch, edits))) == set().union(*said)


@pytest.mark.parametrize("mistake", UNREPORTED)
def test_a_gradient_that_the_reported_losses_do_not_explain_is_refused(mistake, monkeypatch):
    with pytest.raises(Unexplained):
        routed(monkeypatch, [UNREPORTED[mistake]])
