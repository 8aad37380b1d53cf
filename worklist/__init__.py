"""The live list: a web application that shows who is due first, to people and to programs."""
