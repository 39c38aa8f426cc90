"""The preprocessed folder: records, folds, manifest, schema, statistics and anomalies."""
