"""Fork in the cell of an answer, so that two processes go on and both send evidence."""
# place: answer

import os

os.fork()
