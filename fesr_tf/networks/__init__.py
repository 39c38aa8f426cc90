"""The networks of Tables I and II, one a file, and the frozen face networks."""
