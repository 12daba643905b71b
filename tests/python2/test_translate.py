"""Translation of single constructs, what is left alone, and errors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_fcn.cli.main import main
from caffe_fcn.errors import FormatError
from caffe_fcn.python2 import run_script, translate


def run(source: str, old: bool | None = None) -> dict:
    names: dict = {"__name__": "test"}
    exec(translate(source.encode(), "test.py", old).code, names)
    return names


OLD = [
    ("x = 7 / 2; print x", "x", 3),
    ("x = -7 / 2; print x", "x", -4),
    ("x = 7 / 2.; print x", "x", 3.5),
    ("from __future__ import division\nx = 7 / 2; print x", "x", 3.5),
    ("'''doc'''\nfrom __future__ import print_function\nx = 7 / 2; y = 0777", "x", 3),
    ("x = 7\nx /= 2; print x", "x", 3),
    ("x = [7]\nx[0] /= 2; print x", "x", [3]),
    ("import numpy as np\nx = (np.arange(3) / 2).tolist(); print x", "x", [0, 0, 1]),
    ("import numpy as np\nx = np.ones(2)\ny = x\nx /= 4; print x; x = y.tolist()", "x", [0.25, 0.25]),
    ("import numpy as np\nx = np.zeros(2, np.int).dtype == np.dtype(int); print x", "x", True),
    ("x = sum(i for i in xrange(4))", "x", 6),
    ("x = {1: 2}.has_key(1)", "x", True),
    ("x = sorted({1: 2}.iteritems())", "x", [(1, 2)]),
    ("x = map(str, [1, 2])[0]; print x", "x", "1"),
    ("x = {1: 2}.keys()[0]; print x", "x", 1),
    ("x = 0777 + 0xffL", "x", 511 + 255),
    ("x = `3` + u'a'", "x", "3a"),
    ("x = 1 <> 2", "x", True),
    ("try:\n    raise ValueError, 'no'\nexcept ValueError, e:\n    x = str(e)", "x", "no"),
    ("def f((a, b)): return a + b\nx = f((1, 2))", "x", 3),
    ("exec 'x = 5'", "x", 5),
    ("if 1:\n\tx = 1\n        y = 2\nprint x", "y", 2),
    ("import cPickle\nx = cPickle.loads(cPickle.dumps(3))", "x", 3),
    ("x = isinstance(u'a', basestring)", "x", True),
    ("x = repr([round(2.5), round(-0.5), round(2.675, 2), round(1250, -2), round(1e300), round(0.49999999999999994)])\n"
     "print x", "x", "[3.0, -1.0, 2.67, 1300.0, 1e+300, 0.0]"),
    ("from __future__ import division\nx = round(2.5) + 1 / 2; print x", "x", 3.5),
    ("from numpy import *\nx = round(2.5); print x", "x", 2.0),
]


@pytest.mark.parametrize(("source", "name", "value"), OLD)
def test_old_source(source: str, name: str, value: object) -> None:
    assert run(source)[name] == value


DISGUISED = [
    "print >>out, 7 / 2", "print >>out, (7 / 2),; print >>out", "print >>out, ('%d') % (7 / 2)",
    "stdout = sys.stdout; sys.stdout = out; print ('%d') % (7 / 2); sys.stdout = stdout",
    "stdout = sys.stdout; sys.stdout = out; print (7 / 2), ''; sys.stdout = stdout",
    "stdout = sys.stdout; sys.stdout = out; print; print (7 / 2).bit_length() + 1; sys.stdout = stdout",
]


@pytest.mark.parametrize("source", DISGUISED)
def test_print_statements_that_python_3_takes_for_expressions(source: str) -> None:
    assert run(f"import io, sys\nout = io.StringIO()\n{source}")["out"].getvalue().split() == ["3"]


def test_imports_within_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old_pack").mkdir()
    Path("old_pack/__init__.py").write_text("import beside\nfrom below import deep\n")
    Path("old_pack/beside.py").write_text("import sys, script_helper\nprint 'beside', 7 / 2\n")
    Path("old_pack/below").mkdir()
    Path("old_pack/below/__init__.py").write_text("")
    Path("old_pack/below/deep.py").write_text("def f(): return 1\n")
    Path("script_helper.py").write_text("print 'helper'\n")
    Path("__init__.py").write_text("")
    Path("script.py").write_text("import script_helper, old_pack\nprint old_pack.deep.f()\n")
    run_script("script.py")
    assert capsys.readouterr().out.split() == ["helper", "beside", "3", "1"]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("old_pack", "script_helper")]:
        del sys.modules[name]


NEW = ["x = 7 / 2", "x = 3.5\nif 0: print(1), print(2)", "x = 3.5\nif 0: print('%d' % 3)",
       "from __future__ import print_function\nx = 7 / 2\nprint",
       "print('a', file=None) if 0 else 0\nx = 7 / 2", "xrange = range\nx = xrange(7)[6] / 2 + 0.5",
       "def reduce(a): return 7 / 2\nx = reduce(1)", "x: float = 7 / 2; f'{x}'",
       "from functools import reduce\nx = 3.5"]


@pytest.mark.parametrize("source", NEW)
def test_new_source_is_left_alone(source: str) -> None:
    translation = translate(source.encode(), "test.py")
    assert (translation.old, translation.text, translation.changes) == (False, source, "")
    assert run(source)["x"] == 3.5


def test_modules_that_could_be_either_follow_the_script() -> None:
    assert run("x = 7 / 2", old=True)["x"] == 3
    assert run("x = 7 / 2")["x"] == 3.5


@pytest.mark.parametrize("value", [3, np.int64(3), True, np.array(3)])
def test_whole_numbers_of_every_kind(value: object) -> None:
    names = run("def half(n): return n / 2\nprint 1")
    assert names["half"](value) == int(value) // 2  # type: ignore[call-overload]
    assert names["half"](np.float32(3)) == 1.5


def test_changes_are_shown() -> None:
    changes = translate(b"import sys\nprint 1 / 2\n", "a.py").changes
    assert changes == ("--- a.py\n+++ a.py (as it runs)\n@@ -2 +2 @@\n-print 1 / 2\n+print(1 / 2)\n"
                       "# a.py: / divides whole numbers without remainder, as in Python 2, in line 2\n")


def test_encodings() -> None:
    assert run("# -*- coding: latin-1 -*-\nx = 'é'; print x".encode("latin-1").decode("latin-1"))["x"]
    names: dict = {}
    exec(translate("print 'é'\nx = 1".encode("latin-1"), "a.py").code, names)
    assert names["x"] == 1


@pytest.mark.parametrize("source", ["def (", "x = = 3", "print 'a\n", "for x in\n", "class A:\nx = 1; print x"])
def test_neither_language(source: str) -> None:
    with pytest.raises(FormatError, match=r"bad\.py:\d+: neither Python 3 nor"):
        translate(source.encode(), "bad.py")


def test_running_restores_everything_and_shows_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old_helper.py").write_text("print 'helped'\n")
    Path("script.py").write_text("import sys, old_helper\nprint sys.argv, __name__\n"
                                 "sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else None)\n")
    before = list(sys.argv), list(sys.path), sys.modules["__main__"], list(sys.meta_path)
    with pytest.raises(SystemExit) as exit_:
        main(["run", "--show", "script.py", "3", "--show"])
    assert exit_.value.code == 3
    assert (list(sys.argv), list(sys.path), sys.modules["__main__"], list(sys.meta_path)) == before
    del sys.modules["old_helper"]
    out, err = capsys.readouterr()
    assert out == "helped\n['script.py', '3', '--show'] __main__\n"
    assert "+print('helped')" in err
    assert "-print sys.argv, __name__" in err


def test_errors_of_the_script_keep_their_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text("print 1\n\ndef f():\n    raise KeyError, 'mine'\nf()\n")
    assert main(["run", "script.py"]) == 1
    err = capsys.readouterr().err
    assert 'File "script.py", line 4, in f' in err
    assert "caffe_fcn" not in err
    assert main(["run", "none.py"]) == 2
    assert capsys.readouterr().err.startswith("caffe-fcn run: there is no file 'none.py'")
    Path("bad.py").write_text("def (")
    assert main(["run", "bad.py"]) == 2
    assert "bad.py:1: neither" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_installed_packages_anywhere_keep_their_division(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder, "halving").mkdir(parents=True)
    Path(folder, "halving/__init__.py").write_text("half = 7 / 2\n")
    monkeypatch.syspath_prepend(str(tmp_path / folder))
    Path("script.py").write_text("import halving\nprint halving.half, 7 / 2\n")
    run_script("script.py")
    del sys.modules["halving"]
    assert capsys.readouterr().out == "3.5 3\n"


def test_modules_of_packages_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only modules that belong to the user are looked at."""
    monkeypatch.chdir(tmp_path)
    Path("script.py").write_text("import colorsys, PIL.ImageColor\nprint 1\n")
    for name in ("colorsys", "PIL.ImageColor"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    seen: list[str] = []
    run_script("script.py", report=lambda translation: seen.append(translation.text))
    assert len(seen) == 1
