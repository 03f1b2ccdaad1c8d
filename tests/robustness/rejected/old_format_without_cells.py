"""Old format without cells."""

import json

from tests.intake.damages import V3

data = json.dumps(V3).encode()
