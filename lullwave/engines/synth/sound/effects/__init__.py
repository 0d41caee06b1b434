"""The effects that process sound after the instruments, block by block.

Every effect is a function of its input, of a small explicit state and of the absolute position in the stream, so that
a renderer can be stopped, stored and continued with the same samples. Arrays are channels first: (C, T).
"""
