"""The parts of Caffe's Python interface beside the engine."""
