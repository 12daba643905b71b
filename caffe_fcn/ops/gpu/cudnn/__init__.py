"""Convolutions by cuDNN: what to compute (`request`), plans (`graph`), which one to take (`plans`), running it."""
