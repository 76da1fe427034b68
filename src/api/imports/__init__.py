"""Files that come in: each case of a file is one request to the rules, all or nothing."""
