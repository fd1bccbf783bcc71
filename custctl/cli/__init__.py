"""The command line: options, commands, and what ends a process."""
