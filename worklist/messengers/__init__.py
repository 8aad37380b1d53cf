"""The ways on which people are told of what cannot wait."""
