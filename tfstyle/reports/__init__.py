"""Records of a run for people: metrics, pictures, films, reports."""
