"""The processes of a run: who is there, who is gone, and work in the background."""
