"""The page in the browser: choose, paint, compare, keep."""
