"""Checks an exported model against its contract with a server, for `fesr_tf.check_export`.

`breaches` reads the graph: every operation belongs to TensorFlow, nothing calls Python or requires
XLA, every tensor is float32, int64, uint8 or string and has an open batch dimension. `prove` runs
each signature in TensorFlow's C++ loader, in a process without this project's code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import op_def_registry

from fesr_tf.serving.cpp_loader import CppSession, meta_graph
from fesr_tf.serving.model import CLASSIFY
from fesr_tf.serving.requests import difference, image, inputs_of
from pipelines.common.text import table

TOLERANCE = 1e-5
BATCHES, FORMS = (1, 3, 32), tuple(itertools.product(("PNG", "JPEG"), (1, 3)))
# The types that TensorFlow Serving writes as JSON and this project's clients read.
DTYPES = {tf.float32, tf.int64, tf.uint8, tf.string}
_XLA = ("_XlaMustCompile", "_XlaCompile")
LABELS = "assets.extra/labels.txt"


class Row(NamedTuple):
    """A signature's answers to images of one form: the largest difference per batch size."""

    signature: str
    images: str
    differences: tuple[float, ...]


def signatures_of(graph: meta_graph_pb2.MetaGraphDef) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The signatures that clients call, `serving_default` first, the others by name."""
    names = sorted(graph.signature_def, key=lambda name: (name != "serving_default", name))
    return {name: graph.signature_def[name] for name in names if not name.startswith("__")}


def nodes_of(graph: meta_graph_pb2.MetaGraphDef) -> Iterable[node_def_pb2.NodeDef]:
    """Every node, including those of functions."""
    functions = graph.graph_def.library.function
    return itertools.chain(graph.graph_def.node, *(function.node_def for function in functions))


def operations_of(graph: meta_graph_pb2.MetaGraphDef) -> list[str]:
    """The names of the operations in use, sorted, without the graph's own functions."""
    functions = {function.signature.name for function in graph.graph_def.library.function}
    return sorted({node.op for node in nodes_of(graph)} - functions)


def breaches(graph: meta_graph_pb2.MetaGraphDef) -> list[str]:
    """The faults on which a server would fail, one sentence each; empty for a sound model."""
    found = []
    for op in operations_of(graph):
        if "PyFunc" in op:
            found.append(f"{op} calls Python")
        elif op.startswith("Xla"):
            found.append(f"{op} requires XLA, which TensorFlow Serving does not include")
        elif op_def_registry.get(op) is None:
            found.append(f"{op} is not an operation of TensorFlow")
    for node in itertools.chain(nodes_of(graph), graph.graph_def.library.function):
        found += [f"{key} requires XLA" for key in _XLA if key in node.attr and node.attr[key].b]
    for name, signature in signatures_of(graph).items():
        for side in (signature.inputs, signature.outputs):
            for key, info in side.items():
                if tf.as_dtype(info.dtype) not in DTYPES:
                    found.append(f"{name}: {key} is {tf.as_dtype(info.dtype).name}")
                sizes = _sizes(info)
                if not sizes or sizes[0] != -1 or -1 in sizes[1:]:
                    found.append(f"{name}: {key} has shape {sizes}, not (-1, …)")
    classify = graph.signature_def.get("classify")
    if classify is not None and (
        classify.method_name != CLASSIFY
        or set(classify.inputs) != {"inputs"}
        or set(classify.outputs) != {"classes", "scores"}
    ):
        found.append("classify does not have the form of the Classify API")
    return sorted(set(found))


def listing(graph: meta_graph_pb2.MetaGraphDef) -> str:
    """The signatures with names, types and shapes, and the operations, as text."""
    lines = []
    for name, signature in signatures_of(graph).items():
        lines.append(f"{name}  ({signature.method_name})")
        for mark, side in (("in ", signature.inputs), ("out", signature.outputs)):
            for key in sorted(side):
                dtype = tf.as_dtype(side[key].dtype).name
                lines.append(f"  {mark} {key:<14} {dtype:<8} {_sizes(side[key])}")
    ops = operations_of(graph)
    lines.append(f"{len(ops)} operations: {', '.join(ops)}")
    return "\n".join(lines)


def prove(
    session: CppSession,
    classes: Sequence[str],
    expected: Mapping[str, Callable[..., Mapping]],
    batches: Sequence[int] = BATCHES,
) -> list[Row]:
    """The difference from `expected` for each signature × form of image × batch size."""
    rows = []
    for name, signature in signatures_of(meta_graph(session.folder)).items():
        takes_images = {"image_bytes", "inputs"} & set(signature.inputs)
        for form, channels in FORMS if takes_images else (("", 1),):
            differences = []
            for count in batches:
                images = [image(seed, form or "PNG", channels) for seed in range(count)]
                inputs = inputs_of(signature, images, classes)
                answer = session.run(name, inputs)
                differences.append(difference(answer, expected[name](**inputs)))
            colour = "gray" if channels == 1 else "colour"
            rows.append(Row(name, f"{form} {colour}" if form else "-", tuple(differences)))
    return rows


def as_text(rows: Sequence[Row], batches: Sequence[int] = BATCHES) -> str:
    """`prove`'s rows as a table."""
    head = ("signature", "images", *(f"batch {count}" for count in batches))
    return table(
        head, [(r.signature, r.images, *map("{:.1e}".format, r.differences)) for r in rows]
    )


def python_loader(folder: Path) -> dict[str, Callable[..., Mapping]]:
    """The same signatures by `tf.saved_model.load` in this process, one row at a time."""
    loaded = tf.saved_model.load(str(folder))

    def answer(name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        call = loaded.signatures[name]
        specs = call.structured_input_signature[1]

        def one(i: int) -> Mapping[str, tf.Tensor]:
            row = {key: value[i : i + 1].tolist() for key, value in inputs.items()}
            return call(**{key: tf.constant(v, specs[key].dtype) for key, v in row.items()})

        rows = [one(i) for i in range(len(next(iter(inputs.values()))))]
        return {key: np.concatenate([row[key].numpy() for row in rows]) for key in rows[0]}

    return {name: lambda _name=name, **inputs: answer(_name, inputs) for name in loaded.signatures}


def _sizes(info: meta_graph_pb2.TensorInfo) -> tuple[int, ...]:
    return tuple(dim.size for dim in info.tensor_shape.dim)
