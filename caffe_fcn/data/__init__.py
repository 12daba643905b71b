"""Feeding nets: reading records, transforming images, making batches ahead of time."""
