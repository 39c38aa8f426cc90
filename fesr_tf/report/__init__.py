"""The results report: `sources` reads, `sections` write, `book` keeps every figure shown."""
