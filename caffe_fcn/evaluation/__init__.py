"""Scores of predictions: segmentation, edges, pose, depth; `caffe-fcn score` runs them (docs/scores.md)."""
