"""The studio: a web page to choose, paint, compare and download pictures."""
