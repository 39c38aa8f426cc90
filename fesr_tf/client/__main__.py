"""`python -m fesr_tf.client PHOTO|FOLDER|VIDEO|CAMERA… --server host:port | --model PATH`."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import sys
from pathlib import Path

from tqdm import tqdm

from fesr_tf.client import photographs, video
from fesr_tf.client import session as asking
from fesr_tf.client.session import Client
from pipelines.common.errors import BadUse, FesrError, command, plain
from pipelines.media import ffmpeg
from pipelines.media.films import looks_like_film

_DEVICE = re.compile(r"/dev/video\d+")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.client",
        description="Finds every face of photographs, films or a camera's pictures and says "
        "which expression it shows.",
        epilog="A number or /dev/videoN is a camera: Ctrl-C ends the recording.",
    )
    add = made.add_argument
    add("sources", nargs="+", metavar="PHOTO|FOLDER|VIDEO|CAMERA")
    where = made.add_mutually_exclusive_group(required=True)
    where.add_argument("--server", metavar="HOST:PORT",
                       help="TensorFlow Serving: gRPC; REST at 8501, or as http://…")  # fmt: skip
    where.add_argument("--model", type=Path, help="saved_models/NAME[/VERSION], without a server")
    add("--name", default=asking.NAME, help=f"the model's name on the server [{asking.NAME}]")
    add("--version", help="a number, or a label such as stable [the newest]")
    add("--output", type=Path,
        help="folder of copies, faces.csv and faces.json [copies beside each photograph; a "
        "folder's in FOLDER.faces]")  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--every", type=int, default=1, help="of a film, ask about every so many-th frame [1]")
    add("--rate", type=float, help="frames a second of a camera's recording [25]")
    add("--frames", type=int, help="end a camera's recording after so many frames [Ctrl-C]")
    add("--batch", type=int, default=asking.BATCH, help=f"faces in one request [{asking.BATCH}]")
    add("--timeout", type=float, default=asking.TIMEOUT,
        help=f"seconds for one request [{asking.TIMEOUT:g}]")  # fmt: skip
    add("--attempts", type=int, default=asking.ATTEMPTS,
        help=f"how often to ask a server that is down or loading [{asking.ATTEMPTS}]")  # fmt: skip
    return made


def device(text: str) -> str | None:
    """The camera that an argument means, None where it means none."""
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
    films = [each for each in options.sources if device(each) or looks_like_film(Path(each))]
    photos = [Path(each) for each in options.sources if each not in films]
    if films and options.json:
        raise BadUse("--json is for photographs: of a film, the frames are in its .faces.csv")
    # Read before the model is: a wrong path should not wait for a server.
    job = photographs.plan(photos, options.output)
    for each in films:
        if device(each) is None and not Path(each).is_file():
            raise BadUse(f"no film at {each}")
    with Client(options.server, model=options.model, name=options.name, version=version,
                timeout=options.timeout, attempts=options.attempts,
                batch=options.batch) as client:  # fmt: skip
        for each in films:
            _film(client, each, options)
        if job.photos:
            _photographs(client, job, options)
    return 0


def _photographs(client: Client, job: photographs.Job, options: argparse.Namespace) -> None:
    count = len(job.photos)
    # disable=None: only where somebody watches.
    with tqdm(total=count, unit="photo", disable=None if count > 1 else True) as bar:
        show = (lambda text: None) if options.json else tqdm.write
        outcome = photographs.ask(client, job, show, bar.update)
    if job.results is not None and (outcome.photos or outcome.failures):
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
