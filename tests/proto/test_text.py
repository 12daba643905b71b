"""Reading prototxt: what is taken, what it means, what is refused and where."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from caffe_fcn.errors import MissingFileError, PrototxtError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn.proto.text import did_you_mean, parse, parse_file

VALUES = {
    "float": lambda net: repr(net.layer[0].power_param.scale),
    "uint32": lambda net: net.layer[0].convolution_param.num_output,
    "int32": lambda net: net.layer[0].concat_param.axis,
    "int64": lambda net: net.layer[0].reshape_param.shape.dim[0],
    "bool": lambda net: net.layer[0].convolution_param.bias_term,
    "enum": lambda net: net.layer[0].pooling_param.pool,
    "string": lambda net: [ord(letter) for letter in net.name],
}


def read(text: str, message=caffe_pb2.NetParameter):
    return parse(text, message())


def test_recorded_spellings(root):
    """Literals that the original was given: what it took, as which value, and how it wrote it."""
    for row in json.loads((root / "tests/data/spellings.json").read_text()):
        if row["accepted"]:
            net = read(row["text"])
            assert VALUES[row["type"]](net) == row["value"], row
            assert to_text(net) == row["written_back"], row
        else:
            with pytest.raises(PrototxtError):
                read(row["text"])


LAYER = "layer { name: 'a' top: 'x' top: 'y' pooling_param { stride: 2 } }"


@pytest.mark.parametrize(
    "text",
    [
        "layer{name:'a'top:'x'top:'y'pooling_param{stride:2}}",
        "layer: { name: 'a', top: 'x'; top: 'y', pooling_param: < stride: 2; >, };",
        "layer < name: 'a' top: ['x', 'y'] pooling_param { stride: 0x2 } >",
        "layer [{ name: \"a\" top: [] top: ['x'] top: 'y' pooling_param { stride: 02 } }]",
        "# head\nlayer { # open {\n name: 'a' top: '\\x78' top: \"\" 'y' # '\r\npooling_param { stride: 2 } }#",
        "layer\n{\tname\v:\f'a' top: 'x' top: 'y' pooling_param { stride: 2 } }",
    ],
)
def test_syntax_that_means_the_same(text):
    assert read(text) == read(LAYER)


def test_empty_texts_and_messages():
    assert read("") == read(" # nothing\n") == caffe_pb2.NetParameter()
    net = read("state { } layer { }")
    assert net.HasField("state")
    assert len(net.layer) == 1


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("lyer { }", (1, 1), "NetParameter has no field 'lyer'; did you mean 'layer'?"),
        ("layer {\n  Name: 'x'\n}", (2, 3), "did you mean 'name'?"),
        ("layer { colour: 3 }", (1, 9), "LayerParameter has no field 'colour'"),
        ("name 'x'", (1, 6), "expected ':' after 'name', found 'x'"),
        ("name: x", (1, 7), "'name' takes a string in quotes, found 'x'"),
        ("name: 'a' name: 'b'", (1, 11), "'name' is given twice; it was first given at 1:1"),
        ("state { }\nstate { }", (2, 1), "'state' is given twice; it was first given at 1:1"),
        ("layer {\n name: 'x'\n", (3, 1), "the bracket opened at 1:7 lacks its '}'"),
        ("layer { >", (1, 9), "expected the name of a field, found '>'"),
        ("layer { } }", (1, 11), "is a bracket closed once too often?"),
        ("layer 3", (1, 7), "expected '{' after 'layer', found '3'"),
        ("layer { name: 't',, }", (1, 19), "expected the name of a field, found ','"),
        ("; name: 'x'", (1, 1), "expected the name of a field, found ';'"),
        ("name: ['x']", (1, 7), "takes a string in quotes, found '['"),
        ("input: ['x' 'y', ]", (1, 18), "takes a string in quotes, found ']'"),
        ("input_dim: [1 2]", (1, 15), "expected ',' or ']' in the list, found '2'"),
        ("input_dim: " + "9" * 5000, (1, 12), "out of range, which ends at 2147483647"),
        ("input_dim: -2147483649", (1, 13), "out of range, which ends at -2147483648"),
        ("input_dim: 1.5", (1, 12), "takes an integer, found '1.5'"),
        ("input_dim: 08", (1, 12), "'08' is not a number"),
        ("input_dim: 2x", (1, 12), "'2x' is not a number"),
        ("input_dim: +2", (1, 12), "a number takes no '+'"),
        ("layer { convolution_param { pad: -1 } }", (1, 34), "takes an integer that is not negative, found '-'"),
        ("layer { power_param { scale: 0x10 } }", (1, 30), "takes a decimal number, found '0x10'"),
        ("layer { power_param { scale: 1.2.3 } }", (1, 30), "'1.2.3' is not a number"),
        ("force_backward: yes", (1, 17), "takes true or false, found 'yes'"),
        ("force_backward: 2", (1, 17), "takes true or false, found '2'"),
        ("state { phase: Test }", (1, 16), "'Test' is not a value of 'phase' (TRAIN, TEST); did you mean 'TEST'?"),
        ("state { phase: 'TEST' }", (1, 16), "takes a name without quotes, found 'TEST'"),
        ("state { phase: 2 }", (1, 16), "2 is not the number of a value of 'phase'"),
        ("layers { type: CONVOLUTON }", (1, 16), "'CONVOLUTON' is not a value of 'type'; did you mean 'CONVOLUTION'?"),
        ("layer {\n clip_param {\n min: 0 } }", (2, 13), "'clip_param' opened here lacks the required max"),
        ("name: 'a\nb'", (1, 7), "this string has no closing ' in its line"),
        ("name: 'ü\\q'", (1, 9), "'\\q' is not an escape sequence"),
        ("name: '\\U00110000'", (1, 8), "is not an escape sequence"),
        ("// comment", (1, 1), "a comment starts with '#'"),
        ("\ufefflayer { }", (1, 1), "byte order mark"),
        ("# ok\n\x01\x02", (2, 1), "control character or invalid byte '\\x01' found; is this a text file?"),
        ("# no NUL\0", (1, 9), "control character"),
        ("é: 3", (1, 1), "unexpected character 'é'"),
        ("[caffe.extension]: 3", (1, 1), "expected the name of a field, found '['"),
    ],
)
def test_refused(text, place, words):
    with pytest.raises(PrototxtError) as caught:
        parse(text, caffe_pb2.NetParameter(), "net.prototxt")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("net.prototxt", *place)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "text", ["'" * 99_999, "'" + "\\" * 100_001, "1" * 100_000, " " * 100_000 + "!", "layer {" * 20_000, "{" * 100_000]
)
def test_hostile_texts_are_refused_at_once(text):
    with pytest.raises(PrototxtError):
        read(text)


def test_recorded_refusals(shared):
    """The syntax errors among the inputs that the original refused, and no others, are ours."""
    for row in json.loads((shared / "golden/errors/rejected.json").read_text(encoding="utf-8")):
        if row["kind"] in ("weights", "restore", "net_file") or row["name"] == "solver_net_is_broken":
            continue
        message = caffe_pb2.SolverParameter if row["kind"].startswith("solver") else caffe_pb2.NetParameter
        if any("Error parsing" in line for line in row["all_messages"]):
            with pytest.raises(PrototxtError):
                read(row["prototxt"], message)
        else:
            read(row["prototxt"], message)


def test_strings_in_every_encoding():
    net = read("layer { name: 'schön' top: '\\303\\274' top: '\\u00fc' top: '\\ud83d\\ude00' top: '\\U0001F600' }")
    assert (net.layer[0].name, list(net.layer[0].top)) == ("schön", ["ü", "ü", "😀", "😀"])
    assert read("data: '\\0\\377\\xfF'", caffe_pb2.Datum).data == b"\x00\xff\xff"


def test_string_that_is_no_utf8_is_kept_as_bytes():
    """The original takes any bytes; under pure Python protobuf, which cannot, it is an error."""
    code = (
        "from caffe_fcn.proto import caffe_pb2\nfrom caffe_fcn.proto.text import parse\n"
        "net = parse(\"name: '\\\\377' layer { bottom: 'a' bottom: '\\\\xe9t' }\", caffe_pb2.NetParameter())\n"
        "assert (net.name, list(net.layer[0].bottom)) == (b'\\xff', ['a', b'\\xe9t']), net\n"
    )
    for implementation, message in (("upb", ""), ("python", "1:1: the string of 'name' is not UTF-8")):
        environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
        result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert (result.returncode == 0) == (not message)
        assert message in result.stderr


def test_parse_replaces_what_was_there():
    net = caffe_pb2.NetParameter(name="old", input=["x"])
    assert parse("name: 'new'", net) is net
    assert net == caffe_pb2.NetParameter(name="new")


def test_positions():
    positions = {}
    text = "name: 'n'\nlayer { }\nlayer {\n  pooling_param { stride: 2 }\n  top: ['a',\n 'b']\n}"
    parse(text, caffe_pb2.NetParameter(), positions=positions)
    assert positions == {
        ("name",): (1, 1),
        ("layer", 0): (2, 1),
        ("layer", 1): (3, 1),
        ("layer", 1, "pooling_param"): (4, 3),
        ("layer", 1, "pooling_param", "stride"): (4, 19),
        ("layer", 1, "top", 0): (5, 9),
        ("layer", 1, "top", 1): (6, 2),
    }


def test_file(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"# \xc4\xe3 in GBK\r\nname: 'x'\r\nlayer { name: 'y' }")
    assert parse_file(path, caffe_pb2.NetParameter).layer[0].name == "y"
    path.write_bytes(b"name: 'x'\r\nnme: 'y'")
    with pytest.raises(PrototxtError, match=r"net\.prototxt:2:1: .*did you mean 'name'"):
        parse_file(str(path), caffe_pb2.NetParameter)
    path.write_bytes(b"\x0a\x03abc\xa2\x06\xff\x00")
    with pytest.raises(PrototxtError, match="is this a text file"):
        parse_file(path, caffe_pb2.NetParameter)


def test_missing_file():
    with pytest.raises(MissingFileError, match=r"'nowhere\.prototxt'") as caught:
        parse_file("nowhere.prototxt", caffe_pb2.NetParameter)
    assert isinstance(caught.value, (RuntimeError, FileNotFoundError))


def test_folder_reads_as_empty_with_a_warning(tmp_path, caplog):
    assert parse_file(tmp_path, caffe_pb2.NetParameter) == caffe_pb2.NetParameter()
    assert "is a folder" in caplog.text


def test_did_you_mean():
    assert did_you_mean("convolution_parm", ["pooling_param", "convolution_param"]).endswith("'convolution_param'?")
    assert did_you_mean("relu", ["ReLU"]) == "; did you mean 'ReLU'?"
    assert did_you_mean("qqq", ["ReLU"]) == ""
