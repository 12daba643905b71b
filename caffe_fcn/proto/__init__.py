"""Caffe's messages: the schema, the reader of their text form and the upgrades of old files."""
