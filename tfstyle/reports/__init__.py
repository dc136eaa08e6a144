"""Reporting: metrics, intermediate pictures, progress, films and reports."""
