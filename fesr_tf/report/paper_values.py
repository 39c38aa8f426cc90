"""The paper's results as printed: for comparison, never a target of tuning.

Fig. 8 has no table. Its numbers stand above its bars, and were assigned to them by the order of the
legend and by the text (FESR_Real is 1.75 and 1.3 points below FESR_JL-IL on Oulu-CASIA and MMI). It
gives FESR_JL-IL 97.48 on CK+ where Table V gives 97.18; both are kept. Of other methods Table V is
represented by those that the paper's text ranks first, Tables III, IV, VI and VII by the best.
"""

from __future__ import annotations

from typing import NamedTuple

DATABASES = {
    "ckplus": "CK+",
    "oulu_casia": "Oulu-CASIA",
    "mmi": "MMI",
    "multi_pie": "Multi-PIE",
    "tfd": "TFD",
}
YAWS = (-30, -15, 0, 15, 30)
THREE = ("ckplus", "oulu_casia", "mmi")


class Printed(NamedTuple):
    """One number of the paper. place: its table or figure. database: a key of `DATABASES`.
    method: a variant's name here, or another method's. quantity: PSNR (dB), SSIM, accuracy or
    verification rate (%). yaw: degrees of Multi-PIE's poses, None for the average and for other
    databases."""

    place: str
    database: str
    method: str
    quantity: str
    value: float
    yaw: int | None = None

    @property
    def unit(self) -> str:
        return {"PSNR": "dB", "SSIM": ""}.get(self.quantity, "%")


def _over(place: str, quantity: str, rows: dict[str, tuple[float | None, ...]]) -> list[Printed]:
    """Rows of values on CK+, Oulu-CASIA and MMI; None for a dash in the paper."""
    return [
        Printed(place, database, method, quantity, value)
        for method, values in rows.items()
        for database, value in zip(THREE, values, strict=True)
        if value is not None
    ]


_TABLE_III = {
    "ExprGAN": ((19.654, 0.575), (19.982, 0.648), (21.012, 0.565)),
    "G2-GAN": ((24.420, 0.767), (26.588, 0.914), (None, None)),
    "FESGAN": ((21.380, 0.698), (22.079, 0.754), (24.676, 0.761)),
}
_TABLE_IV = {"FG-IP": (55.15, 55.62, 60.95), "FG": (93.33, 99.41, 99.41)}
_TABLE_V = {
    "DeRL": (97.30, 88.00, 73.23),
    "PHRNN-MSCNN": (98.50, 86.25, 81.18),
    "BASELINE": (95.63, 82.92, 79.88),
    "FESR_SL": (96.82, 84.17, 81.66),
    "FESR_JL-IL": (97.18, 85.21, 82.80),
    "FESR_JL": (99.34, 88.13, 84.81),
}
_FIG_8 = {
    "BASELINE": (95.63, 82.92, 79.88),
    "FESR_OneSt": (96.49, 83.75, 81.66),
    "FESR_SL": (96.82, 84.17, 81.66),
    "FESR_JL-IL": (97.48, 85.21, 82.80),
    "FESR_JL-RDBP": (98.33, 86.32, 83.21),
    "FESR_JL": (99.34, 88.13, 84.81),
    "FESR_Real": (97.48, 83.46, 81.50),
}
# -30 to 30 degrees, then the average.
_TABLE_VI = {
    "DS-GPLVM": (93.55, 96.96, 82.42, 89.97, 90.11, 90.60),
    "BASELINE": (89.75, 90.12, 83.01, 88.97, 88.10, 87.99),
    "FESR_JL": (92.28, 94.23, 86.94, 92.29, 94.71, 92.09),
}
_TABLE_VII = {"FN2EN": 88.90, "BASELINE": 85.45, "FESR_JL": 90.12}

PRINTED: tuple[Printed, ...] = (
    *_over("Table III", "PSNR", {m: tuple(v[0] for v in row) for m, row in _TABLE_III.items()}),
    *_over("Table III", "SSIM", {m: tuple(v[1] for v in row) for m, row in _TABLE_III.items()}),
    *_over("Table IV", "verification rate", _TABLE_IV),
    *_over("Table V", "accuracy", _TABLE_V),
    *(
        Printed("Table VI", "multi_pie", method, "accuracy", value, yaw)
        for method, values in _TABLE_VI.items()
        for yaw, value in zip((*YAWS, None), values, strict=True)
    ),
    *(Printed("Table VII", "tfd", m, "accuracy", value) for m, value in _TABLE_VII.items()),
    *_over("Fig. 8", "accuracy", _FIG_8),
)


def of(place: str) -> list[Printed]:
    """The numbers of one table or figure, in its order."""
    return [printed for printed in PRINTED if printed.place == place]
