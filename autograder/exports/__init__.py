"""What leaves the course: grades for a spreadsheet or an LMS, feedback in a zip, and the grader that runs at Gradescope."""
