"""File formats, one module each: weights, solver states, databases, images."""
