//! The places and spellings in which providers say a usage.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// No call has more tokens than this.
const MOST: u64 = 1_000_000_000;

/// A usage is there but cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What was said, by its name; `None` where nothing or zero was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) prompt: Option<u64>,
    pub(super) input: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) cached: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) reasoning: Option<u64>,
    /// It has Anthropic's counts of cached tokens, which stand beside `input_tokens`.
    pub(super) anthropic: bool,
    /// It was served with priority.
    pub(super) priority: bool,
}

impl Counts {
    /// These, with the earlier ones where these say nothing, or zero.
    pub(super) fn over(self, earlier: Self) -> Self {
        let last = |now: Option<u64>, before: Option<u64>| now.filter(|it| *it > 0).or(before).or(now);
        Self {
            prompt: last(self.prompt, earlier.prompt),
            input: last(self.input, earlier.input),
            completion: last(self.completion, earlier.completion),
            output: last(self.output, earlier.output),
            total: last(self.total, earlier.total),
            cached: last(self.cached, earlier.cached),
            cache_write: last(self.cache_write, earlier.cache_write),
            reasoning: last(self.reasoning, earlier.reasoning),
            anthropic: self.anthropic || earlier.anthropic,
            priority: self.priority || earlier.priority,
        }
    }
}

/// An answer, or an event of one, as far as a usage can be in it.
#[derive(serde::Deserialize)]
pub(super) struct Seen<'a> {
    /// As whose customer of OpenAI the request was served; in a response of the Responses API inside it.
    #[serde(borrow, default)]
    service_tier: Option<&'a RawValue>,
    /// Chat completions, completions, embeddings, a plain response, Anthropic's `message_delta`.
    #[serde(default)]
    usage: Object<Said>,
    /// The Responses API's `response.completed`, `.incomplete` and `.failed`.
    #[serde(default)]
    #[serde(borrow)]
    response: Object<Inner<'a>>,
    /// Anthropic's `message_start`.
    #[serde(default)]
    #[serde(borrow)]
    message: Object<Inner<'a>>,
    /// Groq, where nobody asked for a usage.
    #[serde(default)]
    #[serde(borrow)]
    x_groq: Object<Inner<'a>>,
}

impl Seen<'_> {
    /// The counts; `None` when no usage is there, or an empty one.
    pub(super) fn counts(self) -> Result<Option<Counts>, Unreadable> {
        let outer = Inner { usage: self.usage, service_tier: self.service_tier };
        let places = [Some(outer), self.response.0, self.message.0, self.x_groq.0];
        let found = places.into_iter().flatten().find_map(|it| Some((it.usage.0?, it.service_tier)));
        let Some((said, tier)) = found else { return Ok(None) };
        let counts = said.counts()?;
        let priority = tier.is_some_and(|it| it.get() == "\"priority\"");
        Ok(Some(counts).filter(|it| *it != Counts::default()).map(|it| Counts { priority, ..it }))
    }
}

#[derive(serde::Deserialize)]
struct Inner<'a> {
    #[serde(default)]
    usage: Object<Said>,
    #[serde(borrow, default)]
    service_tier: Option<&'a RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Said {
    prompt_tokens: Tokens,
    input_tokens: Tokens,
    completion_tokens: Tokens,
    output_tokens: Tokens,
    total_tokens: Tokens,
    prompt_tokens_details: Object<OfInput>,
    input_tokens_details: Object<OfInput>,
    completion_tokens_details: Object<OfOutput>,
    output_tokens_details: Object<OfOutput>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Tokens,
    /// Moonshot.
    cached_tokens: Tokens,
    /// Mistral.
    num_cached_tokens: Tokens,
    /// Anthropic.
    cache_read_input_tokens: Tokens,
    /// Anthropic.
    cache_creation_input_tokens: Tokens,
    /// Perplexity.
    reasoning_tokens: Tokens,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct OfInput {
    cached_tokens: Tokens,
    /// OpenAI since GPT-5.6, OpenRouter.
    cache_write_tokens: Tokens,
    /// LiteLLM.
    cache_creation_tokens: Tokens,
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct OfOutput {
    reasoning_tokens: Tokens,
}

impl Said {
    fn counts(self) -> Result<Counts, Unreadable> {
        let prompt = self.prompt_tokens_details.0.unwrap_or_default();
        let input = self.input_tokens_details.0.unwrap_or_default();
        let completion = self.completion_tokens_details.0.unwrap_or_default();
        let output = self.output_tokens_details.0.unwrap_or_default();
        let read = self.cache_read_input_tokens;
        let cached = [
            prompt.cached_tokens,
            input.cached_tokens,
            self.prompt_cache_hit_tokens,
            self.cached_tokens,
            self.num_cached_tokens,
            read,
        ];
        let written = [
            prompt.cache_write_tokens,
            prompt.cache_creation_tokens,
            input.cache_write_tokens,
            input.cache_creation_tokens,
            self.cache_creation_input_tokens,
        ];
        let reasoning = [completion.reasoning_tokens, output.reasoning_tokens, self.reasoning_tokens];
        Ok(Counts {
            prompt: self.prompt_tokens.get()?,
            input: self.input_tokens.get()?,
            completion: self.completion_tokens.get()?,
            output: self.output_tokens.get()?,
            total: self.total_tokens.get()?,
            cached: largest(cached)?,
            cache_write: largest(written)?,
            reasoning: largest(reasoning)?,
            anthropic: read.get()?.or(self.cache_creation_input_tokens.get()?).is_some(),
            priority: false,
        })
    }
}

/// Of several spellings of one count the largest.
fn largest<const N: usize>(spellings: [Tokens; N]) -> Result<Option<u64>, Unreadable> {
    spellings.into_iter().try_fold(None, |most: Option<u64>, it| Ok(most.max(it.get()?)))
}

/// A count, as far as it is one; reading it never fails.
#[derive(Clone, Copy, Default)]
enum Tokens {
    /// It is not there, or null.
    #[default]
    Unsaid,
    Said(u64),
    NoCount,
}

impl Tokens {
    fn get(self) -> Result<Option<u64>, Unreadable> {
        match self {
            Self::Unsaid => Ok(None),
            Self::Said(count) if count <= MOST => Ok(Some(count)),
            Self::Said(_) | Self::NoCount => Err(Unreadable),
        }
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Count)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = Tokens;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a count of tokens")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Tokens, E> {
        Ok(Tokens::Said(count))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Tokens, E> {
        Ok(Tokens::NoCount)
    }

    /// `12.0` is a whole number too; whatever is none has a sign, a point or letters when it is written out.
    fn visit_f64<E: de::Error>(self, count: f64) -> Result<Tokens, E> {
        Ok(count.to_string().parse().map_or(Tokens::NoCount, Tokens::Said))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tokens, E> {
        Ok(Tokens::Unsaid)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Tokens, E> {
        Ok(Tokens::NoCount)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Tokens, E> {
        Ok(Tokens::NoCount)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tokens, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Tokens::NoCount)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tokens, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Tokens::NoCount)
    }
}

/// An object, or `None` for whatever else stands in its place: some servers write `[]` for an empty
/// object, and elsewhere (Ollama's own API) `response` is a text.
struct Object<T>(Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Lenient(PhantomData))
    }
}

struct Lenient<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Lenient<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(|it| Object(Some(it)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Object(None))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Object(None))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Object(None))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Object(None))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Object(None))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Object(None))
    }
}
