# The names come from caffe.desc at run time; to a type checker every one of them is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
