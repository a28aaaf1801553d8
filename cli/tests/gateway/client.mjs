// OpenAI's client for JavaScript against the gateway; prints what it saw as one line of JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// Resolved from the folder it is installed in, which is the current one.
const require = createRequire(`${process.cwd()}/`);
const { default: OpenAI } = await import(pathToFileURL(require.resolve('openai')));

let client = new OpenAI();
const seen = { models: [] };
for await (const model of client.models.list()) seen.models.push(model.id);
const messages = [{ role: 'user', content: 'hi' }];

const whole = await client.chat.completions.create({ model: '1:2', messages, max_tokens: 5 });
seen.whole = whole.choices[0].message.content;
seen.finish = whole.choices[0].finish_reason;
seen.completion_tokens = whole.usage.completion_tokens;

seen.streamed = '';
const stream = await client.chat.completions.create({
  model: '1:2', messages, max_tokens: 4, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  seen.streamed += chunk.choices[0]?.delta?.content ?? '';
  seen.usage = chunk.usage?.completion_tokens ?? seen.usage;
}

const completion = await client.completions.create({ model: '1:2', prompt: 'a', max_tokens: 3, temperature: 0.5 });
seen.completion = completion.choices[0].text;

const paint = {
  type: 'object',
  properties: { shade: { enum: ['red', 'green'] }, coats: { type: 'integer' }, dry: { type: 'boolean' } },
  required: ['shade', 'coats', 'dry'],
  additionalProperties: false,
};

/** A chat whose answer the schema binds. */
async function bound(schema) {
  const named = { type: 'json_schema', json_schema: { name: 'paint', schema, strict: true } };
  const answer = await client.chat.completions.create({ model: '1:2', messages, max_tokens: 200, response_format: named });
  return JSON.parse(answer.choices[0].message.content);
}

const answer = await bound(paint);
if (!['red', 'green'].includes(answer.shade) || !Number.isFinite(answer.coats)) throw new Error(JSON.stringify(answer));
seen.bound = Object.keys(answer);
try {
  await bound({ type: 'string', pattern: 'a*' });
} catch (error) {
  if (!(error instanceof OpenAI.APIError) || !error.message.includes('pattern')) throw error;
  seen.bad_schema = error.status;
}

/** HTTP status of a question that is refused. */
async function status(question) {
  try {
    await client.completions.create(question);
    return 200;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return error.status;
  }
}

seen.wrong_model = await status({ model: '9:9', prompt: 'a' });
seen.too_long = await status({ model: '1:2', prompt: 'a', max_tokens: 100_000 });
for (let i = 0; i < 8; i += 1) {
  seen.over_the_limit = await status({ model: '1:2', prompt: 'a', max_tokens: 500 });
}
client = new OpenAI({ apiKey: 'wrong' });
seen.wrong_key = await status({ model: '1:2', prompt: 'a' });
console.log(JSON.stringify(seen));
