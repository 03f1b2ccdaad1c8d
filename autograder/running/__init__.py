"""From a `Submission` to a `Run`: sandbox, system-call filter, watch, frames, passes, engine, store."""
