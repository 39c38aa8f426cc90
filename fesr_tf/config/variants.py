"""Names of the variants that the paper compares."""

from __future__ import annotations

# The rows of Fig. 8, in its order; the first is the baseline.
FIG_8 = ("BASELINE", "FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL")
