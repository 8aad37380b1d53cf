"""One module per revision of the schema, in order of their numbers."""
