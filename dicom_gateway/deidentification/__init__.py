"""Takes out of images who they are of, after the Basic Confidentiality Profile of PS3.15 Annex E."""
