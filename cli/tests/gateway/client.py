"""OpenAI's client for Python against the gateway; prints what it saw as one line of JSON."""

import json

import openai

client = openai.OpenAI()
seen = {"models": [model.id for model in client.models.list()]}
hi = [{"role": "user", "content": "hi"}]

whole = client.chat.completions.create(model="1:2", messages=hi, max_tokens=5)
seen["whole"] = whole.choices[0].message.content
seen["finish"] = whole.choices[0].finish_reason
seen["completion_tokens"] = whole.usage.completion_tokens

text, usage = "", None
stream = client.chat.completions.create(
    model="1:2", messages=hi, max_tokens=4, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    for choice in chunk.choices:
        text += choice.delta.content or ""
    usage = chunk.usage or usage
seen["streamed"], seen["usage"] = text, usage.completion_tokens

completion = client.completions.create(model="1:2", prompt="a", max_tokens=3, temperature=0.5)
seen["completion"] = completion.choices[0].text

paint = {
    "type": "object",
    "properties": {
        "shade": {"enum": ["red", "green"]},
        "coats": {"type": "integer"},
        "dry": {"type": "boolean"},
    },
    "required": ["shade", "coats", "dry"],
    "additionalProperties": False,
}


def bound(schema):
    """A chat whose answer the schema binds."""
    named = {"type": "json_schema", "json_schema": {"name": "paint", "schema": schema, "strict": True}}
    answer = client.chat.completions.create(model="1:2", messages=hi, max_tokens=200, response_format=named)
    return json.loads(answer.choices[0].message.content)


answer = bound(paint)
assert answer["shade"] in ("red", "green") and isinstance(answer["coats"], int), answer
seen["bound"] = list(answer)
try:
    bound({"type": "string", "pattern": "a*"})
except openai.APIStatusError as error:
    assert "pattern" in error.message
    seen["bad_schema"] = error.status_code


def status(**question):
    """HTTP status of a question that is refused."""
    try:
        client.completions.create(**question)
    except openai.APIStatusError as error:
        assert error.code and error.message
        return error.status_code
    return 200


seen["wrong_model"] = status(model="9:9", prompt="a")
seen["too_long"] = status(model="1:2", prompt="a", max_tokens=100_000)
statuses = [status(model="1:2", prompt="a", max_tokens=500) for _ in range(8)]
seen["over_the_limit"] = statuses[-1]
client = openai.OpenAI(api_key="wrong")
seen["wrong_key"] = status(model="1:2", prompt="a")
print(json.dumps(seen))
