"""The page's sections, in its order: each turns `Material` into a `html.Section`."""

from fesr_tf.report.sections import (
    card,
    classes,
    curves,
    data,
    groups,
    making,
    method,
    paper,
    pictures,
    results,
    synthesis,
    timings,
)

ALL = (
    results.section,
    classes.section,
    paper.section,
    synthesis.section,
    pictures.section,
    curves.section,
    groups.section,
    data.section,
    method.section,
    timings.section,
    card.section,
    making.section,
)
