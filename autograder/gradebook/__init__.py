"""nbgrader: its preprocessors, the gradebook, manual grades, and exports of grades."""
