"""Options as text: command line, flagfiles and presets.

Parsing is done by absl's flags; this package expands files before it and
builds the config after it.
"""
