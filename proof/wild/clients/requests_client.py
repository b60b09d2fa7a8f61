"""python3 requests_client.py [--default] URL: the recipe for Python's requests.

--default leaves iter_lines its default chunk_size of 512 bytes.
"""
import json
import sys

import requests

sys.path.insert(0, "recipes")
from stream import follow

if "--default" in sys.argv:
    iter_lines = requests.Response.iter_lines
    requests.Response.iter_lines = lambda self, chunk_size, **more: iter_lines(self, **more)


def report(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


for kind, data in follow(sys.argv[-1]):
    if kind == "wild.counted":
        event = json.loads(data)
        if event["text"] != "naïve ✓":
            report("blank", text=event["text"])
        report("event", n=event["n"])
    elif kind in ("stream.cursor", "stream.gap", "stream.end"):
        report(kind.removeprefix("stream."), text="" if kind == "stream.cursor" else data)
    else:
        report("blank", text=f"{kind} {data}")
