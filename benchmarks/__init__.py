"""How fast the engine is, and what size and company cost: `make bench`."""
