// Vercel's `ai` package, with its three ways to a proxy.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;
const [base, key] = process.argv.slice(2);
const baseURL = `${base}/v1`;
const HELLO = "I read 5 characters.";
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async function check(name, run) {
  try {
    await run();
    console.log("ok", name);
  } catch (error) {
    console.log(`no ${name}: ${error?.name}: ${error?.message}`.replaceAll("\n", " ").slice(0, 400));
  }
}
function holds(text, words) {
  if (!text?.includes(words)) throw new Error(`"${words}" is not in "${text}"`);
}
async function fails(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
async function all(stream) {
  let failed;
  let text = "";
  for await (const part of stream.fullStream) {
    if (part.type === "error") failed = part.error;
    if (part.type === "text-delta") text += part.text ?? part.delta;
  }
  if (failed) throw failed;
  return text;
}

const openai = createOpenAI({ baseURL, apiKey: key });
const compatible = createOpenAICompatible({ name: "sanctum", baseURL, apiKey: key, includeUsage: true });
const anthropic = createAnthropic({ baseURL, apiKey: key });
const tools = {
  weather: tool({ description: "weather", inputSchema: z.object({ city: z.string() }), execute: async () => "sunny" }),
  time: tool({ description: "time", inputSchema: z.object({ zone: z.string() }), execute: async () => "noon" }),
};
const calls = 'call weather {"city":"Paris"}\ncall time {"zone":"UTC"}';
const ways = [
  ["responses", (name) => openai.responses(name), ["mock-openai", "mock-anthropic", "mock-gemini"]],
  ["chat", (name) => openai.chat(name), ["mock-openai", "mock-anthropic", "mock-gemini"]],
  ["compatible", (name) => compatible(name), ["mock-openai", "mock-anthropic"]],
  ["anthropic", (name) => anthropic(name), ["mock-anthropic", "mock-openai", "mock-gemini"]],
];

for (const [way, model, names] of ways) {
  for (const name of names) {
    const at = `${way} of ${name}`;
    await check(`${at}: text`, async () => {
      const done = await generateText({ model: model(name), prompt: "hello" });
      holds(done.text, HELLO);
      if (done.usage.inputTokens !== 40 || done.usage.outputTokens !== 12) throw new Error(JSON.stringify(done.usage));
    });
    await check(`${at}: stream`, async () => holds(await all(streamText({ model: model(name), prompt: "hello" })), HELLO));
    await check(`${at}: tools`, async () => {
      const done = await generateText({ model: model(name), prompt: calls, tools, stopWhen: stepCountIs(3) });
      holds(done.text, "The tools said: sunny | noon.");
    });
    await check(`${at}: tools, streamed`, async () => {
      const stream = streamText({ model: model(name), prompt: calls, tools, stopWhen: stepCountIs(3) });
      holds(await all(stream), "The tools said: sunny | noon.");
    });
    await check(`${at}: picture`, async () => {
      const content = [{ type: "text", text: "look" }, { type: "file", mediaType: "image/png", data: PIXEL }];
      const done = await generateText({ model: model(name), messages: [{ role: "user", content }] });
      holds(done.text, "I saw 1 picture(s): image/png.");
    });
  }
}
for (const [way, model] of ways.filter(([way]) => way !== "compatible")) {
  await check(`${way}: object`, async () => {
    const output = Output.object({ schema: z.object({ city: z.string(), n: z.number().int() }) });
    const done = await generateText({ model: model("mock-openai"), prompt: "hello", output });
    if (done.output.city !== "Paris") throw new Error(JSON.stringify(done.output));
  });
}
for (const [way, model] of ways) {
  const name = (fault) => model(way === "anthropic" ? `claude-fault-${fault}` : `fault-${fault}`);
  await check(`${way}: a failing provider throws`, () => fails(() => generateText({ model: name("500"), prompt: "x", maxRetries: 0 })));
  await check(`${way}: a cut stream throws`, () => fails(() => all(streamText({ model: name("reset-mid"), prompt: "x", maxRetries: 0, onError() {} }))));
  await check(`${way}: a stream that ends early throws`, () => fails(() => all(streamText({ model: name("end-mid"), prompt: "x", maxRetries: 0, onError() {} }))));
  await check(`${way}: a client that leaves`, async () => {
    const stop = new AbortController();
    const stream = streamText({ model: name("stall-mid"), prompt: "x", maxRetries: 0, abortSignal: stop.signal, onError() {} });
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") stop.abort();
    }
  });
}
await check("embed", async () => {
  const done = await embed({ model: openai.embedding("mock-embed"), value: "hello" });
  if (done.embedding.length !== 8) throw new Error(`${done.embedding.length} numbers`);
});
process.exit(0);
