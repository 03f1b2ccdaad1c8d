"""The figures and tables of the labs, one module a lab. A function takes the student's answers as arguments."""
