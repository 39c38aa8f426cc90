"""Fetches, converts or trains the weights of the face networks."""
