"""The score model of the portrait world: its network, how it was trained and how good it is."""
