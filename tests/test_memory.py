"""How much memory is free."""

import pytest

from caffe_fcn.memory import _container_bytes


@pytest.mark.parametrize(("limit", "free"), [("1000", 450), ("700", 150), ("400", 0), ("max", None)])
def test_a_container_counts_cached_files_as_free(tmp_path, limit, free):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\nactive_file 50\n")
    assert _container_bytes(str(tmp_path)) == free


def test_no_container(tmp_path):
    assert _container_bytes(str(tmp_path)) is None
