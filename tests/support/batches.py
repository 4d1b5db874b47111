"""The routes of files and batches, for the tests of security."""

FILE = "/v1/files/{file_id}"
BATCH = "/v1/batches/{batch_id}"
NATIVE_BATCH = "/v1/reasoning/batches/{batch_id}"
ROUTES = {
    ("POST", "/v1/files"),
    ("GET", "/v1/files"),
    ("GET", FILE),
    ("DELETE", FILE),
    ("GET", f"{FILE}/content"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/batches"),
    ("GET", BATCH),
    ("POST", f"{BATCH}/cancel"),
    ("POST", "/v1/reasoning/batches"),
    ("GET", "/v1/reasoning/batches"),
    ("GET", NATIVE_BATCH),
    ("DELETE", NATIVE_BATCH),
    ("GET", f"{NATIVE_BATCH}/results"),
    *(("POST", f"{NATIVE_BATCH}/{verb}") for verb in ("cancel", "pause", "resume")),
}
UNKNOWN = {"{file_id}": "file_" + "0" * 26, "{batch_id}": "batch_" + "0" * 26}


def path_of(route: str) -> str:
    """With the id of nothing in it."""
    for name, value in UNKNOWN.items():
        route = route.replace(name, value)
    return route
