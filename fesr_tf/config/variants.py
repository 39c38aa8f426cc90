"""Names of the variants that the paper compares."""

from __future__ import annotations

# In the order of Fig. 8's legend; the first is the baseline.
FIG_8 = ("BASELINE", "FESR_OneSt", "FESR_SL", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL", "FESR_Real")
