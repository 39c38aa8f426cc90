"""`python -m fesr_tf COMMAND`, which is `fesr COMMAND`."""

import sys

from fesr_tf.cli import main

sys.exit(main())
