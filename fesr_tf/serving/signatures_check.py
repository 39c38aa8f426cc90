"""`python -m fesr_tf.check_export MODEL`: what an exported model promises, and whether it keeps it.

Two proofs. By reading: every operation is TensorFlow's own, nothing calls Python or asks for XLA,
every tensor is float32, int64, uint8 or string and has an open batch dimension. By running: each
signature through TensorFlow's C++ loader, in a process without this project's code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import op_def_registry

from fesr_tf.serving.cpp_session import CppSession, meta_graph
from fesr_tf.serving.model import CLASSIFY
from fesr_tf.serving.requests import difference, inputs_of, picture

TOLERANCE = 1e-5
BATCHES, FORMS = (1, 3, 32), tuple(itertools.product(("PNG", "JPEG"), (1, 3)))
# What TensorFlow Serving can write as JSON, and this project's clients read.
DTYPES = {tf.float32, tf.int64, tf.uint8, tf.string}
_XLA = ("_XlaMustCompile", "_XlaCompile")
LABELS = "assets.extra/labels.txt"


@dataclass(frozen=True)
class Row:
    """A signature's answers to pictures of one form: per batch size, the difference."""

    signature: str
    pictures: str
    differences: tuple[float, ...]


def signatures_of(graph: meta_graph_pb2.MetaGraphDef) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The signatures that clients call, `serving_default` first, the others by name."""
    names = sorted(graph.signature_def, key=lambda name: (name != "serving_default", name))
    return {n: graph.signature_def[n] for n in names if not n.startswith("__")}


def nodes_of(graph: meta_graph_pb2.MetaGraphDef) -> Iterable[node_def_pb2.NodeDef]:
    """Every node, those of functions too."""
    library = graph.graph_def.library.function
    return itertools.chain(graph.graph_def.node, *(each.node_def for each in library))


def breaches(graph: meta_graph_pb2.MetaGraphDef) -> list[str]:
    """What of a model a server would stumble over, a sentence each; empty for a sound one."""
    found = []
    functions = {each.signature.name for each in graph.graph_def.library.function}
    for op in sorted({node.op for node in nodes_of(graph)} - functions):
        if "PyFunc" in op:
            found.append(f"{op} calls Python")
        elif op.startswith("Xla"):
            found.append(f"{op} needs XLA, which a server has not")
        elif op_def_registry.get(op) is None:
            found.append(f"{op} is no operation of TensorFlow's own")
    marked = itertools.chain(nodes_of(graph), graph.graph_def.library.function)
    for each in marked:
        found += [f"{key} asks for XLA" for key in _XLA if key in each.attr and each.attr[key].b]
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
        found.append("classify has not the form of the Classify API")
    return sorted(set(found))


def listing(graph: meta_graph_pb2.MetaGraphDef) -> str:
    """Signatures with names, types and shapes, and the operations, as text."""
    lines = []
    for name, signature in signatures_of(graph).items():
        lines.append(f"{name}  ({signature.method_name})")
        for mark, side in (("in ", signature.inputs), ("out", signature.outputs)):
            for key in sorted(side):
                dtype = tf.as_dtype(side[key].dtype).name
                lines.append(f"  {mark} {key:<14} {dtype:<8} {_sizes(side[key])}")
    functions = {each.signature.name for each in graph.graph_def.library.function}
    ops = sorted({node.op for node in nodes_of(graph)} - functions)
    lines.append(f"{len(ops)} operations: {', '.join(ops)}")
    return "\n".join(lines)


def prove(
    session: CppSession,
    classes: Sequence[str],
    expected: Mapping[str, Callable[..., Mapping]],
    batches: Sequence[int] = BATCHES,
) -> list[Row]:
    """Each signature × form of picture × batch size: how far the answer is from `expected`."""
    rows = []
    for name, signature in signatures_of(meta_graph(session.folder)).items():
        takes_pictures = {"image_bytes", "inputs"} & set(signature.inputs)
        for form, channels in FORMS if takes_pictures else (("", 1),):
            apart = []
            for count in batches:
                pictures = [picture(seed, form or "PNG", channels) for seed in range(count)]
                inputs = inputs_of(signature, pictures, classes)
                answer = session.run(name, inputs)
                apart.append(difference(answer, expected[name](**inputs)))
            colour = "gray" if channels == 1 else "colour"
            rows.append(Row(name, f"{form} {colour}" if form else "-", tuple(apart)))
    return rows


def table(rows: Sequence[Row], batches: Sequence[int] = BATCHES) -> str:
    """`prove`'s rows as text."""
    head = "  ".join(f"batch {count}".rjust(9) for count in batches)
    lines = [f"{'signature':<16} {'pictures':<12} {head}"]
    for row in rows:
        cells = "  ".join(f"{each:9.1e}" for each in row.differences)
        lines.append(f"{row.signature:<16} {row.pictures:<12} {cells}")
    return "\n".join(lines)


def python_loader(folder: Path) -> dict[str, Callable[..., Mapping]]:
    """The same signatures by `tf.saved_model.load`, here, a row at a time."""
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
    return tuple(each.size for each in info.tensor_shape.dim)
