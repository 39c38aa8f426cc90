"""How good the drawn faces are: pure functions on numpy arrays, a file for each question.

`fesr_tf.measure` puts them together; docs/guide/synthesis.md says what each figure means.
"""
