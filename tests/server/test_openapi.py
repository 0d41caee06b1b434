"""The document tells the truth: its examples have the fields of real replies, its errors the one shape of errors."""

import pytest
from radio_server import serving

from lullwave.server.openapi import REPLIES, WRONG


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("radio"), steer_every_s=0.0) as served:
        yield served


@pytest.mark.parametrize(("method", "path"), [key for key in REPLIES if "undo" not in key[1]])
def test_an_example_has_the_fields_of_the_real_reply(radio, method, path):
    said = radio.json("/openapi.json")["paths"][path][method]["responses"]["200"]["content"]["application/json"]
    body = {"prompt": "warm synthwave, no drums"} if path.endswith("/prompt") else None
    real = radio.json(path.replace("{station}", "piano"), method.upper(), body)
    assert said["example"].keys() == real.keys()
    pairs = [(said["example"], real)]
    if "stations" in real:
        pairs.append((said["example"]["stations"][0], real["stations"][0]))
    for one, other in pairs:
        assert one.get("now", {}).keys() == other.get("now", {}).keys()
        assert one.get("understood", {}).keys() == other.get("understood", {}).keys()


def test_errors_are_described_as_they_are(radio):
    document = radio.json("/openapi.json")
    assert document["components"]["schemas"]["Problem"]["properties"]["error"]["required"] == list(WRONG)
    assert "HTTPValidationError" not in str(document)
    replies = document["paths"]["/api/stations/{station}/prompt"]["post"]["responses"]
    assert {"200", "401", "403", "404", "413", "422", "423", "429"} == set(replies)
    assert "503" in document["paths"]["/stream.mp3"]["get"]["responses"]
    for path, body, status in (("attic", {"prompt": "x"}, 404), ("piano", {}, 422)):
        response, _ = radio.ask(f"/api/stations/{path}/prompt", "POST", body)
        assert response.status == status
        real = radio.json(f"/api/stations/{path}/prompt", "POST", body)
        assert real["error"].keys() == WRONG.keys()


def test_what_is_in_an_address_has_an_example(radio):
    parameters = radio.json("/openapi.json")["paths"]["/api/stations/{station}/replay"]["get"]["parameters"]
    assert {"station", "at"} <= {p["name"] for p in parameters if "example" in p}
