"""`python -m fesr_tf.demo_app --model PATH`: a page to try a model on photographs.

Drop a photograph: its faces, and what each shows. Choose an expression and slide its intensity:
the same person with it. Draw people who do not exist.
"""

# Annotations stay values here: gradio reads `gr.SelectData` off a function to know what it wants.
import argparse
import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fesr_tf.client import Client, Face, tables
from fesr_tf.client import session as asking
from fesr_tf.plots import annotations, image_grids
from pipelines.common.errors import BadUse, FesrError, command, plain
from pipelines.media import images

PEOPLE = 8
# Beyond this a photograph is shrunk for the page; faces are sought at full size.
_SHOWN = 1600
_DRAWN = 256
_FONTS = ["system-ui", "sans-serif"]
_CANNOT = {
    "synthesize": "This model cannot change an expression: it was exported without its generator.",
    "sample": "This model cannot draw new people: it was exported without its generator.",
}


def look(client: Client, path: str | None) -> tuple[np.ndarray | None, list[Face], str]:
    """A photograph -> the annotated copy uint8 (H,W,3), its faces, and a sentence."""
    if path is None:
        return None, [], "Drop a photograph with a face."
    try:
        (photo,) = client.each([path])
        if photo.error is not None:
            raise photo.error
    except FesrError as error:
        # Where the server keeps an upload is nobody's business.
        return None, [], plain(str(error).replace(str(path), "the photograph"))
    if not photo.faces:
        return photo.pixels, [], "No face was found in it, at any scale."
    height, width = photo.pixels.shape[:2]
    factor = min(1.0, _SHOWN / max(height, width))
    boxes = [[edge * factor for edge in face.box] for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    shown = images.within(photo.pixels, _SHOWN)
    count = len(photo.faces)
    said = f"{count} face{'s' * (count > 1)}: the first is chosen; click another to choose it."
    return annotations.annotate(shown, boxes, shares, client.classes), list(photo.faces), said


def change(
    client: Client, face: bytes | None, expression: str, intensity: float
) -> tuple[list[np.ndarray], str]:
    """An aligned face as PNG -> it and the same person with an expression, and a sentence."""
    if not client.has("synthesize"):
        return [], _CANNOT["synthesize"]
    if face is None:
        return [], "Choose a face first."
    try:
        (drawn,) = client.synthesize([face], [expression], [intensity])
    except FesrError as error:
        return [], plain(str(error))
    shown = [image_grids.enlarge(each, _DRAWN) for each in (images.decode(face), drawn)]
    return shown, f"{expression} at {intensity:+.2f}: as it came, and as the model draws it."


def invent(
    client: Client, expression: str, intensity: float, seed: float
) -> tuple[list[np.ndarray], str]:
    """`PEOPLE` people who do not exist, seeds from `seed` on, uint8 each, and a sentence."""
    if not client.has("sample"):
        return [], _CANNOT["sample"]
    # What a page sends need not be what its fields allow.
    first = int(np.clip(seed or 0, 0, 2**31))
    seeds = [first + i for i in range(PEOPLE)]
    try:
        drawn = client.sample([expression] * PEOPLE, [intensity] * PEOPLE, seeds)
    except FesrError as error:
        return [], plain(str(error))
    said = f"Seeds {seeds[0]} to {seeds[-1]}: {expression} at {intensity:+.2f}."
    return [image_grids.enlarge(each, _DRAWN) for each in drawn], said


def _short_name(client: Client) -> str:
    """A server's address, or the last two folders of a model: not where it lies."""
    return plain("/".join(client.where.rstrip("/").split("/")[-2:]))


def build(client: Client) -> Any:
    """The page, a `gradio.Blocks`, not yet served. Raises `BadUse` without gradio."""
    gr = _gradio()
    gallery = functools.partial(gr.Gallery, format="png", interactive=False)
    classes = list(client.classes)
    with gr.Blocks(title="FESR-TF", analytics_enabled=False) as page:
        gr.Markdown(
            f"# FESR-TF\nThe model `{plain(_short_name(client))}` knows {', '.join(classes)}."
        )
        faces, chosen = gr.State([]), gr.State(None)
        with gr.Row(equal_height=True):
            photo = gr.Image(
                label="Photograph",
                sources=["upload", "clipboard"],
                height=420,
                elem_id="photograph",
            )
            # gradio would open an upload with any of Pillow's readers and without our limits.
            photo.preprocess = lambda upload: upload.path if upload is not None else None
            marked = gr.Image(
                label="Faces",
                interactive=False,
                format="png",
                buttons=["fullscreen"],
                height=420,
                elem_id="marked",
            )
        said = gr.Markdown("Drop a photograph with a face.", elem_id="said")
        with gr.Row():
            strip = gallery(
                label="Choose a face",
                columns=4,
                height=270,
                allow_preview=False,
                fit_columns=False,
                object_fit="contain",
                buttons=[],
                elem_id="faces",
            )
            shares = gr.Label(label="What it shows", elem_id="shares")
        gr.Markdown("## The same person with another expression")
        with gr.Row():
            with gr.Column():
                expression = gr.Dropdown(
                    classes, value=classes[-1], label="Expression", elem_id="expression"
                )
                intensity = gr.Slider(-1, 1, 1, step=0.05, label="Intensity", elem_id="intensity")
                told = gr.Markdown(
                    _CANNOT["synthesize"] if not client.has("synthesize") else "", elem_id="told"
                )
            drawn = gallery(label="As it came, as drawn", columns=2, height=300, elem_id="drawn")
        gr.Markdown("## People who do not exist")
        with gr.Row():
            with gr.Column():
                seed = gr.Number(0, label="First seed", precision=0, elem_id="seed")
                button = gr.Button(
                    f"Draw {PEOPLE} people",
                    variant="primary",
                    elem_id="invent",
                    interactive=client.has("sample"),
                )
                invented = gr.Markdown(
                    _CANNOT["sample"] if not client.has("sample") else "", elem_id="invented"
                )
            people = gallery(
                label="They have the expression and intensity above",
                columns=4,
                height=330,
                elem_id="people",
            )
        gr.Markdown(
            "A posed face tells what a face shows, not what a person feels. "
            "Do not use this to judge anybody."
        )

        def seen(path: str | None) -> tuple:
            copy, found, sentence = look(client, path)
            kept = [(face.chip, face.probabilities) for face in found]
            chip, distribution = kept[0] if kept else (None, None)
            chips = [(face.pixels, face.label) for face in found]
            return copy, kept, chip, chips, distribution, sentence

        def pick(kept: list[tuple[bytes, dict]], event: gr.SelectData) -> tuple:
            return kept[event.index]

        def draw(face: bytes | None, name: str, level: float) -> tuple:
            return change(client, face, name, level)

        def people_of(name: str, level: float, first: float) -> tuple:
            return invent(client, name, level, first)

        private = {"api_visibility": "private"}
        photo.change(seen, photo, [marked, faces, chosen, strip, shares, said], **private)
        strip.select(pick, faces, [chosen, shares], **private)
        # While the slider moves only its last place counts.
        gr.on(
            [chosen.change, expression.change, intensity.change],
            draw,
            [chosen, expression, intensity],
            [drawn, told],
            trigger_mode="always_last",
            show_progress="hidden",
            **private,
        )
        button.click(people_of, [expression, intensity, seed], [people, invented], **private)
    return page


def launch(page: Any, port: int | None, host: str = "127.0.0.1", wait: bool = True) -> str:
    """Serves the page, and returns its address where it does not `wait`. Nothing leaves this
    machine: no telemetry, no fonts from elsewhere, no tunnel."""
    gr = _gradio()
    theme = gr.themes.Default(font=_FONTS, font_mono=["monospace"])
    _, local, _ = page.queue(max_size=32).launch(
        server_name=host, server_port=port, share=False, theme=theme, prevent_thread_lock=True,
        max_file_size=images.MAX_BYTES, quiet=True, footer_links=[], ssr_mode=False,
        enable_monitoring=False,
    )  # fmt: skip
    if wait:
        print(f"the page is at {local} (Ctrl-C ends it)", flush=True)
        page.block_thread()
    return local


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise BadUse(f"the page takes gradio: run pip install 'fesr-tf[app]' ({error})") from error
    return gradio


@command
def main(argv: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.demo_app",
        description="A page: drop a photograph, see what its faces show, change them.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", type=Path, help="saved_models/NAME[/VERSION]")
    where.add_argument("--server", metavar="HOST:PORT", help="as in fesr_tf.client")
    parser.add_argument("--name", default=asking.NAME, help="the model's name on the server")
    parser.add_argument("--port", type=int, help="of the page [7860, or the next that is free]")
    parser.add_argument("--host", default="127.0.0.1",
                        help="who may see the page [127.0.0.1: this machine]")  # fmt: skip
    options = parser.parse_args(argv)
    _gradio()
    with Client(options.server, model=options.model, name=options.name) as client:
        page = build(client)
        try:
            launch(page, options.port, options.host)
        except OSError as error:
            raise BadUse(f"cannot serve the page: {error}; choose another --port") from None
    return 0


if __name__ == "__main__":
    sys.exit(main())
