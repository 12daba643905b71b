"""The steps that make an old net current, in the original's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from caffe_fcn.errors import NetError
from caffe_fcn.proto.upgrade import fields, v0, v1

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import NetParameter


@dataclass
class UpgradeReport:
    """What an upgrade did: `steps` that ran, and `problems` that it had to leave behind."""

    steps: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """True if nothing in the old file was lost."""
        return not self.problems


class Step(NamedTuple):
    """One upgrade: does a net need it, and the change itself, which gives its problems."""

    title: str
    needed: Callable[[NetParameter], bool]
    apply: Callable[[NetParameter], list[str]]


STEPS = (
    Step("V0 layers became V1 layers", v0.needed, v0.apply),
    Step("data transformation fields moved to transform_param", fields.data_needed, fields.apply_data),
    Step("V1 layers became current layers", v1.needed, v1.apply),
    Step("input fields became an Input layer", fields.input_needed, fields.apply_input),
    Step("BatchNorm param specs were frozen", fields.batch_norm_needed, fields.apply_batch_norm),
)


def net_needs_upgrade(net: NetParameter) -> bool:
    """Tell whether `upgrade_net` would change anything (a BatchNorm layer with three param specs always counts)."""
    return any(step.needed(net) for step in STEPS)


def upgrade_net(net: NetParameter, source: str) -> UpgradeReport:
    """Make `net` current, in place.

    `source` names the file in error messages. Raises NetError where the old net makes no sense: both `layer` and
    `layers`, an unknown V0 type, padding in front of a layer that cannot pad, inputs without enough dimensions.
    The net is then half upgraded and of no use.
    """
    if net.layer and net.layers:
        raise NetError(
            f"{source}: the net has 'layer' (current) and 'layers' (old) blocks; "
            "write all of them as layer { type: 'ReLU' ... }"
        )
    report = UpgradeReport()
    for step in STEPS:
        if step.needed(net):
            try:
                report.problems += step.apply(net)
            except NetError as error:
                raise NetError(f"{source}: {error}") from None
            except UnicodeDecodeError as error:
                raise NetError(f"{source}: {error.object!r} is not UTF-8, so its layer cannot be upgraded") from None
            report.steps.append(step.title)
    return report
