"""Weights of the face networks: fetched, converted or trained."""
