"""`python -m tests.support.routing`: which loss moves which network, measured on real steps.

Prints, as docs/method/method.md holds them, the routing of FESR_JL, what each loss reads, and in
what the routing of every variant differs. Small networks of Tables I and II unless `--full`.
"""

from __future__ import annotations

import fesr_tf  # noqa: F401  (before TensorFlow: it chooses Keras 2)

# isort: split
import tensorflow as tf
import yaml

from fesr_tf import config, train
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import load_face_network
from tests.support.recorded_step import FLOWS, PART, READ, Row, networks, record

CLASSES = 7
# A recording knows a picture by its tensor, which a shared pass joins with others.
PAPER = "batch_size=3", "passes=separate"
SMALL = *PAPER, "image_size=32", "width=0.0625", "identity=light_cnn_demo"
VARIANTS = (
    *("FESR_JL", "BASELINE", "FESR_SL", "FESR_OneSt", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_Real"),
    *("FG", "FG-CO", "FG-IP", "FG-Dimg", "FG-Dimg_cls", "FG-Dz"),
)

Routing = dict[int, dict[str, Row]]
"""Stage (1, 2) -> loss -> row. A stage that a variant does not have is absent."""


def settings(variant: str, full: bool = False) -> config.Config:
    """The variant with the paper's weights; small, or at the paper's size with 3 images."""
    return config.resolve("ckplus", variant, PAPER if full else SMALL)


def build(configuration: config.Config, module: object = fesr) -> fesr.FESR:
    """The model. Light CNN-29, whose weights do not ship, takes random ones: this is about where
    gradients go, not about faces."""
    name = configuration.identity
    network = load_face_network(name, random_seed=0 if name == "light_cnn_29" else None)
    return module.build(configuration, CLASSES, network)


def batch(configuration: config.Config) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(image, positive, label): noise serves as well as faces."""
    size, count = configuration.image_size, configuration.batch_size
    shape = (2, count, size, size, configuration.channels)
    images = tf.random.stateless_uniform(shape, (0, 1), -1.0, 1.0)
    return images[0], images[1], tf.range(count, dtype=tf.int32) % CLASSES


def routing(model: fesr.FESR, stages: tuple[int, ...] = (1, 2)) -> Routing:
    """The routing of one step of each of the model's stages, one after the other."""
    own = [{"FESGAN": 1, "FESR": 2}[name] for name, _ in train.stages(model.config)]
    return {
        stage: record(model, stage, batch(model.config)).rows(networks(model))
        for stage in own
        if stage in stages
    }


def differences(base: Routing, other: Routing) -> list[str]:
    """In what `other` differs from `base`, in short sentences."""
    said = [f"no stage {stage}" for stage in sorted(base.keys() - other.keys())]
    for stage in sorted(base.keys() & other.keys()):
        here, there = base[stage], other[stage]
        kept = [loss for loss in here if loss in there]
        if len(kept) < len(here) / 4:
            said.append(f"only {', '.join(kept)}")
        else:
            said += [f"no {loss}" for loss in here if loss not in there]
        said += [f"also {loss}" for loss in there if loss not in here]
        for loss in kept:
            said += [f"{loss} {change}" for change in _changes(here[loss], there[loss])]
    return list(dict.fromkeys(said))


def _changes(before: Row, after: Row) -> list[str]:
    said = []
    if after.weight is None and before.weight is not None:
        said.append("reaches no weight")
    elif before.weight != after.weight:
        said.append(f"has weight {after.weight:g}, not {before.weight:g}")
    if after.update and before.update != after.update:
        said.append(f"is a term of {after.update}, not of {before.update}")
    for verb, old, new in (
        ("moves", before.moves, after.moves),
        ("reads", before.reads, after.reads),
    ):
        for name in (n for n in old if old[n] != new[n]):
            if new[name] == FLOWS:
                said.append(f"also {verb} {name}")
            elif old[name] == FLOWS and new[name] != PART:
                said.append(f"no longer {verb} {name}")
            else:
                said.append(f"{verb} {name}: {new[name]}, not {old[name]}")
    return said


def routing_table(found: Routing) -> str:
    """Losses x networks, in Markdown."""
    rows = found[2]
    names = list(next(iter(rows.values())).moves)
    body = []
    for loss, row in rows.items():
        stages = ", ".join(str(stage) for stage in found if loss in found[stage])
        cells = [row.moves[name] for name in names]
        weight = "·" if row.weight is None else f"{row.weight:g}"
        body.append([f"`{loss}`", stages, f"`{row.update}`", weight, *cells])
    return _markdown(["loss", "stage", "in", "weight", *names], body)


def reads_table(found: Routing) -> str:
    """Losses x pictures, codes and features, in Markdown."""
    body = [[f"`{loss}`", *row.reads.values()] for loss, row in found[2].items()]
    return _markdown(["loss", *(f"`{name}`" for name in READ)], body)


def variants_table(found: dict[str, Routing]) -> str:
    """Variants, what their files override and how their routing differs, in Markdown."""
    body = []
    for name, each in found.items():
        text = (config.config_folder() / "variants" / f"{name}.yaml").read_text(encoding="utf-8")
        overrides = "; ".join(f"`{k}: {_yaml(v)}`" for k, v in yaml.safe_load(text).items())
        told = "; ".join(differences(found["FESR_JL"], each))
        body.append([name, overrides or "none", told or "nothing: the whole method"])
    return _markdown(["variant", "overrides", "measured: against FESR_JL"], body)


def measure(full: bool = False) -> dict[str, Routing]:
    """The routing of every variant."""
    return {name: routing(build(settings(name, full))) for name in VARIANTS}


def page(found: dict[str, Routing]) -> str:
    """The three tables, in Markdown."""
    whole = found["FESR_JL"]
    return "\n\n".join([routing_table(whole), reads_table(whole), variants_table(found)])


def _yaml(value: object) -> str:
    return yaml.safe_dump(value).removesuffix("\n").removesuffix("\n...")


def _markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
