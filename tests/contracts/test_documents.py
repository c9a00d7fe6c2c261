"""The contract documents match the code, are consistent, and have valid examples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import ASGITransport, AsyncClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from docs.__main__ import out_of_date
from docs.services import HANDLERS, app_of
from shared.events import CATALOGUE, INBOUND

API = Path(__file__).parents[2] / "docs" / "api"
HOME = "urn:document"
SERVICES = list(HANDLERS)

type Json = dict[str, Any]


def openapi_of(service: str) -> Json:
    """Read a checked-in document."""
    document: Json = json.loads((API / f"{service}.json").read_text())
    return document


@pytest.fixture(scope="module")
def asyncapi() -> Json:
    """Read the checked-in document of the topics."""
    document: Json = yaml.safe_load((API / "asyncapi.yaml").read_text())
    return document


def test_the_documents_are_up_to_date() -> None:
    """The output of `make docs` is checked in."""
    stale = [path.name for path in out_of_date()]
    assert not stale, f"{', '.join(stale)}: out of date, run make docs"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_serves_the_document_that_is_checked_in(service: str) -> None:
    """/openapi.json of every service equals the file."""
    assert (await ask(service, "/openapi.json")).json() == openapi_of(service)


def test_every_reference_between_topics_resolves(asyncapi: Json) -> None:
    """Operations refer to channels, channels to messages, messages to schemas that exist."""
    references = [node["$ref"] for node in nodes(asyncapi) if "$ref" in node]
    assert len(references) > len(CATALOGUE)
    assert [found for found in references if resolve(asyncapi, found) is None] == []


def test_every_event_is_a_message_on_one_channel(asyncapi: Json) -> None:
    """It is on the topic that its class names."""
    places = {
        name: channel["address"]
        for channel in asyncapi["channels"].values()
        for name in channel["messages"]
    }
    assert {name: places[name] for name in CATALOGUE} == {t: e.topic for t, e in CATALOGUE.items()}


def test_every_topic_is_written_by_at_most_one_service(asyncapi: Json) -> None:
    """So consumers of a topic know its owner."""
    sends = [o["channel"]["$ref"] for o in asyncapi["operations"].values() if o["action"] == "send"]
    assert sorted(sends) == sorted(set(sends))


def test_every_message_has_examples_that_fit_its_schemas(asyncapi: Json) -> None:
    """Both data and headers."""
    for name, message in asyncapi["components"]["messages"].items():
        assert message["examples"], name
        for example in message["examples"]:
            check(asyncapi, message["payload"], example["payload"])
            check(asyncapi, message.get("headers", True), example.get("headers"))


def test_the_examples_for_upstream_are_accepted(asyncapi: Json) -> None:
    """The code itself accepts the examples, beyond what schemas can check."""
    for name in ("SupportRequest", "LaterFact"):
        for example in asyncapi["components"]["messages"][name]["examples"]:
            assert type(INBOUND.validate_python(example["payload"])).__name__ == name


@pytest.mark.parametrize("service", SERVICES)
def test_an_openapi_document_is_valid(service: str) -> None:
    """It is valid by the schema of OpenAPI 3.1."""
    OpenAPIV31SpecValidator(openapi_of(service)).validate()


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_can_be_found_and_named(service: str) -> None:
    """Each has a summary, a tag, and a unique id."""
    operations = [operation for _, operation in operations_of(service)]
    assert all(operation["summary"] and operation["tags"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("service", SERVICES)
def test_an_operation_is_named_by_a_verb_and_a_noun(service: str) -> None:
    """So that generated clients have readable method names."""
    ids = [operation["operationId"] for _, operation in operations_of(service)]
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_schema_has_a_name_and_content(service: str) -> None:
    """No Python module names, no arrays without items, no empty objects or responses."""
    document = openapi_of(service)
    assert [n for n in document["components"]["schemas"] if not n.isalnum()] == []
    for node in nodes(document):
        if node.get("type") == "array":
            assert "items" in node or "prefixItems" in node, node
        if node.get("type") == "object":
            assert "properties" in node or "additionalProperties" in node, node
        assert node.get("schema") != {}, node


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_declares_its_authentication(service: str) -> None:
    """A key, a signature, or explicitly nothing."""
    for path, operation in operations_of(service):
        assert bool(operation["security"]) == path.startswith("/v1/"), path


@pytest.mark.parametrize("service", SERVICES)
def test_errors_are_declared_as_problem_documents(service: str) -> None:
    """All declared errors of our routes are problem documents (RFC 9457)."""
    for path, operation in operations_of(service):
        if path.startswith("/v1/"):
            errors = {s: a for s, a in operation["responses"].items() if s >= "400"}
            assert "503" in errors
            assert "400" in errors
            media = {kind for answer in errors.values() for kind in answer["content"]}
            assert media == {"application/problem+json"}


@pytest.mark.parametrize("service", SERVICES)
def test_examples_of_an_api_fit_its_schemas(service: str) -> None:
    """Those of requests and of responses."""
    document = openapi_of(service)
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", ()):
            check(document, schema, example)
    for node in nodes(document["paths"]):
        if "example" in node and "schema" in node:
            check(document, node["schema"], node["example"])


@pytest.mark.parametrize("service", SERVICES)
async def test_the_docs_page_has_no_external_assets(service: str) -> None:
    """The service serves all files of /docs, and its policy allows nothing else."""
    page = await ask(service, "/docs")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    own = [place for place in named if not place.startswith("data:")]
    assert [(await ask(service, f"/{place}")).status_code for place in own] == [200] * len(own)
    assert f"<title>{service}: " in page.text


async def test_the_docs_page_serves_no_other_file() -> None:
    """Other files give 404, with a problem document."""
    answer = await ask("router", "/docs/py.typed")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


async def ask(service: str, place: str) -> Any:  # noqa: ANN401 - httpx's response
    """Send a request to a service's own app."""
    transport = ASGITransport(app_of(service))
    async with AsyncClient(transport=transport, base_url=f"http://{service}") as client:
        return await client.get(place)


def operations_of(service: str) -> Iterator[tuple[str, Json]]:
    """Return the operations, with their paths."""
    for path, operations in openapi_of(service)["paths"].items():
        for operation in operations.values():
            yield path, operation


def check(document: Json, schema: Json | bool, example: object) -> None:
    """Validate an example against a schema of the document."""
    registry = Registry().with_resource(HOME, DRAFT202012.create_resource(document))
    wanted = with_definitions(schema)
    Draft202012Validator(wanted, registry=registry).validate(example)


def with_definitions(schema: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Make a schema's references resolve within its document."""
    match schema:
        case {"$ref": str(place)} if place.startswith("#"):
            return {**schema, "$ref": HOME + place}
        case dict():
            return {name: with_definitions(inner) for name, inner in schema.items()}
        case list():
            return [with_definitions(inner) for inner in schema]
        case _:
            return schema


def nodes(document: object) -> Iterator[Json]:
    """Iterate over all objects of a document."""
    if isinstance(document, dict):
        yield document
    if isinstance(document, dict | list):
        for inner in document.values() if isinstance(document, dict) else document:
            yield from nodes(inner)


def resolve(document: Json, reference: str) -> object:
    """Follow a reference within the document; None if it does not resolve."""
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found
