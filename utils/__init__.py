"""What the notebooks import. One concept a file, small enough to read in one sitting; holds no graded answer."""
