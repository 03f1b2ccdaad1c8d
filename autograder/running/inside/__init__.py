"""The only files of the grader that exist inside the sandbox."""
