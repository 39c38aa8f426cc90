"""Pure functions on arrays: classification, comparison of variants, face verification."""
