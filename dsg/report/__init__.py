"""One page about one or more run folders: what came out, how sure that is, how it looks, and what made it."""
