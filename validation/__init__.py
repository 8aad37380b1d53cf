"""Measuring models: labelled data sets, figures with honest intervals, reports."""
