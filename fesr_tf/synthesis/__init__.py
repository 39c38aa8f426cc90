"""Generates images, lays them out as sheets and measures their quality."""
