// The Vercel AI SDK, with its provider for OpenAI and the one for whoever is compatible, against every provider.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateObject, generateText, jsonSchema, streamText, tool } from "ai";
import { z } from "zod";
import { gateway, mint, setting, tool as weather } from "./gateway.mjs";

const place = z.object({ city: z.string(), inhabitants: z.number() });
const tools = { get_weather: tool({ inputSchema: jsonSchema(weather.function.parameters) }) };

const connectors = {
  openai: async () => {
    const openai = createOpenAI({ baseURL: `${gateway}/v1`, apiKey: await mint() });
    return { chat: (model) => openai.chat(model), embedding: (model) => openai.embedding(model) };
  },
  compatible: async () => {
    const settings = { name: "tollgate", baseURL: `${gateway}/v1`, supportsStructuredOutputs: true };
    const compatible = createOpenAICompatible({ ...settings, apiKey: await mint() });
    return { chat: (model) => compatible(model), embedding: (model) => compatible.textEmbeddingModel(model) };
  },
};

for (const { name, embeddings, structured } of JSON.parse(setting("PROVIDERS"))) {
  for (const [connector, connect] of Object.entries(connectors)) {
    // Gemini's calls in a stream have no index, which @ai-sdk/openai insists on.
    const indexed = !(name === "google" && connector === "openai");
    // @ai-sdk/openai asks for usage in every stream, which a small server that nobody knows need not take.
    const streams = !(name === "custom" && connector === "openai");
    const check = (what, run) => test(`${name}, ${connector}: ${what}`, async () => run(await connect()));

    check("a plain chat", async (sdk) => {
      const { text, finishReason } = await generateText({ model: sdk.chat(`${name}/some-model`), prompt: "the tide is high", maxOutputTokens: 50 });
      assert.match(text, /the tide is high/);
      assert.equal(finishReason, "stop");
    });

    if (streams) {
      check("a streamed chat", async (sdk) => {
        const answer = streamText({ model: sdk.chat(`${name}/some-model`), prompt: "one two three", onError: ({ error }) => assert.fail(error) });
        let text = "";
        for await (const piece of answer.textStream) text += piece;
        assert.match(text, /one two three/);
        assert.equal(await answer.finishReason, "stop");
      });

      if (indexed) check("a tool is called in a stream", async (sdk) => {
        const answer = streamText({ model: sdk.chat(`${name}/fake-tools`), prompt: "weather in Oslo?", tools, toolChoice: "required" });
        const [call] = await answer.toolCalls;
        assert.deepEqual([call.toolName, call.input.heard], ["get_weather", "weather in Oslo?"]);
      });

      check("an error in a stream is an error", async (sdk) => {
        const errors = [];
        const answer = streamText({ model: sdk.chat(`${name}/fake-error-3`), prompt: "hi", onError: ({ error }) => errors.push(error) });
        await answer.consumeStream();
        // OpenRouter's error stands in a chunk with a choice: to @ai-sdk/openai that is an end, though none of the usual.
        if (name === "openrouter" && connector === "openai") assert.equal(await answer.finishReason, "other");
        else assert.equal(errors.length, 1);
      });
    }

    check("a tool is called", async (sdk) => {
      const { toolCalls } = await generateText({ model: sdk.chat(`${name}/fake-tools`), prompt: "weather in Oslo?", tools, toolChoice: "required" });
      assert.deepEqual([toolCalls[0].toolName, toolCalls[0].input.heard], ["get_weather", "weather in Oslo?"]);
    });

    check("structured output", async (sdk) => {
      const answer = generateObject({ model: sdk.chat(`${name}/some-model`), schema: place, prompt: "Oslo" });
      if (structured) assert.deepEqual((await answer).object, { city: "Oslo", inhabitants: 7 });
      else await assert.rejects(answer);
    });

    check("embeddings", async (sdk) => {
      const answer = embedMany({ model: sdk.embedding(`${name}/some-embedding`), values: ["a", "bc"], maxRetries: 0 });
      if (embeddings) assert.deepEqual((await answer).embeddings.map((it) => it[0]), [1, 2]);
      else await assert.rejects(answer, (error) => [400, 404].includes(error.statusCode));
    });

    check("errors have their status and their text", async (sdk) => {
      for (const status of [400, 422, 429, 500, 503]) {
        const answer = generateText({ model: sdk.chat(`${name}/fake-${status}`), prompt: "hi", maxRetries: 0 });
        await assert.rejects(answer, (error) => {
          assert.ok(APICallError.isInstance(error), `${error}`);
          assert.equal(error.statusCode, status);
          assert.match(error.message, new RegExp(`told to answer ${status}`));
          return true;
        });
      }
    });
  }
}
