"""The served model: its graph, export, warm-up, checks and versions."""
