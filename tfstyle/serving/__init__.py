"""The feature extractor as a SavedModel."""
