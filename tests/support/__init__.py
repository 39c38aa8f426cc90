"""Engines that tests and benchmarks share. They are run from a checkout, like the tests."""
