"""Layer types of well-known forks of Caffe, one file for each."""
