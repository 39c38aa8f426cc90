"""Commands that print measured values with date, commit and host. Nothing imports them.

They are run from a checkout (`python -m benchmarks.serving`): the engines that tests also use
are in `tests/support/`.
"""
