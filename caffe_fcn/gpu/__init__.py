"""The NVIDIA GPU: finding it, its memory, graphs of its work."""
