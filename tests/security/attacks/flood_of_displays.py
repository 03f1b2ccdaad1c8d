"""Display 20,000 objects."""
# takes: long

from IPython.display import display

for i in range(20000):
    display(i)
