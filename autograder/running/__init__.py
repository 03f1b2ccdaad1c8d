"""From a `Submission` to a `Run`: sandbox, passes over the cells, workers and store."""
