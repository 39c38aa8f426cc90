"""The one reader of finished runs and cross-validations."""
