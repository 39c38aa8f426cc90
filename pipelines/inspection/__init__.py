"""What a person reads of a preprocessed folder, and every check of it."""
