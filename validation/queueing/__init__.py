"""How long studies wait to be read, with and without an AI that sorts them: by exact formulas, else by events."""
