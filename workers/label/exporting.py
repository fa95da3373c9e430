"""Writing a network for ONNX Runtime, also with numbers of 8 bits."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from workers.label.engine import Batch
from workers.label.onnx_engine import EMBEDDINGS, LOGITS, PIXELS
from workers.label.torch_engine import FromPixels

_OPSET = 17


def export(network: FromPixels, path: Path) -> None:
    """Write a network for ONNX Runtime."""
    pixels = torch.zeros((1, network.size, network.size, 3), dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of sizes that become constants, as they are for all pictures
        # The exporter's own way to trace a network does not take one from a TorchScript file.
        traced = torch.jit.trace(network, (pixels,))  # type: ignore[no-untyped-call]
        torch.onnx.export(
            traced,
            (pixels,),
            path,
            input_names=[PIXELS],
            output_names=[LOGITS, EMBEDDINGS],
            dynamic_axes={name: {0: "n"} for name in (PIXELS, LOGITS, EMBEDDINGS)},
            opset_version=_OPSET,
            dynamo=False,
        )
    quant_pre_process(path, path)
    model = onnx.load(path)
    pad_in_convolutions(model.graph)
    onnx.save(model, path)


def pad_in_convolutions(graph: onnx.GraphProto) -> None:
    """Have convolutions pad their pictures themselves, other than torch's also by more on one side than on the other.

    ONNX Runtime has no fast padding of small numbers: it would take an eighth of the time of EfficientNet-Lite2.
    """
    constants = {constant.name: constant for constant in graph.initializer}
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        users = [node for node in graph.node if pad.output[0] in node.input]
        with_zeros = pad.attribute[0].s == b"constant" and not any(pad.input[2:])
        if pad.input[1] not in constants or not with_zeros or any(node.op_type != "Conv" for node in users):
            continue
        sizes = numpy_helper.to_array(constants[pad.input[1]])
        if len(sizes) != 8 or sizes[[0, 1, 4, 5]].any():
            continue
        for convolution in users:
            own = next(attribute for attribute in convolution.attribute if attribute.name == "pads")
            own.CopyFrom(helper.make_attribute("pads", [int(n) for n in sizes[[2, 3, 6, 7]] + list(own.ints)]))
            convolution.input[0] = pad.input[0]
        graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    for constant in [constant for constant in graph.initializer if constant.name not in used]:
        graph.initializer.remove(constant)


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """The pictures of which ONNX Runtime finds out how large the numbers in a network get."""

    def __init__(self, pictures: Batch) -> None:
        self._batches: Iterator[Mapping[str, Batch]] = iter([{PIXELS: picture[None]} for picture in pictures])

    def get_next(self) -> Mapping[str, Batch] | None:
        """The next one, or None after the last."""
        return next(self._batches, None)


def quantise(exported: Path, pictures: Batch, path: Path) -> None:
    """Write an exported network with numbers of 8 bits in place of those of 32.

    All up to the first convolution stays as it is: of the three channels there, 8 bits make it slower, not faster.
    """
    nodes = onnx.load(exported).graph.node
    first = next((index for index, node in enumerate(nodes) if node.op_type == "Conv"), -1)
    quantize_static(
        exported,
        path,
        _Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[node.name for node in nodes[: first + 1]],
    )
