"""What instructors run: sandbox, verdicts, repair, reports. Never shipped to students."""
