"""The `anthropic` package against the proxy."""

import anthropic
from checks import BASE, CALLS, HELLO, KEY, PIXEL, check, holds, raises, same

client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)
say = lambda text="hello": [{"role": "user", "content": text}]
tool = lambda name, field: {
    "name": name,
    "description": name,
    "input_schema": {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]},
}
TOOLS = [tool("weather", "city"), tool("time", "zone")]
THINK = {"type": "enabled", "budget_tokens": 1024}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def messages(model):
    done = client.messages.create(model=model, max_tokens=64, messages=say())
    holds(text_of(done), HELLO)
    same((done.usage.input_tokens, done.usage.cache_read_input_tokens, done.usage.output_tokens), (32, 8, 12))
    same(done.stop_reason, "end_turn")


def stream(model):
    with client.messages.stream(model=model, max_tokens=64, messages=say()) as events:
        done = events.get_final_message()
    holds(text_of(done), HELLO)
    same(done.usage.output_tokens, 12)


def tools(model):
    done = client.messages.create(model=model, max_tokens=64, messages=say(CALLS), tools=TOOLS)
    calls = [block for block in done.content if block.type == "tool_use"]
    same([(call.name, call.input) for call in calls], [("weather", {"city": "Paris"}), ("time", {"zone": "UTC"})])
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "good"} for call in calls]
    turns = [*say(CALLS), {"role": "assistant", "content": done.content}, {"role": "user", "content": results}]
    done = client.messages.create(model=model, max_tokens=64, messages=turns, tools=TOOLS)
    holds(text_of(done), "The tools said: good | good.")


def tools_stream(model):
    with client.messages.stream(model=model, max_tokens=64, messages=say(CALLS), tools=TOOLS) as events:
        done = events.get_final_message()
    same([block.input for block in done.content if block.type == "tool_use"], [{"city": "Paris"}, {"zone": "UTC"}])
    same(done.stop_reason, "tool_use")


def picture(model):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": "look"}, {"type": "image", "source": source}]
    done = client.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": content}])
    holds(text_of(done), "I saw 1 picture(s): image/png.")


def thinking(model):
    done = client.messages.create(model=model, max_tokens=4000, messages=say(), thinking=THINK)
    holds("".join(block.thinking for block in done.content if block.type == "thinking"), "I weigh it.")
    # What came goes back as it came.
    turns = [*say(), {"role": "assistant", "content": done.content}, *say("and?")]
    holds(text_of(client.messages.create(model=model, max_tokens=4000, messages=turns, thinking=THINK)), "I read 4")


def thinking_stream(model):
    with client.messages.stream(model=model, max_tokens=4000, messages=say(), thinking=THINK) as events:
        done = events.get_final_message()
    holds("".join(block.thinking for block in done.content if block.type == "thinking"), "I weigh it.")


def count(model):
    few = client.messages.count_tokens(model=model, messages=say()).input_tokens
    many = client.messages.count_tokens(model=model, messages=say("words and words " * 1000)).input_tokens
    if not 0 < few < many:
        raise AssertionError(f"{few} and {many}")


def leaves(model):
    with client.messages.stream(model=model, max_tokens=64, messages=say()) as events:
        for _ in events.text_stream:
            break


def shape(model):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    form = {"format": {"type": "json_schema", "schema": schema}}
    done = client.messages.create(model=model, max_tokens=64, messages=say(), extra_body={"output_config": form})
    same(text_of(done).replace(" ", ""), '{"city":"Paris"}')


def messages_with_token():
    other = anthropic.Anthropic(base_url=BASE, auth_token=KEY, max_retries=0)
    holds(text_of(other.messages.create(model="mock-anthropic", max_tokens=64, messages=say())), HELLO)


def final(model):
    with client.messages.stream(model=model, max_tokens=64, messages=say()) as events:
        return events.get_final_message()


for model in ["mock-anthropic", "mock-openai", "mock-gemini"]:
    for run in [messages, stream, tools, tools_stream, picture, thinking, thinking_stream, count, shape]:
        check(f"{run.__name__} of {model}", lambda: run(model))
check("a client that leaves", lambda: leaves("claude-fault-stall-mid"))
check("a megabyte", lambda: holds(
    text_of(client.messages.create(model="mock-anthropic", max_tokens=64, messages=say("word " * 210_000))), "I read 1050000"))
check("models", lambda: holds(" ".join(model.id for model in client.models.list()), "mock-anthropic"))
check("a token instead of a key", messages_with_token)

ask = lambda model: client.messages.create(model=model, max_tokens=64, messages=say())


check("overloaded", lambda: raises(anthropic.APIStatusError, lambda: ask("claude-fault-529"), 529))
check("a busy provider", lambda: raises(anthropic.RateLimitError, lambda: ask("claude-fault-429"), 429))
check("an unknown model", lambda: raises(anthropic.NotFoundError, lambda: ask("nobody-has-this"), 404))
check("no max_tokens is said so", lambda: raises(
    anthropic.BadRequestError, lambda: client.post("/v1/messages", cast_to=object, body={"model": "mock-anthropic", "messages": say()})))
check("a cut stream raises", lambda: raises(Exception, lambda: final("claude-fault-reset-mid")))
check("a stream that ends early raises", lambda: raises(Exception, lambda: final("claude-fault-end-mid")))
