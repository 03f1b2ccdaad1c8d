"""From a `Run` to a `Grade`: unpack the evidence and judge it."""
