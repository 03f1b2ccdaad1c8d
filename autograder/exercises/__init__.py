"""The hidden verdict of each exercise; beside it the right and wrong answers (mutants) that test the grader itself."""
