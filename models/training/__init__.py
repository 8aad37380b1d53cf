"""Recipes that train, export and document the shipped models; needs the extra `acuity[train]`."""
