"""The objects in which findings go back: to PACS, RIS and EHR, each in its own standard's form."""
