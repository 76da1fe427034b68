"""The command line, one noun a file. Each command loads what is slow to load when it runs."""
