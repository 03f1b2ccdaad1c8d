"""Too much code."""

import json

data = json.dumps({"cells": [{"cell_type": "code", "source": "# GRADED: lab4.cfg_drift\n" + "#" * 2**22}]}).encode()
