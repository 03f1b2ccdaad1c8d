"""From a `Run` to a `Grade`: unpack the evidence, and call the verdict of each exercise, which decides its points."""
