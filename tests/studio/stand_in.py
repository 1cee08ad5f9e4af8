"""A worker that draws nothing: it answers with the file as it is, a semitone up; seed 99 computes for ever, 98 dies."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from diffmidi_core.files import write_json
from diffmidi_core.saved.draw import DrawFolder, PieceRecord

if __name__ == "__main__":

    def tell(kind, **values):
        print(json.dumps({"kind": kind, **values}), flush=True)

    tell("ready")
    for line in sys.stdin:
        job = json.loads(line)
        wanted = job["wanted"]
        draw = DrawFolder(Path(job["draws"]) / job["id"])
        draw.path.mkdir()
        write_json(draw.request_file, {"at": datetime.now(UTC).isoformat()})
        for number in range(1, wanted["candidates"] + 1):
            tell("progress", done=0, total=2, what="bars")
            if wanted["seed"] == 98 and number == 2:
                sys.exit(3)
            if wanted["seed"] == 97:
                tell("failed", error="this model cannot do that.")
                break
            piece = PieceRecord(number=number, notes=1, record={}, tokens=[])
            source = Path(job["file"]) if "file" in job else Path(sys.argv[1])
            (draw.path / f"{piece.stem}.mid").write_bytes(source.read_bytes().replace(b"\x90\x3c", b"\x90\x3d"))
            draw.add(piece)
            tell("progress", done=1, total=2, what="bars")
            while wanted["seed"] == 99:
                pass
        else:
            tell("done")
