"""python3 requests_client.py [--default] URL: Python's requests, line by line.

--default leaves iter_lines its default chunk_size of 512 bytes.
"""
import json, sys, time
import requests

url, last, pause = sys.argv[-1], None, 1.0
how = {} if "--default" in sys.argv else {"chunk_size": 1}


def report(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


def hand_out(kind, data):
    if kind == "wild.counted":
        report("event", n=json.loads(data)["n"])
    elif kind in ("stream.cursor", "stream.gap", "stream.end"):
        report(kind.removeprefix("stream."), text="" if kind == "stream.cursor" else data)
    else:
        report("blank", text=f"{kind} {data}")


while True:
    try:
        headers = {"Last-Event-ID": last} if last else {}
        with requests.get(url, headers=headers, stream=True, timeout=(5, 60)) as r:
            r.raise_for_status()
            id, kind, data = last, "", []
            for line in r.iter_lines(decode_unicode=True, **how):
                field, _, value = line.partition(": ")
                if field == "id":
                    id = value
                elif field == "event":
                    kind = value
                elif field == "data":
                    data.append(value)
                elif field == "retry":
                    pause = int(value) / 1000
                elif not line:
                    last = id
                    if data:
                        hand_out(kind, "\n".join(data))
                    kind, data = "", []
    except requests.RequestException as e:
        report("note", text=str(e)[:200])
    time.sleep(pause)
