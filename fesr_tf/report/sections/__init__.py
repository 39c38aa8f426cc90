"""The sections of the page: each reads `Material` and returns the data of its template."""

from fesr_tf.report.sections import (
    card,
    classes,
    curves,
    data,
    groups,
    images,
    method,
    paper,
    results,
    synthesis,
    timings,
)

# {name: (title, data)} in the order of the page; templates/NAME.html has the text.
ALL = {
    "results": ("Accuracy", results.section),
    "classes": ("Classes and confusion", classes.section),
    "paper": ("Comparison with the paper", paper.section),
    "synthesis": ("Generated faces", synthesis.section),
    "pictures": ("Images", images.section),
    "curves": ("Training curves", curves.section),
    "groups": ("Error rates by group", groups.section),
    "data": ("Data", data.section),
    "method": ("Method", method.section),
    "timings": ("Timings and machine", timings.section),
    "card": ("Model card", card.section),
    "making": ("How this page was made", card.making),
}
