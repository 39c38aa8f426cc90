"""Quality of the generated images: one file for each question.

`fesr_tf.measure` runs all of them; docs/guide/synthesis.md explains each value.
"""
