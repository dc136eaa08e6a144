"""Writes a REST request to TF Serving, with a picture as a file in base64.

python tools/serving_rest.py
curl -d @request.json http://127.0.0.1:8501/v1/models/features:predict
"""

import base64
import json
import pathlib

files = [pathlib.Path("tfstyle/samples/scene.jpg").read_bytes()]
request = {
    "signature_name": "encoded",
    "instances": [{"b64": base64.b64encode(file).decode()} for file in files],
}
pathlib.Path("request.json").write_text(json.dumps(request))
