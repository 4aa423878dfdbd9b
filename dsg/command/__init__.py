"""The command line: its parser, its configurations and how it ends."""
