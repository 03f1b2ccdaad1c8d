"""Display objects that are not valid outputs."""
# expect: own test

import datetime

from IPython.display import display

display({"text/plain": object(), 5: ["a"]}, raw=True, metadata={"d": datetime.date.today()})
