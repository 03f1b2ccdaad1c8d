"""What leaves the course: grades for an LMS, feedback in a zip, and the grader that runs at Gradescope."""
