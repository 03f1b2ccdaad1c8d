"""From an archive or a folder to a `Submission`: reading a notebook safely, repairing it, collecting from an LMS."""
