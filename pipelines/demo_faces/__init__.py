"""The demo database: rendered people whose identity, expression and action units are known."""

from pipelines.demo_faces.action_units import ACTION_UNITS
from pipelines.demo_faces.database import render_database
from pipelines.demo_faces.expression import CLASSES, perform
from pipelines.demo_faces.figure import build_figure
from pipelines.demo_faces.head import load_head
from pipelines.demo_faces.render import Pose, render
from pipelines.demo_faces.subject import person

__all__ = [
    "ACTION_UNITS",
    "CLASSES",
    "Pose",
    "build_figure",
    "load_head",
    "perform",
    "person",
    "render",
    "render_database",
]
