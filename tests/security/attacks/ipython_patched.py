"""Replace the method of IPython that runs cells."""

import IPython.core.interactiveshell as i

i.InteractiveShell.run_cell = lambda *a, **k: None
