"""Loads Apache Beam without its warning, at every start, of cloud libraries nobody asked for.

To be imported before anything that imports Beam; logging is as it was afterwards.
"""

import logging

_before = logging.root.manager.disable
logging.disable(logging.WARNING)
import apache_beam  # noqa: E402, F401

logging.disable(_before)
