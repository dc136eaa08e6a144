"""A real S3 server on 127.0.0.1, for tests of remote files."""

import contextlib
import logging

BUCKET = "bucket"


class S3Server:
    """moto's server, whose objects outlive a stop and a new start."""

    def __init__(self):
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._make = ThreadedMotoServer
        self._port = 0
        self._server = None
        self.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._port}"

    def start(self):
        if self._server:
            return
        self._server = self._make("127.0.0.1", self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def stop(self):
        if self._server:
            self._server.stop()
            self._server = None


@contextlib.contextmanager
def serve_s3(patch):
    """Starts a server with an empty bucket; yields it and its file system.

    Args:
        patch: pytest's MonkeyPatch; the environment names the server.
    """
    import s3fs

    server = S3Server()
    for name, value in {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",  # tfstyle tries again itself
    }.items():
        patch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem(use_listings_cache=False)
    try:
        store.mkdir(BUCKET)
        yield server, store
        server.start()
        store.rm(BUCKET, recursive=True)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


def names_in(store, folder=BUCKET):
    """Returns the names of all objects below a folder, sorted."""
    start = len(folder) + 1
    return sorted(path[start:] for path in store.find(folder))
