"""`rejects.jsonl`: the images that did not become records, a line of JSON each, in key order.

They lie beside the manifest, which counts them, since every command loads the manifest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location
from pipelines.common.records import Reject, typed
from pipelines.dataset.manifest import File, Manifest, inside

NAME = "rejects.jsonl"


def table(rejects: Iterable[Reject]) -> bytes:
    """The file's bytes."""
    lines = (json.dumps(_renamed(reject), ensure_ascii=False) for reject in rejects)
    return "".join(f"{line}\n" for line in lines).encode()


def read(folder: Location, manifest: Manifest) -> Iterator[Reject]:
    """The rejects of a data folder, also of earlier versions, whose manifest holds them.

    Raises `FailedWork` where the file is missing or not one of this project.
    """
    if manifest.rejects is not None or not manifest.counts["rejected"]:
        yield from manifest.rejects or ()
        return
    path = folder / manifest.place(NAME)
    try:
        with path.open("rb") as file:
            for line in file:
                data = json.loads(line)
                data["class_name"] = data.pop("class")
                reject = typed(Reject, data, NAME)
                if reject.picture and not inside(reject.picture):
                    raise ValueError(f"{reject.picture!r} is not a path inside the folder")
                if reject.splits and len(reject.splits) != manifest.folds:
                    raise ValueError(f"{reject.key!r} has no role in every fold")
                yield reject
    except FileNotFoundError:
        raise FailedWork(f"{path} is missing; preprocess the database again") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FailedWork(f"{path} is not a list of rejects ({error!r:.300})") from error


def pictures(rejects: Iterable[Reject]) -> list[File]:
    """The thumbnails that the list names with their digests, in its order and each once."""
    named = {
        each.picture: File(each.picture, each.picture_bytes, each.picture_sha256)
        for each in rejects
        if each.picture_sha256
    }
    return list(named.values())


def _renamed(reject: Reject) -> dict[str, object]:
    data = dataclasses.asdict(reject)
    return {"class" if name == "class_name" else name: value for name, value in data.items()}
