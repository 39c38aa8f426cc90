"""`python -m fesr_tf.client PHOTO|FOLDER|VIDEO|CAMERA… [--server host:port | --model PATH]`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import sys
from pathlib import Path

from tqdm import tqdm

from fesr_tf.client import detector, photographs, session, video
from fesr_tf.client.session import Client
from fesr_tf.client.sources import Job, device, plan
from pipelines.common.errors import BadUse, command
from pipelines.media import ffmpeg


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
    where = result.add_mutually_exclusive_group()
    where.add_argument("--server", metavar="HOST:PORT",
                       help="TensorFlow Serving: gRPC; REST at 8501, or as http://…")  # fmt: skip
    where.add_argument("--model", type=Path,
        help="saved_models/NAME[/VERSION], without a server [the model for photographs that comes "
        "with the package]")  # fmt: skip
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


@command
def main(argv: list[str] | None = None) -> int:
    """Classifies faces; exit code 0, 2 (bad use) or 1 (failed work)."""
    options = parser().parse_args(argv)
    if options.every < 1 or (options.frames or 1) < 1 or (options.rate or 1) <= 0:
        raise BadUse("--every and --frames must be at least 1, --rate above 0")
    version = options.version
    version = int(version) if version and version.isdecimal() else version
    # Listed before the model is loaded: a wrong path should not wait for a server.
    job = plan(options.sources, options.output)
    with Client(options.server, model=options.model, name=options.name, version=version,
                timeout=options.timeout, attempts=options.attempts,
                batch=options.batch, detector=options.detector) as client:  # fmt: skip
        _classify(client, job, options)
    return 0


def _classify(client: Client, job: Job, options: argparse.Namespace) -> None:
    for note in client.notes:
        print(f"note: {note}", file=sys.stderr, flush=True)
    several = job.count > 1
    # disable=None: only on a terminal.
    with tqdm(total=job.count, unit="file", disable=None if several else True) as bar:
        show = (lambda text: None) if options.json else tqdm.write
        film = functools.partial(_film, client, options)
        outcome = photographs.classify(client, job, film, show, bar.update)
    if job.results is not None and (outcome.entries or outcome.left_out):
        photographs.write_results(outcome, client, job.results)
    if options.json and not (job.count == 1 and outcome.failures) and not outcome.stopped:
        print(photographs.as_json(outcome, client), end="")
    if several or job.left_out:
        print(photographs.summary(outcome), file=sys.stderr if options.json else sys.stdout)
    photographs.raise_failures(outcome, job.count)


def _film(client: Client, options: argparse.Namespace, path: Path, copy: Path) -> video.Written:
    camera = device(str(path))
    if camera:
        frames, rate, batch = ffmpeg.camera(camera), options.rate or video.DEFAULT_RATE, 1
        shown = itertools.islice(video.stoppable(frames), options.frames)
    else:
        frames, batch = ffmpeg.timed_frames(path, video.MAX_FRAMES, video.WAITING), None
        shown, rate = frames, ffmpeg.rate(path) or video.DEFAULT_RATE
    bar = tqdm(unit="frame", desc=path.stem, disable=None, leave=False)
    with contextlib.closing(frames), bar:
        return video.annotate(client, shown, copy, rate, options.every, batch, bar.update)


if __name__ == "__main__":
    sys.exit(main())
