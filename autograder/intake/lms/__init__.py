"""The archive layout of each LMS, one file for each LMS."""
