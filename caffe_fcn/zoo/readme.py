"""The README of a net from its card.

`python -m caffe_fcn.zoo.readme` writes those of the project again; one that a person wrote, without the mark at its
end, is left alone.
"""

from __future__ import annotations

import textwrap

from ..formats.atomic import atomic_write
from ..prototxt.table import as_markdown
from .card import Card, Class
from .cards import all_cards
from .describe import facts_of, papers_of, scores_of

MARK = "<!-- Written from card.toml by `python -m caffe_fcn.zoo.readme`. -->"

MOST_CLASSES = 100  # in a table


def readme(card: Card) -> str:
    """The Markdown page of a net."""
    parts = [f"# {card.name}", textwrap.fill(card.about.strip(), 120), as_markdown(["", ""], facts_of(card), left=2)]
    if card.scores:
        parts += ["## Published scores", as_markdown(["images", "scores"], scores_of(card), left=2)]
    parts += ["## Use", f"```sh\n{_commands(card)}\n```"]
    if (card.folder / "solver.prototxt").exists():
        parts.append("How to train it: [docs/models.md](../../docs/models.md#training-one).")
    for output in card.outputs:
        classes = card.classes if output is card.output else output.classes
        if 0 < len(classes) <= MOST_CLASSES:
            kind = "Joints" if card.task_kind == "pose" else "Classes"
            parts += [f"## {kind} of `{output.blob}`", _class_table(classes)]
    if papers := papers_of(card):
        parts += ["## To cite", "\n".join(f"- {paper}" for paper in papers)]
    return "\n\n".join([*parts, MARK, ""]).rstrip("\n") + "\n"


def is_generated(card: Card) -> bool:
    """Whether the README may be written again: it has the mark, or there is none yet."""
    path = card.folder / "README.md"
    return not path.exists() or MARK in path.read_text(encoding="utf-8")


def write_all() -> None:
    """Write the READMEs of the project's nets again."""
    for card in filter(is_generated, all_cards()):
        with atomic_write(card.folder / "README.md") as file:
            file.write(readme(card).encode())


def _commands(card: Card) -> str:
    lines = [f"caffe-fcn show {card.name}"]
    if card.files.weights_url:
        lines.append(f"caffe-fcn fetch {card.name}")
        weights = ""
    else:
        weights = " --weights FILE" if card.files.weights is None else ""
        if card.files.weights and not (card.folder / card.files.weights).exists():
            lines.append(f"caffe-fcn fetch {card.name} --from FILE")
    also = "".join(f" --also {entry.blob}=FILE" for entry in card.more_inputs)
    lines.append(f"caffe-fcn predict PHOTO --model {card.name}{weights}{also} --out FOLDER")
    if (card.folder / "nets.py").exists():
        lines.append(f"python models/{card.name}/nets.py  # writes the prototxts again")
    return "\n".join(lines)


def _class_table(classes: tuple[Class, ...]) -> str:
    """Ids, names and colours, in as many columns as keep the table short."""
    columns = 1 if len(classes) <= 14 else 3
    height = -(-len(classes) // columns)
    cells = [[str(label), entry.name, f"#{bytes(entry.colour).hex()}"] for label, entry in enumerate(classes)]
    cells += [["", "", ""]] * (columns * height - len(cells))
    return as_markdown(["id", "name", "colour"] * columns,
                       [[cell for column in range(columns) for cell in cells[column * height + row]]
                        for row in range(height)], left=3 * columns)


if __name__ == "__main__":
    write_all()
