"""Serving: exports the feature extractor as a SavedModel."""
