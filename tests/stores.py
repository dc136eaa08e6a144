"""A real S3 server on 127.0.0.1, for tests of remote files."""

import contextlib
import logging
import threading

from werkzeug.serving import make_server

BUCKET = "bucket"


class S3Server:
    """moto's server, whose objects outlive a stop and a new start.

    Attributes:
        fail_every: number of requests of which the last fails; 0: none.
        requests: methods and paths of all requests.
    """

    def __init__(self):
        from moto.moto_server import werkzeug_app

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = werkzeug_app.DomainDispatcherApplication(
            werkzeug_app.create_backend_app
        )
        self.fail_every = 0
        self.requests = []
        self._port = 0
        self._server = None
        self.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._port}"

    def start(self):
        if not self._server:
            self._server = make_server(
                "127.0.0.1", self._port, self._answer, threaded=True
            )
            self._port = self._server.port
            threading.Thread(target=self._server.serve_forever).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self.fail_every and not len(self.requests) % self.fail_every:
            start_response("500 Internal Server Error", [])
            return [b""]
        return self._app(environ, start_response)


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
        server.fail_every = 0
        store.rm(BUCKET, recursive=True)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()


def names_in(store, folder=BUCKET):
    """Returns the names of all objects below a folder, sorted."""
    start = len(folder) + 1
    return sorted(path[start:] for path in store.find(folder))
