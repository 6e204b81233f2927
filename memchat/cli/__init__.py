"""The command line: one file per command group, results first, printing last."""
