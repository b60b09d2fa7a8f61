import time

import requests


def follow(url):
    """Yields (type, data) of each event, for ever."""
    last, pause = None, 3.0
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=(5, 60)) as r:
                r.raise_for_status()
                id, kind, data = last, "", []
                for line in r.iter_lines(chunk_size=1):
                    field, _, value = line.decode().partition(": ")
                    if field == "id":
                        id = value
                    elif field == "event":
                        kind = value
                    elif field == "data":
                        data.append(value)
                    elif field == "retry":
                        pause = int(value) / 1000
                    elif not line:
                        last = id  # not before the event is whole
                        if data:
                            yield kind, "\n".join(data)
                        kind, data = "", []
        except requests.HTTPError as e:
            if e.response.status_code == 401:
                raise
        except requests.RequestException:
            pass
        time.sleep(pause)
