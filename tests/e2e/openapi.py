"""An OpenAPI 3.1 document as a test needs it: its operations, requests made from it, good ones and broken ones, and whether a
response is one that it knows. Of JSON Schema what such documents here use; any other keyword is an error, so that nothing
passes because it was not understood."""

import json
import random
import re
import string
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
SAID = {"description", "default", "readOnly", "writeOnly", "title", "examples", "$comment", "deprecated", "$schema", "$id", "contentMediaType",
        "contentSchema"}


def is_of(name, value):
    if name in ("integer", "number"):
        return not isinstance(value, bool) and (isinstance(value, int) or isinstance(value, float)
                                                and (name == "number" or value.is_integer()))
    return isinstance(value, TYPES[name])


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


class Schemas:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            assert node["$ref"].startswith("#/"), node
            for part in node["$ref"][2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def mistakes(self, schema, value, at="#"):
        """What is wrong with it, as sentences."""
        if isinstance(schema, bool):
            return [] if schema else [f"{at}: nothing is allowed here"]
        found = []
        for keyword, rule in schema.items():
            if keyword not in SAID and keyword not in ("then", "else") and not keyword.startswith("x-"):
                check = getattr(self, "check_" + keyword.lstrip("$"), None)
                assert check, f"{at}: nobody knows the keyword {keyword}"
                found += check(rule, value, at, schema)
        return found

    def check_ref(self, rule, value, at, schema):
        return self.mistakes(self.resolve({"$ref": rule}), value, at)

    def check_type(self, rule, value, at, schema):
        names = [rule] if isinstance(rule, str) else rule
        return [] if any(is_of(name, value) for name in names) else [f"{at}: {value!r:.80} is no {rule}"]

    def check_enum(self, rule, value, at, schema):
        return [] if any(same(one, value) for one in rule) else [f"{at}: {value!r:.80} is none of {rule}"]

    def check_const(self, rule, value, at, schema):
        return [] if same(rule, value) else [f"{at}: {value!r:.80} is not {rule!r}"]

    def check_required(self, rule, value, at, schema):
        return [f"{at}: no {key}" for key in rule if key not in value] if isinstance(value, dict) else []

    def check_properties(self, rule, value, at, schema):
        if not isinstance(value, dict):
            return []
        return [text for key in rule if key in value for text in self.mistakes(rule[key], value[key], f"{at}/{key}")]

    def check_patternProperties(self, rule, value, at, schema):
        if not isinstance(value, dict):
            return []
        return [text for pattern, of in rule.items() for key in value if re.search(pattern, key)
                for text in self.mistakes(of, value[key], f"{at}/{key}")]

    def check_additionalProperties(self, rule, value, at, schema):
        if not isinstance(value, dict):
            return []
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        return [text for key in value if key not in known and not any(re.search(one, key) for one in patterns)
                for text in self.mistakes(rule, value[key], f"{at}/{key}")]

    def check_propertyNames(self, rule, value, at, schema):
        return [text for key in value for text in self.mistakes(rule, key, f"{at}/{key}")] if isinstance(value, dict) else []

    def check_items(self, rule, value, at, schema):
        if not isinstance(value, list):
            return []
        return [text for i, one in enumerate(value) for text in self.mistakes(rule, one, f"{at}/{i}")]

    def check_contains(self, rule, value, at, schema):
        good = not isinstance(value, list) or any(not self.mistakes(rule, one) for one in value)
        return [] if good else [f"{at}: has none that it must contain"]

    def check_anyOf(self, rule, value, at, schema):
        each = [self.mistakes(one, value, at) for one in rule]
        return [] if not all(each) else [f"{at}: none of these: " + "; or ".join(one[0] for one in each)]

    def check_oneOf(self, rule, value, at, schema):
        good = sum(not self.mistakes(one, value, at) for one in rule)
        return [] if good == 1 else [f"{at}: {good} of {len(rule)} fit"]

    def check_allOf(self, rule, value, at, schema):
        return [text for one in rule for text in self.mistakes(one, value, at)]

    def check_not(self, rule, value, at, schema):
        return [] if self.mistakes(rule, value, at) else [f"{at}: is what it must not be"]

    def check_if(self, rule, value, at, schema):
        return self.mistakes(schema.get("else" if self.mistakes(rule, value, at) else "then", True), value, at)

    def check_dependentRequired(self, rule, value, at, schema):
        return [f"{at}: {key} without {other}" for key, others in rule.items() for other in others
                if isinstance(value, dict) and key in value and other not in value]

    def _bound(self, good, value, at, what):
        return [] if good else [f"{at}: {value!r:.80} is not {what}"]

    def check_minimum(self, rule, value, at, schema):
        return self._bound(not is_of("number", value) or value >= rule, value, at, f">= {rule}")

    def check_maximum(self, rule, value, at, schema):
        return self._bound(not is_of("number", value) or value <= rule, value, at, f"<= {rule}")

    def check_exclusiveMinimum(self, rule, value, at, schema):
        return self._bound(not is_of("number", value) or value > rule, value, at, f"> {rule}")

    def check_exclusiveMaximum(self, rule, value, at, schema):
        return self._bound(not is_of("number", value) or value < rule, value, at, f"< {rule}")

    def check_minLength(self, rule, value, at, schema):
        return self._bound(not isinstance(value, str) or len(value) >= rule, value, at, f"{rule} long")

    def check_maxLength(self, rule, value, at, schema):
        return self._bound(not isinstance(value, str) or len(value) <= rule, value, at, f"at most {rule} long")

    def check_minItems(self, rule, value, at, schema):
        return self._bound(not isinstance(value, list) or len(value) >= rule, value, at, f"{rule} items")

    def check_maxItems(self, rule, value, at, schema):
        return self._bound(not isinstance(value, list) or len(value) <= rule, value, at, f"at most {rule} items")

    def check_minProperties(self, rule, value, at, schema):
        return self._bound(not isinstance(value, dict) or len(value) >= rule, value, at, f"{rule} members")

    def check_maxProperties(self, rule, value, at, schema):
        return self._bound(not isinstance(value, dict) or len(value) <= rule, value, at, f"at most {rule} members")

    def check_uniqueItems(self, rule, value, at, schema):
        texts = [json.dumps(one, sort_keys=True) for one in value] if isinstance(value, list) else []
        return self._bound(not rule or len(texts) == len(set(texts)), value, at, "without repetition")

    def check_pattern(self, rule, value, at, schema):
        return self._bound(not isinstance(value, str) or re.search(rule, value), value, at, f"like {rule}")

    def check_format(self, rule, value, at, schema):
        if not isinstance(value, str) or rule != "date-time":
            return []
        try:
            datetime.fromisoformat(value.replace("Z", "+00:00"))
            good = value.endswith("Z")
        except ValueError:
            good = False
        return self._bound(good, value, at, "a time in UTC")


@dataclass
class Operation:
    path: str
    method: str
    node: dict
    parameters: list

    @property
    def id(self):
        return self.node["operationId"]


class Document(Schemas):
    def __init__(self, document):
        super().__init__(document)
        self.root = document["servers"][0]["url"]
        self.operations = [Operation(path, method.upper(), node, [self.resolve(one) for one in node["parameters"]])
                           for path, item in document["paths"].items() for method, node in item.items()]

    def misfits(self, operation, status, headers, body):
        """Whatever the document does not say of such a response."""
        known = operation.node["responses"].get(str(status))
        if known is None:
            return [f"status {status} is not documented"]
        known = self.resolve(known)
        kind = (headers.get("Content-Type") or "").partition(";")[0]
        if "content" not in known or operation.method == "HEAD":
            return [f"has a body of {len(body)} bytes"] if body else []
        if kind not in known["content"]:
            return [f"media type {kind} of {status} is not documented"]
        missing = [f"no {name}" for name in known.get("headers", {}) if name == "Location" and name not in headers]
        if kind != "application/json" and not kind.endswith("+json"):
            return missing
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"no JSON: {error}"]
        wrong = [] if status < 400 or value.get("status") == status else ["another status in it"]
        return missing + wrong + self.mistakes(known["content"][kind]["schema"], value)


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes


class Requests:
    """Requests from a document, at random but the same ones for the same seed. `names`: what there is, by parameter's name or by
    key of an object, so that much of what is asked makes sense."""

    def __init__(self, document, seed, names):
        self.document, self.dice, self.names = document, random.Random(seed), names

    def value(self, schema, key=None, depth=0):
        dice = self.dice
        schema = self.document.resolve(schema) if isinstance(schema, dict) else {}
        if key in self.names and dice.random() < 0.7:
            return dice.choice(self.names[key])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return dice.choice(schema["enum"])
        if "allOf" in schema and "type" not in schema:
            return self._merged(schema, depth)
        if ("oneOf" in schema or "anyOf" in schema) and "properties" not in schema:
            return self.value(dice.choice(schema.get("oneOf") or schema["anyOf"]), key, depth)
        kinds = schema.get("type", ["string", "integer", "object", "boolean"])
        kind = kinds if isinstance(kinds, str) else dice.choice(kinds)
        return getattr(self, "make_" + kind)(schema, depth)

    def _merged(self, schema, depth):
        made = {}
        for one in schema["allOf"]:
            whole = self.document.resolve(one)
            if whole.get("type") == "object":
                made.update(self.value(whole, None, depth))
        for key in schema.get("required", []):
            made.setdefault(key, self.value({"type": "string"}, key))
        return made

    def make_object(self, schema, depth):
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        chance = 0.25 if depth else 0.35
        made = {key: self.value(of, key, depth + 1) for key, of in properties.items()
                if key in required or depth < 4 and self.dice.random() < chance}
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and depth < 4:
            made.update({self.text(8): self.value(more, None, depth + 1) for _ in range(self.dice.randrange(3))})
        return made

    def make_array(self, schema, depth):
        least = schema.get("minItems", 0)
        count = least + (self.dice.randrange(3) if depth < 5 else 0)
        return [self.value(schema.get("items", {}), None, depth + 1) for _ in range(min(count, schema.get("maxItems", 3)))]

    def make_string(self, schema, depth):
        if schema.get("format") == "date-time":
            return f"2{self.dice.randrange(100, 400)}-0{self.dice.randrange(1, 10)}-11T12:00:00Z"
        return self.text(max(schema.get("minLength", 1), self.dice.randrange(1, min(schema.get("maxLength", 20), 20) + 1)))

    def make_integer(self, schema, depth):
        low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 2**31))
        return self.dice.choice([low, high, self.dice.randint(low, max(low, min(high, low + 10)))])

    def make_number(self, schema, depth):
        return self.make_integer(schema, depth) / self.dice.choice([1, 2, 10])

    def make_boolean(self, schema, depth):
        return self.dice.random() < 0.5

    def make_null(self, schema, depth):
        return None

    def text(self, length):
        return "".join(self.dice.choice(string.ascii_lowercase + string.digits) for _ in range(length))

    # What is broken.

    def junk(self):
        return self.dice.choice([None, True, -1, 0, 2**53, 2**63, -2**70, 1e300, "", "/", "\u0000", "é\U0001f4a1", "x" * 300,
                                 [], {}, [[]], {"": ""}, "0", "..", "%2e%2e", "coap://[ff05::1", "127.0.0.1:99999", [None] * 40])

    def mutate(self, value):
        if isinstance(value, dict) and value and self.dice.random() < 0.8:
            key = self.dice.choice(sorted(value))
            how = self.dice.randrange(4)
            if how == 0:
                return {one: of for one, of in value.items() if one != key}
            if how == 1:
                return {**value, self.text(5): self.junk()}
            return {**value, key: self.mutate(value[key])}
        if isinstance(value, list) and value and self.dice.random() < 0.8:
            at = self.dice.randrange(len(value))
            return value[:at] + [self.mutate(value[at])] + value[at + self.dice.randrange(2):]
        return self.junk()

    def mangle(self, text):
        at = self.dice.randrange(len(text) + 1)
        bits = [b"", b"\xff\xfe", b"\xc0\x80", b"\0", b'{"a":1,"a":2}', b"[" * 3000, b"1e999999", b"9" * 5000, b"NaN", b"\\ud800", b","]
        return text[:at] + self.dice.choice(bits) + text[at + self.dice.randrange(3):]

    def target(self, operation, broken):
        path, query = operation.path, []
        for one in operation.parameters:
            if one["in"] not in ("path", "query") or one["in"] == "query" and self.dice.random() < 0.7:
                continue
            value = self.junk() if broken and self.dice.random() < 0.3 else self.value(one["schema"], self._key(operation, one))
            text = quote({True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value), safe="")
            if one["in"] == "path":
                path = path.replace("{" + one["name"] + "}", text or "x")
            else:
                query.append(f"{one['name']}={text}")
        if broken and self.dice.random() < 0.1:
            query.append(self.dice.choice(["wrong=1", "limit=0", "limit=-1", "cursor=%00", "dry_run=2", "=", "&&", "cursor=" + "A" * 600]))
        return self.document.root + path + ("?" + "&".join(query) if query else "")

    @staticmethod
    def _key(operation, parameter):
        return operation.path.split("/")[1] if parameter["name"] == "name" else parameter["name"]

    def headers(self, operation):
        made = {}
        for one in operation.parameters:
            if one["in"] == "header" and self.dice.random() < (0.8 if one["name"] == "If-Match" else 0.1):
                made[one["name"]] = self.dice.choice(["*", "*", "*", '"1"', 'W/"1"', '"1", "2"', "x"])
        return made

    def body(self, operation, broken, headers):
        sent = operation.node.get("requestBody")
        if sent is None or not sent["required"] and self.dice.random() < 0.3:
            return None
        kind = self.dice.choice(sorted(sent["content"]))
        headers["Content-Type"] = self.dice.choice([kind] * 12 + ["text/plain", "application/xml", "x"]) if broken else kind
        schema = self.document.resolve(sent["content"][kind]["schema"])
        value = self.value(self.whole_of(operation, schema))
        if broken and self.dice.random() < 0.7:
            value = self.mutate(value)
        text = json.dumps(value).encode()
        return self.mangle(text) if broken and self.dice.random() < 0.25 else text

    def whole_of(self, operation, schema):
        """A merge patch may say what the item itself may."""
        name = {"mappings": "MappingSet", "clients": "ClientSet", "reactions": "ReactionSet", "settings": "SettingsSet"}
        if operation.method != "PATCH" or operation.path.split("/")[1] not in name:
            return schema
        whole = self.document.resolve({"$ref": "#/components/schemas/" + name[operation.path.split("/")[1]]})
        return {**whole, "required": []}

    def request(self, operation):
        broken = self.dice.random() < 0.5
        headers = self.headers(operation)
        body = self.body(operation, broken, headers)
        return Request(operation.method, self.target(operation, broken), headers, body)
