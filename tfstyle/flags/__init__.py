"""Options as text: command line, flagfiles and presets.

absl parses the flags; this package defines them, and the parsers of their
texts. A flag that names a flagfile, preset or picture parses the flags in it.
"""
