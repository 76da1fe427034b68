"""Everything that can be asked of a case, a chapter a file."""
