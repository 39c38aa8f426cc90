"""`python -m fesr_tf.client PHOTO|FOLDER|VIDEO|CAMERA… --server host:port | --model PATH`."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import sys
from pathlib import Path

from tqdm import tqdm

from fesr_tf.client import detector, photographs, session, video
from fesr_tf.client.session import Client
from pipelines.common.errors import BadUse, FesrError, command, plain
from pipelines.media import ffmpeg
from pipelines.media.films import looks_like_film

_DEVICE = re.compile(r"/dev/video\d+")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    result = argparse.ArgumentParser(
        prog="python -m fesr_tf.client",
        description="Finds every face in photographs, films or a camera's frames and classifies "
        "its expression.",
        epilog="A number or /dev/videoN is a camera: Ctrl-C ends the recording.",
    )
    add = result.add_argument
    add("sources", nargs="+", metavar="PHOTO|FOLDER|VIDEO|CAMERA")
    where = result.add_mutually_exclusive_group(required=True)
    where.add_argument("--server", metavar="HOST:PORT",
                       help="TensorFlow Serving: gRPC; REST at 8501, or as http://…")  # fmt: skip
    where.add_argument("--model", type=Path, help="saved_models/NAME[/VERSION], without a server")
    add("--name", default=session.NAME, help="the model's name on the server [%(default)s]")
    add("--version", help="a number, or a label such as stable [the newest]")
    add("--output", type=Path,
        help="folder for copies, faces.csv and faces.json [copies beside each photograph; those of "
        "a folder in FOLDER.faces]")  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--every", type=int, default=1, help="classify every n-th frame of a film [1]")
    add("--rate", type=float, help="frames per second of a camera's recording [25]")
    add("--frames", type=int, help="end a camera's recording after this many frames [Ctrl-C]")
    add("--batch", type=int, default=session.BATCH, help="faces in one request [%(default)s]")
    add("--detector", choices=detector.DETECTORS, default=detector.BLAZEFACE,
        help="what finds the faces [%(default)s]; dlib needs no TensorFlow")  # fmt: skip
    add("--timeout", type=float, default=session.TIMEOUT,
        help=f"seconds for one request [{session.TIMEOUT:g}]")  # fmt: skip
    add("--attempts", type=int, default=session.ATTEMPTS,
        help="how often to try a server that is down or loading [%(default)s]")  # fmt: skip
    return result


def device(text: str) -> str | None:
    """The camera's device for an argument, None if it is not a camera."""
    if _DEVICE.fullmatch(text):
        return text
    return f"/dev/video{text}" if text.isdecimal() and not Path(text).exists() else None


@command
def main(argv: list[str] | None = None) -> int:
    """Classifies faces; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    if options.every < 1 or (options.frames or 1) < 1 or (options.rate or 1) <= 0:
        raise BadUse("--every and --frames must be at least 1, --rate above 0")
    version = options.version
    version = int(version) if version and version.isdecimal() else version
    films = [text for text in options.sources if device(text) or looks_like_film(Path(text))]
    photos = [Path(text) for text in options.sources if text not in films]
    if films and options.json:
        raise BadUse("--json is for photographs: the frames of a film are in its .faces.csv")
    # Checked before the model is loaded: a wrong path should not wait for a server.
    job = photographs.plan(photos, options.output)
    for film in films:
        if device(film) is None and not Path(film).is_file():
            raise BadUse(f"no film at {film}")
    with Client(options.server, model=options.model, name=options.name, version=version,
                timeout=options.timeout, attempts=options.attempts,
                batch=options.batch, detector=options.detector) as client:  # fmt: skip
        for film in films:
            _film(client, film, options)
        if job.photos:
            _photographs(client, job, options)
    return 0


def _photographs(client: Client, job: photographs.Job, options: argparse.Namespace) -> None:
    count = len(job.photos)
    # disable=None: only on a terminal.
    with tqdm(total=count, unit="photo", disable=None if count > 1 else True) as bar:
        show = (lambda text: None) if options.json else tqdm.write
        outcome = photographs.classify(client, job, show, bar.update)
    if job.results is not None and outcome.entries:
        photographs.write_results(outcome, client, job.results)
    if options.json and not (count == 1 and outcome.failures) and not outcome.stopped:
        print(photographs.as_json(outcome, client), end="")
    photographs.raise_failures(outcome, count)


def _film(client: Client, source: str, options: argparse.Namespace) -> None:
    camera = device(source)
    if camera:
        name, folder = Path(camera).name, options.output or Path.cwd()
        frames, rate, batch = ffmpeg.camera(camera), options.rate or video.DEFAULT_RATE, 1
        shown = itertools.islice(video.stoppable(frames), options.frames)
    else:
        path = Path(source)
        name, folder = path.stem, options.output or path.parent
        frames, batch = ffmpeg.frames(path, video.MAX_FRAMES, video.WAITING), None
        shown = frames
    try:
        with contextlib.closing(frames), tqdm(unit="frame", desc=name, disable=None) as bar:
            if not camera:
                rate = ffmpeg.rate(path) or video.DEFAULT_RATE
            written = video.annotate(client, shown, name, folder, rate, options.every, batch,
                                     bar.update)  # fmt: skip
    except FesrError as error:
        raise video.failing_as(source, error) from None
    print(
        f"{plain(source)}: {written.faces} faces in {written.with_face} of {written.frames} "
        f"frames, annotated {plain(str(written.film))}, table {plain(str(written.table))}"
    )


if __name__ == "__main__":
    sys.exit(main())
