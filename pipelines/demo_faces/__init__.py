"""The demo database: rendered people whose identity, expression and action units are known."""

from pipelines.demo_faces.action_units import ACTION_UNITS
from pipelines.demo_faces.database import render_database
from pipelines.demo_faces.expression import CLASSES, Sequence, perform
from pipelines.demo_faces.figure import Figure, build_figure
from pipelines.demo_faces.head import Head, load_head
from pipelines.demo_faces.identity import Identity, draw_identity
from pipelines.demo_faces.render import Backdrop, Pose, render
from pipelines.demo_faces.shading import Light
from pipelines.demo_faces.subject import person

__all__ = [
    "ACTION_UNITS",
    "CLASSES",
    "Backdrop",
    "Figure",
    "Head",
    "Identity",
    "Light",
    "Pose",
    "Sequence",
    "build_figure",
    "draw_identity",
    "load_head",
    "perform",
    "person",
    "render",
    "render_database",
]
