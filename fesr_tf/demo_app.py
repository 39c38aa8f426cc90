"""`python -m fesr_tf.demo_app [--model PATH]`: a web page to try a model on photographs.

Upload a photograph to see its faces and their expressions, change the expression and intensity of
a face, and generate new people.
"""

# Annotations stay values here: gradio reads `gr.SelectData` off a function's signature.
import argparse
import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fesr_tf.client import Client, Face, detector, session, tables
from fesr_tf.plots import annotations, image_grids
from pipelines.common.errors import BadUse, FesrError, command, plain
from pipelines.media import images

PEOPLE = 8
# Larger photographs are shrunk for the page; faces are searched at full size.
_SHOWN = 1600
_GENERATED = 256
_FONTS = ["system-ui", "sans-serif"]
_CANNOT = {
    "synthesize": "This model cannot change an expression: it was exported without its generator.",
    "sample": "This model cannot generate new people: it was exported without its generator.",
}


def look(client: Client, path: str | None) -> tuple[np.ndarray | None, list[Face], str]:
    """A photograph -> the annotated copy uint8 (H,W,3), its faces, and a message."""
    if path is None:
        return None, [], "Drop a photograph with a face."
    try:
        (photo,) = client.each([path])
        if photo.error is not None:
            raise photo.error
    except FesrError as error:
        # Visitors must not learn where the server keeps an upload.
        return None, [], plain(str(error).replace(str(path), "the photograph"))
    if not photo.faces:
        return photo.pixels, [], "No face was found in it, at any scale."
    shown = images.within(photo.pixels, _SHOWN)
    factor = min(1.0, _SHOWN / max(photo.pixels.shape[:2]))
    boxes = [[edge * factor for edge in face.box] for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    count = len(photo.faces)
    message = f"{count} face{'s' * (count > 1)}: the first is chosen; click another to choose it."
    return annotations.annotate(shown, boxes, shares, client.classes), list(photo.faces), message


def change(
    client: Client, face: bytes | None, expression: str, intensity: float
) -> tuple[list[np.ndarray], str]:
    """An aligned face as PNG -> it and the same person with an expression, and a message."""
    if not client.has("synthesize"):
        return [], _CANNOT["synthesize"]
    if face is None:
        return [], "Choose a face first."
    try:
        (generated,) = client.synthesize([face], [expression], [intensity])
    except FesrError as error:
        return [], plain(str(error))
    pair = [image_grids.enlarge(image, _GENERATED) for image in (images.decode(face), generated)]
    return pair, f"{expression} at {intensity:+.2f}: the original and the generated face."


def invent(
    client: Client, expression: str, intensity: float, seed: float
) -> tuple[list[np.ndarray], str]:
    """`PEOPLE` generated identities, for seeds from `seed` on, uint8 each, and a message."""
    if not client.has("sample"):
        return [], _CANNOT["sample"]
    # A request need not keep the limits of the page's fields.
    first = int(np.clip(seed or 0, 0, 2**31))
    seeds = [first + i for i in range(PEOPLE)]
    try:
        generated = client.sample([expression] * PEOPLE, [intensity] * PEOPLE, seeds)
    except FesrError as error:
        return [], plain(str(error))
    message = f"Seeds {seeds[0]} to {seeds[-1]}: {expression} at {intensity:+.2f}."
    return [image_grids.enlarge(image, _GENERATED) for image in generated], message


def build(client: Client) -> Any:
    """The page, a `gradio.Blocks`, not yet served. Raises `BadUse` without gradio."""
    gr = _gradio()
    gallery = functools.partial(gr.Gallery, format="png", interactive=False)
    classes = list(client.classes)
    # A server's address, or the last two folders of a model: visitors need not know its path.
    name = plain("/".join(client.where.rstrip("/").split("/")[-2:]))
    missing = {key: "" if client.has(key) else text for key, text in _CANNOT.items()}
    with gr.Blocks(title="FESR-TF", analytics_enabled=False) as page:
        gr.Markdown(f"# FESR-TF\nThe classes of the model `{name}` are {', '.join(classes)}.")
        for note in client.notes:
            gr.Markdown(f"**Note:** {note}.", elem_id="note")
        faces, chosen = gr.State([]), gr.State(None)
        with gr.Row(equal_height=True):
            photo = gr.Image(label="Photograph", sources=["upload", "clipboard"], height=420,
                             elem_id="photograph")  # fmt: skip
            # gradio would open an upload with any of Pillow's readers and without our limits.
            photo.preprocess = lambda upload: upload.path if upload is not None else None
            marked = gr.Image(label="Faces", interactive=False, format="png", height=420,
                              buttons=["fullscreen"], elem_id="marked")  # fmt: skip
        said = gr.Markdown("Drop a photograph with a face.", elem_id="said")
        with gr.Row():
            strip = gallery(label="Choose a face", columns=4, height=270, allow_preview=False,
                            fit_columns=False, object_fit="contain", buttons=[],
                            elem_id="faces")  # fmt: skip
            shares = gr.Label(label="Expression", elem_id="shares")
        gr.Markdown("## The same person with another expression")
        with gr.Row():
            with gr.Column():
                expression = gr.Dropdown(classes, value=classes[-1], label="Expression",
                                         elem_id="expression")  # fmt: skip
                intensity = gr.Slider(-1, 1, 1, step=0.05, label="Intensity", elem_id="intensity")
                told = gr.Markdown(missing["synthesize"], elem_id="told")
            pair = gallery(label="Original and generated", columns=2, height=300, elem_id="drawn")
        gr.Markdown("## Generated people")
        with gr.Row():
            with gr.Column():
                seed = gr.Number(0, label="First seed", precision=0, elem_id="seed")
                button = gr.Button(f"Generate {PEOPLE} people", variant="primary",
                                   interactive=client.has("sample"), elem_id="invent")  # fmt: skip
                invented = gr.Markdown(missing["sample"], elem_id="invented")
            people = gallery(label="With the expression and intensity above", columns=4,
                             height=330, elem_id="people")  # fmt: skip
        gr.Markdown(
            "The model classifies what a posed face shows, not what a person feels. "
            "Do not use it to judge anybody."
        )

        def find(path: str | None) -> tuple:
            copy, found, message = look(client, path)
            kept = [(face.chip, face.probabilities) for face in found]
            aligned, distribution = kept[0] if kept else (None, None)
            strip = [(face.pixels, face.label) for face in found]
            return copy, kept, aligned, strip, distribution, message

        def pick(kept: list[tuple[bytes, dict]], event: gr.SelectData) -> tuple:
            return kept[event.index]

        private = {"api_visibility": "private"}
        photo.change(find, photo, [marked, faces, chosen, strip, shares, said], **private)
        strip.select(pick, faces, [chosen, shares], **private)
        # While the slider moves only its last position counts.
        gr.on(
            [chosen.change, expression.change, intensity.change],
            functools.partial(change, client),
            [chosen, expression, intensity],
            [pair, told],
            trigger_mode="always_last",
            show_progress="hidden",
            **private,
        )
        invent_for = functools.partial(invent, client)
        button.click(invent_for, [expression, intensity, seed], [people, invented], **private)
    return page


def launch(page: Any, port: int | None, host: str = "127.0.0.1", wait: bool = True) -> str:
    """Serves the page, and returns its address if it does not `wait`. Nothing leaves this machine:
    no telemetry, no remote fonts, no tunnel."""
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
        raise BadUse(
            f"the page requires gradio: run pip install 'fesr-tf[app]' ({error})"
        ) from error
    return gradio


@command
def main(argv: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.demo_app",
        description="Serves a page that classifies the faces of a photograph and changes them.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--model", type=Path,
                       help="as in fesr_tf.client [the model for photographs]")  # fmt: skip
    where.add_argument("--server", metavar="HOST:PORT", help="as in fesr_tf.client")
    parser.add_argument("--name", default=session.NAME, help="the model's name on the server")
    parser.add_argument("--detector", choices=detector.DETECTORS, default=detector.BLAZEFACE,
                        help="as in fesr_tf.client [%(default)s]")  # fmt: skip
    parser.add_argument("--port", type=int, help="of the page [7860, or the next free one]")
    parser.add_argument("--host", default="127.0.0.1",
                        help="address to listen at [127.0.0.1: this machine only]")  # fmt: skip
    options = parser.parse_args(argv)
    _gradio()
    with Client(options.server, model=options.model, name=options.name,
                detector=options.detector) as client:  # fmt: skip
        page = build(client)
        try:
            launch(page, options.port, options.host)
        except OSError as error:
            raise BadUse(f"cannot serve the page: {error}; choose another --port") from None
    return 0


if __name__ == "__main__":
    sys.exit(main())
