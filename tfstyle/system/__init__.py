"""Operating system and hardware: atomic files, locks, signals, memory, GPUs.

Independent of pictures.
"""
