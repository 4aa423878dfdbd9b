"""The frozen networks that a loss asks."""
