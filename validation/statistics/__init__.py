"""Statistics of validation: pure functions that name their source, and the documents that the commands print."""
