"""Options as text: the command line, flagfiles, presets.

flags.py of absl parses; what stands before and after it is here.
"""
