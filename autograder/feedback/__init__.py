"""Pages: a student's feedback, the class report, and what goes back to an LMS."""
