"""Put a file numpy.py beside the notebook and import it."""

open("numpy.py", "w").write("raise SystemExit")
import sys

sys.modules.pop("numpy")
import numpy
