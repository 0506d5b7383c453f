"""The `openai` package against the proxy."""

import json

import openai
from checks import BASE, CALLS, HELLO, KEY, PIXEL, check, holds, raises, same
from pydantic import BaseModel

client = openai.OpenAI(base_url=BASE + "/v1", api_key=KEY, max_retries=0, timeout=60)
say = lambda text="hello": [{"role": "user", "content": text}]
function = lambda name, field: {
    "name": name,
    "description": name,
    "parameters": {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]},
}
FUNCTIONS = [function("weather", "city"), function("time", "zone")]
TOOLS = [{"type": "function", "function": one} for one in FUNCTIONS]
FLAT = [{"type": "function", "strict": False, **one} for one in FUNCTIONS]


class Place(BaseModel):
    city: str
    n: int


def chat(model):
    done = client.chat.completions.create(model=model, messages=say())
    holds(done.choices[0].message.content, HELLO)
    same((done.usage.prompt_tokens, done.usage.completion_tokens), (40, 12))
    same(done.usage.prompt_tokens_details.cached_tokens, 8)


def chat_stream(model):
    stream = client.chat.completions.create(
        model=model, messages=say(), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    holds("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), HELLO)
    same(chunks[-1].usage.total_tokens, 52)


def chat_tools(model):
    done = client.chat.completions.create(model=model, messages=say(CALLS), tools=TOOLS)
    message = done.choices[0].message
    same([call.function.name for call in message.tool_calls], ["weather", "time"])
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} is good"}
        for call in message.tool_calls
    ]
    turns = [*say(CALLS), message.model_dump(exclude_none=True), *results]
    done = client.chat.completions.create(model=model, messages=turns, tools=TOOLS)
    holds(done.choices[0].message.content, "The tools said: weather is good | time is good.")


def chat_tools_stream(model):
    with client.chat.completions.stream(model=model, messages=say(CALLS), tools=TOOLS) as stream:
        done = stream.get_final_completion()
    calls = done.choices[0].message.tool_calls
    same([json.loads(call.function.arguments) for call in calls], [{"city": "Paris"}, {"zone": "UTC"}])


def chat_picture(model):
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}},
    ]
    done = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    holds(done.choices[0].message.content, "I saw 1 picture(s): image/png.")


def chat_shape(model):
    done = client.chat.completions.parse(model=model, messages=say(), response_format=Place)
    same(done.choices[0].message.parsed, Place(city="Paris", n=7))


def chat_thinking(model):
    done = client.chat.completions.create(model=model, messages=say(), reasoning_effort="high")
    holds(done.choices[0].message.reasoning_content, "I weigh it.")


def chat_leaves(model):
    stream = client.chat.completions.create(model=model, messages=say(), stream=True)
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    stream.close()


def response(model):
    done = client.responses.create(model=model, input="hello")
    holds(done.output_text, HELLO)
    same((done.usage.input_tokens, done.usage.output_tokens), (40, 12))


def response_stream(model):
    with client.responses.stream(model=model, input="hello") as stream:
        holds(stream.get_final_response().output_text, HELLO)


def response_tools(model):
    done = client.responses.create(model=model, input=CALLS, tools=FLAT)
    calls = [item for item in done.output if item.type == "function_call"]
    same([call.name for call in calls], ["weather", "time"])
    turns = [{"role": "user", "content": CALLS}, *[item.model_dump(exclude_none=True) for item in done.output]]
    turns += [{"type": "function_call_output", "call_id": call.call_id, "output": "good"} for call in calls]
    done = client.responses.create(model=model, input=turns, tools=FLAT)
    holds(done.output_text, "The tools said: good | good.")


def response_thinking(model):
    done = client.responses.create(model=model, input="hello", reasoning={"effort": "high", "summary": "auto"})
    thoughts = [part.text for item in done.output if item.type == "reasoning" for part in item.summary]
    holds("".join(thoughts), "I weigh it.")


def response_shape(model):
    same(client.responses.parse(model=model, input="hello", text_format=Place).output_parsed, Place(city="Paris", n=7))


def long_prompt(model):
    done = client.chat.completions.create(model=model, messages=say("word " * 210_000))
    holds(done.choices[0].message.content, "I read 1050000 characters.")


def embeddings():
    done = client.embeddings.create(model="mock-embed", input=["a", "b"])
    same([len(one.embedding) for one in done.data], [8, 8])
    same(done.data[1].embedding[1], 1.0)


for model in ["mock-openai", "mock-anthropic", "mock-gemini"]:
    for run in [
        chat,
        chat_stream,
        chat_tools,
        chat_tools_stream,
        chat_picture,
        chat_shape,
        *([] if model == "mock-gemini" else [chat_thinking]),  # Gemini shows its thoughts to who can ask for them
        response,
        response_stream,
        response_tools,
        response_thinking,
        response_shape,
    ]:
        check(f"{run.__name__} of {model}", lambda: run(model))
check("a client that leaves", lambda: chat_leaves("fault-stall-mid"))
check("a megabyte", lambda: long_prompt("mock-openai"))
check("a megabyte, translated", lambda: long_prompt("mock-anthropic"))
check("embeddings", embeddings)
check("models", lambda: holds(" ".join(model.id for model in client.models.list()), "mock-anthropic"))

ask = lambda model, **more: client.chat.completions.create(model=model, messages=say(), **more)
check("a busy provider", lambda: raises(openai.RateLimitError, lambda: ask("fault-429"), 429))
check("a failing provider", lambda: raises(openai.InternalServerError, lambda: ask("fault-500")))
check("a prompt too long", lambda: same(
    raises(openai.BadRequestError, lambda: ask("fault-context"), 400).code, "context_length_exceeded"))
check("an unknown model", lambda: raises((openai.NotFoundError, openai.BadRequestError), lambda: ask("nobody-has-this")))
check("a wrong key", lambda: raises(
    openai.AuthenticationError, lambda: client.with_options(api_key="sk-sanctum-wrong").models.list(), 401))
check("a cut stream raises", lambda: raises(Exception, lambda: list(ask("fault-reset-mid", stream=True))))
check("a stream that ends early raises", lambda: raises(Exception, lambda: list(ask("fault-end-mid", stream=True))))
check("an error inside of a stream raises", lambda: raises(Exception, lambda: list(ask("fault-error-mid", stream=True))))
