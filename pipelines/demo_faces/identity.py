"""Identities: all attributes of a person, sampled from one random stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.demo_faces import palette
from pipelines.demo_faces.action_units import ACTION_UNITS
from pipelines.demo_faces.head import Head, Morphs
from pipelines.demo_faces.neutral import relax

OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
"""Endings of two targets that undo each other: one signed parameter drives both."""

SPREAD = {
    "head": 0.13,
    "nose": 0.20,
    "eyes": 0.16,
    "mouth": 0.18,
    "chin": 0.20,
    "cheek": 0.26,
    "eyebrows": 0.12,
    "forehead": 0.16,
    "ears": 0.18,
}
"""Standard deviation of the local parameters, by region; samples stay within two of them."""

LEFT_OUT = (
    "head-trans", "head-age", "head-angle", "head-back", "mouth-trans-in", "mouth-angles",
    "mouth-dimples", "laugh-lines", "nose-trans-in", "eye-push", "push1", "push2", "epicanthus",
    "chin-jaw-drop",
)  # fmt: skip
"""Targets that move the whole head, overlap age, or look like an expression."""

ETHNICITIES = ("caucasian", "asian", "african")
TONE_OF_ETHNICITY = (0.6, 1.6, 4.2)


@dataclass(frozen=True)
class Identity:
    """A person. Colours are linear RGB; lengths in the head's unit."""

    sex: str  # "F" or "M"
    age: float  # 0 about 20 years old … 1 about 70
    skin_tone: float  # 0 lightest … 5 darkest
    shape: dict[str, float]  # morph weights of the neutral face
    skin: np.ndarray
    mottling: float
    redness: float
    lip_colour: np.ndarray
    lip_strength: float
    iris: np.ndarray
    hair: np.ndarray
    hair_volume: float
    hair_length: float  # 0 ends at the ears … 1 reaches the shoulders; below 0: none hangs
    hairline: float  # height of the hairline above the brow's middle
    temple: float  # how far it recedes at the temples
    parting: float
    bald: bool
    brow: np.ndarray
    brow_thickness: float
    brow_arch: float
    brow_density: float
    brow_gap: float
    beard: float  # 0 none … 0.8 full
    moustache: bool
    wrinkling: float
    clothes: np.ndarray
    grain_origin: tuple[int, int]  # where the skin's noise starts
    expressiveness: float  # gain of every movement
    habit: dict[int, float]  # gain by action unit
    lean: dict[int, float]  # in [-0.25, 0.25]: above 0 the left side moves more


def sample_identity(head: Head, random: np.random.Generator) -> Identity:
    """A new person; the same stream gives the same one."""
    female = bool(random.random() < 0.5)
    age = float(random.beta(1.1, 1.6))
    mix = random.dirichlet([0.35] * len(ETHNICITIES))
    shape = _macro_shape(female, age, mix, random) | _local_shape(head.morphs, random)
    shape = relax(head, shape, random)
    tone = float(np.clip(mix @ TONE_OF_ETHNICITY + random.normal(0, 0.6), 0, 4.99))
    skin = palette.skin(tone) * random.uniform(0.94, 1.06, 3)
    european = mix[0] >= 0.5
    hair = _hair_colour(age, european, random)
    bald = bool(not female and random.random() < 0.2)
    beards = random.choice([0, 0.12, 0.25, 0.55, 0.8], p=[0.40, 0.25, 0.15, 0.12, 0.08])
    return Identity(
        sex="F" if female else "M",
        age=age,
        skin_tone=tone,
        shape=shape,
        skin=skin,
        mottling=random.uniform(0.01, 0.035),
        redness=random.uniform(0.3, 1.0),
        lip_colour=palette.linear(palette.LIPS) * random.uniform(0.85, 1.15, 3),
        lip_strength=random.uniform(0.35, 0.85) if female else random.uniform(0.15, 0.4),
        iris=palette.linear(palette.IRIS[random.integers(5 if european else 2)]),
        hair=hair,
        hair_volume=0.0 if bald else random.uniform(0.12, 0.24 if female else 0.16),
        hair_length=random.uniform(0, 1) if female and random.random() < 0.7 else -1.0,
        hairline=random.uniform(0.46, 0.62) + (0.0 if female else 0.05),
        temple=random.uniform(0.25, 0.6),
        parting=random.uniform(-0.3, 0.3),
        bald=bald,
        brow=hair * 0.4 + palette.linear(palette.NATURAL_HAIR[1]) * 0.6,
        brow_thickness=random.uniform(0.034, 0.046) if female else random.uniform(0.042, 0.06),
        brow_arch=random.uniform(0.0, 0.03) + (0.012 if female else 0.0),
        brow_density=random.uniform(0.75, 0.95),
        brow_gap=random.uniform(0.10, 0.15),
        beard=0.0 if female else float(beards),
        moustache=bool(random.random() < 0.6),
        wrinkling=0.25 + 0.9 * age + (0.0 if female else 0.15),
        clothes=_clothes(skin, random),
        grain_origin=(int(random.integers(256)), int(random.integers(256))),
        expressiveness=float(np.clip(random.normal(0.95, 0.12), 0.65, 1.15)),
        habit={unit: float(np.exp(random.normal(0, 0.22))) for unit in ACTION_UNITS},
        lean={unit: float(np.clip(random.normal(0, 0.10), -0.25, 0.25)) for unit in ACTION_UNITS},
    )


def _macro_shape(
    female: bool, age: float, mix: np.ndarray, random: np.random.Generator
) -> dict[str, float]:
    """Sex, age, ancestry, weight and muscle: weights of the whole-head targets."""
    femininity = float(np.clip(random.normal(0.92, 0.08), 0.7, 1))
    femininity = femininity if female else 1 - femininity
    fat, muscle = random.normal(0, 0.5), random.normal(0, 0.4)
    shape = {}
    for sex, of_sex in (("female", femininity), ("male", 1 - femininity)):
        for stage, of_stage in (("young", 1 - age), ("old", age)):
            share = of_sex * of_stage
            for ethnicity, of_ethnicity in zip(ETHNICITIES, mix, strict=True):
                shape[f"macro/{ethnicity}-{sex}-{stage}"] = share * float(of_ethnicity)
            if of_sex > 0.5:
                body = f"macro/universal-{sex}-{stage}-"
                end = "max" if fat > 0 else "min"
                shape[f"{body}averagemuscle-{end}weight"] = share * min(abs(fat), 1)
                end = "max" if muscle > 0 else "min"
                shape[f"{body}{end}muscle-averageweight"] = share * min(abs(muscle), 1)
    return shape


def _local_shape(morphs: Morphs, random: np.random.Generator) -> dict[str, float]:
    """Some 150 signed parameters of single features, alike on both sides but for a little."""
    shape: dict[str, float] = {}
    shared: dict[str, float] = {}
    for minus, plus in _opposite_targets(morphs):
        region, feature = minus.split("/")
        sided = feature[:2] in ("l-", "r-")
        feature = feature[2:] if sided else feature
        if feature not in shared:
            spread = SPREAD[region]
            shared[feature] = float(np.clip(random.normal(0, spread), -2 * spread, 2 * spread))
        value = shared[feature] + (random.normal(0, 0.03) if sided else 0)
        shape[plus if value > 0 else minus] = abs(value)
    outlines = [name for name in morphs.names("head") if name.count("-") == 1]
    shape[outlines[random.integers(len(outlines))]] = random.uniform(0, 0.7)
    for name in morphs.names("asym"):
        happens, strength = random.random() < 0.12, abs(random.normal(0, 0.15))
        if happens:
            shape[name] = strength
    return shape


def _opposite_targets(morphs: Morphs) -> list[tuple[str, str]]:
    """Pairs of local targets that undo each other, in the pack's order."""
    pairs = []
    for name in morphs.names(*SPREAD):
        for minus, plus in OPPOSITES:
            partner = name.removesuffix("-" + minus) + "-" + plus
            if name.endswith("-" + minus) and partner in morphs:
                pairs.append((name, partner))
    return [pair for pair in pairs if not any(part in pair[0] for part in LEFT_OUT)]


def _hair_colour(age: float, european: bool, random: np.random.Generator) -> np.ndarray:
    natural = palette.NATURAL_HAIR[random.integers(5 if european else 3)]
    greyness = float(np.clip((age - 0.55) / 0.3 + random.normal(0, 0.3), 0, 1))
    return palette.linear(natural * (1 - greyness) + palette.GREY_HAIR * greyness)


def _clothes(skin: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A cloth colour whose lightness differs from the skin's, so that a grey image shows it."""
    colours = palette.linear(palette.CLOTHES) * random.uniform(0.85, 1.15, (1, 3))
    contrast = np.abs(np.log(colours.mean(1) / skin.mean()))
    return colours[random.choice(np.nonzero(contrast > 0.35)[0])]
