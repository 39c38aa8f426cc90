"""Tables I and II, one file a network, and the frozen face networks."""
