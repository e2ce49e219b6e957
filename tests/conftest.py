"""What the tests keep, they keep in a folder that goes with them: never in the folder of who runs them."""

import os
import tempfile

_FOLDER = tempfile.TemporaryDirectory(prefix="idtviz-tests-")  # lives as long as the process
os.environ["IDTVIZ_DATA"] = _FOLDER.name
