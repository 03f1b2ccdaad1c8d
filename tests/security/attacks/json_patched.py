"""Make the serialisation of JSON return an empty object."""

import json

json.dumps = lambda *a, **k: "{}"
