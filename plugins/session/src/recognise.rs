//! Which of a client's messages are new, and which does it send again?
//!
//! A client that names a thread need not send what came before, but some do: an application that was written for a provider
//! without memory sends its whole conversation with each request. Its messages are told from new ones by what they say, not
//! by their bytes, for an SDK writes a message otherwise than the provider did: `null` for what is absent, other members in
//! another order, a list with one part of text for the text.
//!
//! Every message is read once and becomes a hash of 64 bits; then the hashes are compared in one pass (Gusfield's Z
//! algorithm). So the time is linear in the bytes of the history and of the body's messages.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

/// What is to be done with a request's messages; all that follow instructions were left out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// So many of the history's messages, from its beginning, go in before the client's.
    pub insert: usize,
    /// So many of the client's messages, from their beginning, are known; the others are new.
    pub known: usize,
}

/// Finds the end of `history` in `messages`, both oldest first.
///
/// The last of the messages is always new. Of the places behind which new ones may begin, the one counts before which most
/// messages are the history's last, and of several such the last one. If the client's messages begin in the midst of the
/// history, what is older than they goes in before them; if they hold something older than what was found, nothing does:
/// the client has its own version of what came before. A client that asks for another answer sends the conversation
/// without the last one; then all of its messages are found before the history's end. An answer that broke off is the same
/// answer wherever it ends.
#[must_use]
pub fn recognise(history: &[&str], messages: &[&str]) -> Recognised {
    let nothing = Recognised { insert: history.len(), known: 0 };
    if history.is_empty() || messages.len() < 2 {
        return nothing;
    }
    let keys: Vec<u64> = history.iter().map(|it| key(it)).collect();
    let sent: Vec<u64> = messages.iter().map(|it| key(it)).collect();
    match longest(&keys, &sent) {
        Some((known, same)) if same == known => Recognised { insert: history.len().saturating_sub(same), known },
        // An answer of few words may have been given before, so that it says less than what is found in one piece.
        part => {
            let same = part.map_or(0, |it| it.1);
            let others = || {
                let another = another_answer(&keys, &sent, history, messages);
                let stopped = broken_off(&keys, &sent, history, messages);
                another.into_iter().chain(stopped).max_by_key(|it| it.0).filter(|it| it.0 > same).map(|it| it.1)
            };
            let part = part.map(|(known, _)| Recognised { insert: 0, known });
            again(&keys, &sent, messages).or_else(others).or(part).unwrap_or(nothing)
        }
    }
}

/// Behind how many of the messages the new ones begin, and how many of those before are the history's last.
fn longest(history: &[u64], sent: &[u64]) -> Option<(usize, usize)> {
    // Seen from their ends, the question is how much of the history's beginning stands where in the messages. The last
    // message is no candidate.
    let last = history.len().min(sent.len());
    let text: Vec<u64> = history.iter().rev().take(last).chain(sent.iter().rev()).copied().collect();
    let lengths = prefix_lengths(&text);
    let mut best: Option<(usize, usize)> = None;
    for known in (1..sent.len()).rev() {
        let at = last.saturating_add(sent.len().saturating_sub(known));
        let same = lengths.get(at).copied().unwrap_or_default().min(last);
        if same > best.map_or(0, |it| it.1) {
            best = Some((known, same));
        }
    }
    best
}

/// A client that wants its last question answered anew: all that it sent stands somewhere in the history, an answer among
/// it. What came behind that is not told again.
fn again(history: &[u64], sent: &[u64], messages: &[&str]) -> Option<Recognised> {
    let answer = messages.iter().rposition(|it| role(it) == "assistant")?;
    let text: Vec<u64> = sent.iter().chain(history).copied().collect();
    let lengths = prefix_lengths(&text);
    let begins = |at: &usize| lengths.get(sent.len().saturating_add(*at)).is_some_and(|it| *it >= sent.len());
    let insert = (0..history.len()).rev().find(begins)?;
    Some(Recognised { insert, known: answer.saturating_add(1).min(sent.len().saturating_sub(1)) })
}

/// So many answers to one question are looked behind.
const MOST_ANSWERS: usize = 16;

/// The same of a client that has its own version of something before, such as the second answer to an earlier question: the
/// first one is in the history beside it, so that what the client sent stands nowhere in one piece. Its last question is the
/// history's last, and what the history holds before that ends as what the client sent before it. With it goes how many
/// messages are the same.
fn another_answer(history: &[u64], sent: &[u64], past: &[&str], messages: &[&str]) -> Option<(usize, Recognised)> {
    let known = messages.iter().rposition(|it| role(it) == "assistant")?.saturating_add(1);
    let (said, question) = sent.split_at_checked(known).filter(|it| !it.1.is_empty())?;
    let mut end = history.len();
    for _ in 0..MOST_ANSWERS {
        let at = last_asked(history.get(..end)?, question, past)?;
        let before = history.get(..at)?;
        let same = before.iter().rev().zip(said.iter().rev()).take_while(|(one, other)| one == other).count();
        let found = match same {
            0 => broken_off(before, sent, past.get(..at)?, messages),
            same => Some((same, Recognised { insert: if same == known { at.saturating_sub(same) } else { 0 }, known })),
        };
        if let Some((same, found)) = found {
            return Some((same.saturating_add(question.len()), found));
        }
        end = at;
    }
    None
}

/// Where `question` stands in the history, if nobody asked anything after it.
fn last_asked(history: &[u64], question: &[u64], past: &[&str]) -> Option<usize> {
    for at in (0..=history.len().checked_sub(question.len())?).rev() {
        let end = at.saturating_add(question.len());
        if history.get(at..end)? == question {
            return Some(at);
        }
        if role(past.get(end.saturating_sub(1))?) == "user" {
            return None;
        }
    }
    None
}

/// A client that stopped an answer and goes on: what it saw of the answer and what is remembered of it seldom end at the same
/// place. If all that differs in the history's last message is where it ends, the client's own stands. With it goes how many
/// messages are the same.
fn broken_off(history: &[u64], sent: &[u64], past: &[&str], messages: &[&str]) -> Option<(usize, Recognised)> {
    let (_, said) = messages.split_last()?;
    let at = said.iter().rposition(|it| role(it) == "assistant")?;
    let (seen, kept) = (text(said.get(at)?)?, text(past.last()?)?);
    if role(past.last()?) != "assistant" || !(seen.starts_with(&kept) || kept.starts_with(&seen)) {
        return None;
    }
    let (_, before) = history.split_last()?;
    let same = before.iter().rev().zip(sent.get(..at)?.iter().rev()).take_while(|(one, other)| one == other).count();
    let insert = if same == at { before.len().saturating_sub(same) } else { 0 };
    (same > 0).then_some((same.saturating_add(1), Recognised { insert, known: at.saturating_add(1) }))
}

/// What a message says in words, if it says anything.
fn text(message: &str) -> Option<String> {
    let content = serde_json::from_str::<Message<'_>>(message).ok()?.content?.get();
    let text = match serde_json::from_str::<Text<'_>>(content) {
        Ok(Text(text)) => text.into_owned(),
        Err(_) => serde_json::from_str::<Few<Part<'_>>>(content).ok()?.0.into_iter().filter_map(|it| it.text).collect(),
    };
    Some(text).filter(|it| !it.is_empty())
}

/// For each place of `text`, how many of what follows there are what `text` begins with.
fn prefix_lengths(text: &[u64]) -> Vec<usize> {
    let mut lengths = vec![0; text.len()];
    let (mut left, mut right) = (0_usize, 0_usize);
    for at in 1..text.len() {
        let mut length = 0;
        if at < right {
            let seen = lengths.get(at.saturating_sub(left)).copied().unwrap_or_default();
            length = seen.min(right.saturating_sub(at));
        }
        while let (Some(one), Some(other)) = (text.get(length), text.get(at.saturating_add(length)))
            && one == other
        {
            length = length.saturating_add(1);
        }
        if at.saturating_add(length) > right {
            (left, right) = (at, at.saturating_add(length));
        }
        if let Some(it) = lengths.get_mut(at) {
            *it = length;
        }
    }
    lengths
}

/// So many calls or parts of one message are looked at; one with more is compared by its bytes. Some bytes of a body can
/// stand for a hundred times as many in memory, which a worker never gives back.
const FEW: usize = 4096;

/// At most [`FEW`] elements.
struct Few<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Few<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
                let mut few = Vec::new();
                while let Some(element) = list.next_element()? {
                    if few.len() >= FEW {
                        return Err(A::Error::custom("too many"));
                    }
                    few.push(element);
                }
                Ok(Few(few))
            }
        }
        from.deserialize_seq(List(PhantomData))
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_calls: Option<Few<Call<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<Called<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<Called<'a>>,
    #[serde(borrow, default)]
    custom: Option<Called<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "input")]
    arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn role(message: &str) -> String {
    let message = serde_json::from_str::<Message<'_>>(message).ok();
    message.and_then(|it| it.role).unwrap_or_default().into_owned()
}

/// What a message says, as a number: who says it, its texts and refusals, its images and other parts, its name, its calls,
/// the call that it answers. A message that cannot be read so is its bytes.
fn key(raw: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    match serde_json::from_str::<Message<'_>>(raw) {
        Ok(message) => message.hash_into(&mut hasher),
        Err(_) => raw.hash(&mut hasher),
    }
    hasher.finish()
}

impl Message<'_> {
    fn hash_into(&self, hasher: &mut DefaultHasher) {
        for text in [&self.role, &self.name, &self.tool_call_id] {
            text.as_deref().unwrap_or_default().hash(hasher);
        }
        let mut refusal = self.refusal.as_deref().unwrap_or_default().to_owned();
        hash_content(self.content.map_or("\"\"", RawValue::get), &mut refusal, hasher);
        refusal.hash(hasher);
        for call in self.tool_calls.iter().flat_map(|it| &it.0) {
            call.id.as_deref().unwrap_or_default().hash(hasher);
            for called in [&call.function, &call.custom].into_iter().flatten() {
                called.hash_into(hasher);
            }
        }
        // What it answers by name came before calls had ids.
        if let Some(called) = &self.function_call {
            called.hash_into(hasher);
        }
    }
}

impl Called<'_> {
    fn hash_into(&self, hasher: &mut DefaultHasher) {
        self.name.as_deref().unwrap_or_default().hash(hasher);
        let arguments = self.arguments.as_deref().unwrap_or_default();
        // Some libraries read arguments and write them again, with other spaces.
        match serde_json::from_str::<Canonical>(arguments) {
            Ok(canonical) => canonical.0.hash(hasher),
            Err(_) => arguments.hash(hasher),
        }
    }
}

/// A text and a list of parts of which the texts are that text are the same; no text is as good as an empty one.
fn hash_content(raw: &str, refusal: &mut String, hasher: &mut DefaultHasher) {
    if let Ok(Text(text)) = serde_json::from_str(raw) {
        text.hash(hasher);
        return;
    }
    let Ok(parts) = serde_json::from_str::<Few<&RawValue>>(raw) else {
        raw.hash(hasher);
        return;
    };
    let mut texts = String::new();
    let mut others = Vec::new();
    for part in parts.0 {
        match serde_json::from_str::<Part<'_>>(part.get()) {
            // A model's thoughts, which are not kept of a stream.
            Ok(Part { kind: Some(kind), .. }) if kind == "thinking" => {}
            Ok(Part { text: Some(text), .. }) => texts.push_str(&text),
            Ok(Part { refusal: Some(text), .. }) => refusal.push_str(&text),
            _ => others.push((texts.len(), Canonical::of(part.get()))),
        }
    }
    texts.hash(hasher);
    others.iter().for_each(|it| it.hash(hasher));
}

/// A JSON value as a number that is the same for every way to write it: in whatever order an object's members stand, with
/// or without those that are `null`.
struct Canonical(u64);

impl Canonical {
    fn of(raw: &str) -> u64 {
        serde_json::from_str::<Self>(raw).map_or_else(|_| number("raw", raw), |it| it.0)
    }
}

fn number(kind: &str, value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

/// What stands for `null`.
const NULL: u64 = 0;

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(NULL)
    }

    fn visit_bool<E>(self, value: bool) -> Result<u64, E> {
        Ok(number("bool", value))
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript reads it no better")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        self.visit_f64(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript reads it no better")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E>(self, value: f64) -> Result<u64, E> {
        Ok(number("number", value.to_bits()))
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(number("text", text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut hasher = DefaultHasher::new();
        while let Some(Canonical(element)) = list.next_element()? {
            element.hash(&mut hasher);
        }
        Ok(number("list", hasher.finish()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u64, A::Error> {
        let mut sum = 0_u64;
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let Canonical(value) = map.next_value()?;
            if value != NULL {
                sum = sum.wrapping_add(number("member", (&*name.0, value)));
            }
        }
        Ok(number("object", sum))
    }
}

#[cfg(test)]
mod tests;
