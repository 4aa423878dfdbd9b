"""How the networks that ship with the library were trained and evaluated."""
