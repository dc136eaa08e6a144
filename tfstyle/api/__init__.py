"""The library: what notebooks and programs import.

Images of any kind in, a `Result` that shows and saves itself out; and parts
for research: features, Gram matrices, the objective function. The names are
exported by `tfstyle`.
"""
