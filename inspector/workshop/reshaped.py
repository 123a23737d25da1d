"""The same network at another resolution: a cheap front without training, where the network allows it.

A network of convolutions that ends in a global mean takes any size; with half the height and width it costs about a
quarter and answers similarly. Its weights are the customer's own. Networks with a fixed Flatten or with position
embeddings fit one size only.
"""

from dataclasses import replace

import numpy as np
import openvino as ov
from openvino import opset13 as op

from inspector.workshop.customer_model import CustomerModel, prepared


def reshaped(model: CustomerModel, size: tuple[int, int]) -> ov.Model | None:
    """`model` as `model.model` (same picture, same scores' shape) with the network at `size` (height, width); None where
    the network does not allow that size."""
    network = model.network.clone()
    preparation = model.preparation
    try:
        inner = _own_resize(network)
        if inner is None:
            preparation = replace(preparation, size=size)
            network.reshape(preparation.shape)
        else:
            inner.input(1).replace_source_output(op.constant(np.array(size, np.int64)).output(0))
        network.validate_nodes_and_infer_types()
    except RuntimeError:
        return None
    # A Flatten to a fixed width turns a smaller map into fewer rows, a fixed pooling a larger one into several places.
    if network.output(0).get_partial_shape() != model.network.output(0).get_partial_shape():
        return None
    return prepared(network, preparation, model.spec)


def _own_resize(network: ov.Model) -> ov.Node | None:
    """The network's own resize to a fixed (height, width) before anything else, as PrePostProcessor writes it."""
    output = network.get_parameters()[0].output(0)
    while len(targets := output.get_target_inputs()) == 1:
        node = next(iter(targets)).get_node()
        kind = node.get_type_name()
        if kind == "Interpolate":
            fixed = node.get_attributes()["shape_calculation_mode"] == "sizes" and node.input(1).get_shape() == [2]
            return node if fixed else None
        if kind not in ("Convert", "Gather", "Slice", "StridedSlice", "Transpose"):
            return None
        output = node.output(0)
    return None
