"""The run folder: rows, settings, the lock, and files that are whole or not there."""
