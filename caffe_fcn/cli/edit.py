"""Change a prototxt and keep its comments and spacing: fields, names, whole layers, classes, train to deploy.

Exit status: 0 done; 2 refused (the net would break, unless --force), or a file or an option is wrong.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import PrototxtError
from ..prototxt import NetDocument, Part, change_classes, read, to_deploy, to_train
from ..prototxt.cst import Body
from ..prototxt.shapes import parse_sizes
from ..prototxt.values import from_words, parse_path

Action = Callable[[NetDocument, argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    args = _parser().parse_args(argv)
    net = read(args.file)
    before = str(net)
    args.action(net, args)
    after = str(net)
    if args.diff:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), args.file, f"{args.file} (edited)",
                                     lineterm="")
        print("\n".join(lines))
    elif args.output == "-":
        sys.stdout.write(after)
    elif after != before or args.output:
        net.save(args.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("caffe-fcn edit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", help="prototxt of a net; it is written in place")
    _add_output(parser, None, False)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    def add(name: str, action: Action, words: str, *arguments: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=words, description=words)
        for argument in arguments:
            sub.add_argument(argument)
        _add_output(sub, argparse.SUPPRESS, argparse.SUPPRESS)
        sub.set_defaults(action=action)
        return sub

    selected = (add("get", _get, "print the value of a field", "path"),
                add("set", _set, "write a field; strings need no quotes, several values make a list", "path"),
                add("delete", _delete, "remove a field", "path"),
                add("layers", _layers, "list layers"))
    selected[1].add_argument("values", nargs="+", metavar="value")
    for sub in selected:
        sub.add_argument("--layers", metavar="NAME", help="in every layer of this name, which may hold * and ?")
        sub.add_argument("--type", help="in every layer of this type")
    sub = add("rename-layer", lambda net, a: net.rename_layer(a.old, a.new, a.blob, a.force), "rename a layer", "old",
              "new")
    sub.add_argument("--blob", action="store_true", help="and the blob of that name")
    add("rename-blob", lambda net, a: net.rename_blob(a.old, a.new, a.force), "rename a blob with its uses", "old",
        "new")
    sub = add("remove", lambda net, a: net.remove(a.name, not a.no_rewire, force=a.force), "take a layer out", "name")
    sub.add_argument("--no-rewire", action="store_true", help="leave alone the layers that read its top")
    add("replace", _replace, "put the layer of a file (- for the input) in the place of another", "name", "layer")
    for sub in (add("insert", _insert, "put in the layer of a file (- for the input)", "layer"),
                add("move", _move, "move a layer", "name")):
        place = sub.add_mutually_exclusive_group()
        place.add_argument("--after", metavar="LAYER")
        place.add_argument("--before", metavar="LAYER")
    sub = add("classes", _classes, "change the number of classes through the head", "number")
    sub.add_argument("--head", metavar="BLOB", help="the scores, where there are several heads")
    sub.add_argument("--rename", metavar="PATTERN", help="new names of the layers, such as {name}_{classes}")
    sub = add("deploy", _deploy, "data and losses out, Input layers in")
    sub.add_argument("--size", metavar="1x3xHxW", help="shape of the input")
    sub.add_argument("--probabilities", action="store_true", help="a Softmax or Sigmoid in the place of the loss")
    sub = add("train", _train, "Input layers out; data layers of a file, and a loss, in", "data")
    sub.add_argument("--label", default="label", help="blob with the labels (default %(default)s)")
    sub.add_argument("--ignore-label", type=int)
    return parser


def _add_output(parser: argparse.ArgumentParser, nothing: Any, false: Any) -> None:
    """Options that may stand in front of the action and behind it; there they have no default of their own."""
    parser.add_argument("-o", "--output", metavar="FILE", default=nothing, help="write here; - for the terminal")
    parser.add_argument("--diff", action="store_true", default=false, help="write nothing; show what would change")
    parser.add_argument("--force", action="store_true", default=false, help="also what breaks the net")


def _parts(net: NetDocument, args: argparse.Namespace) -> Sequence[Part]:
    """The layers that are chosen, or the net where none are."""
    if args.layers is None and args.type is None:
        return [net]
    found = net.layers(args.layers, args.type)
    if not found:
        raise PrototxtError("no layer is of that name and type", net.file)
    return found


def _get(net: NetDocument, args: argparse.Namespace) -> None:
    for part in _parts(net, args):
        value = part.get(args.path)
        print(str(value).rstrip() if value is not None else "(not given)")


def _set(net: NetDocument, args: argparse.Namespace) -> None:
    with net.transaction(args.force):
        for part in _parts(net, args):
            kind, words = _kind(part, args.path), args.values
            values = [from_words(kind, word) for word in words]
            part.set(args.path, values[0] if len(values) == 1 else values)


def _kind(part: Part, path: str) -> object:
    """The descriptor of the field at the end of a path."""
    body = part.body
    *parents, last = parse_path(path)
    for step in parents:
        kind = body.field_type(step.name).message_type
        if kind is None:
            raise PrototxtError(f"'{step.name}' is a value, not a block; nothing is inside it")
        body = Body(kind)
    return body.field_type(last.name)


def _delete(net: NetDocument, args: argparse.Namespace) -> None:
    with net.transaction(args.force):
        for part in _parts(net, args):
            part.delete(args.path)


def _layers(net: NetDocument, args: argparse.Namespace) -> None:
    for layer in net.layers(args.layers, args.type):
        print(f"{layer.name}\t{layer.type}\t{', '.join(layer.bottoms)} -> {', '.join(layer.tops)}")


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    if not Path(file).is_file():
        raise PrototxtError(f"there is no file '{file}'")
    return Path(file).read_text(encoding="utf-8", errors="surrogateescape")


def _insert(net: NetDocument, args: argparse.Namespace) -> None:
    net.insert(_text(args.layer), args.after, args.before, args.force)


def _replace(net: NetDocument, args: argparse.Namespace) -> None:
    net.replace(args.name, _text(args.layer), force=args.force)


def _move(net: NetDocument, args: argparse.Namespace) -> None:
    net.move(args.name, args.after, args.before, force=args.force)


def _classes(net: NetDocument, args: argparse.Namespace) -> None:
    if not args.number.isdecimal():
        raise PrototxtError(f"'{args.number}' is not a number of classes")
    changed = change_classes(net, int(args.number), args.head, args.rename, args.force)
    print(f"changed: {', '.join(changed)}", file=sys.stderr)


def _deploy(net: NetDocument, args: argparse.Namespace) -> None:
    shape = parse_sizes([f"x={args.size}"]).blobs["x"] if args.size else None
    to_deploy(net, shape, args.probabilities, args.force)


def _train(net: NetDocument, args: argparse.Namespace) -> None:
    to_train(net, _text(args.data), args.label, args.ignore_label, args.force)
