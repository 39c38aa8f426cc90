"""From a folder of labelled faces to a report and a model."""
