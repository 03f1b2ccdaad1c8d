"""Pages: a student's feedback, the class report, and the feedback that goes back to an LMS."""
