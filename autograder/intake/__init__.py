"""From an archive or a folder to a `Submission`: read a notebook safely, repair it, collect from an LMS."""
