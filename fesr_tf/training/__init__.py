"""Training a run: the loop over both stages, its guards and its monitoring."""
