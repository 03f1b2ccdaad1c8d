"""Too many cells."""

import json

data = json.dumps({"cells": [{"cell_type": "code", "source": ""}] * 5000}).encode()
