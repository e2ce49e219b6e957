"""Collection of the oracle's tests: the Bochs package exists for Python 3.11 on Linux only.

Elsewhere this folder holds no tests at all. On Python 3.11 on Linux nothing is left out: a missing package fails there.
"""

import sys

if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
    collect_ignore_glob = ["*"]
