//! Names of people and places: what no filter finds by form is asked of a service with the API of Presidio's analyzer.
//!
//! One question for a request, `POST /analyze` with all its texts, and one answer, which is believed only when all of it
//! makes sense. Pure: what is asked, and what an answer means; the callbacks send it.

use crate::{
    config::Action,
    shield::{Hit, Kind},
};
use domain::{mode::OnFailure, reply::Reply, time::Period};
use host::Call;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::Range, time::Duration};

/// Between two texts of one question: the end of a sentence in every language, and of no name.
const BETWEEN: &str = ".\n\n";
/// The most findings that an answer may have.
const MOST_FINDINGS: usize = 10_000;
/// The upper bound of `max_bytes`.
const MOST_BYTES: u32 = 1 << 20;

/// A service with the API of Presidio's analyzer, for names of people and places.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Analyzer {
    /// The name of Envoy's cluster. Kong cannot ask about a body: there a configuration with `analyzer` is refused.
    pub(crate) cluster: String,
    /// The `host` header of the question, default `analyzer`.
    #[serde(default = "authority")]
    pub(crate) authority: String,
    /// Where it is asked, default `/analyze`.
    #[serde(default = "path")]
    pub(crate) path: String,
    /// How long an answer may take, 1ms to 30s, default `500ms`. The request waits.
    #[serde(default = "timeout")]
    pub(crate) timeout: Period,
    /// The language of the texts as the service names it, default `en`.
    #[serde(default = "language")]
    pub(crate) language: String,
    /// What it is to look for, by its own names (1 to 40 of `A-Z`, `0-9` and `_`), and what becomes of it. Default: `PERSON` and
    /// `LOCATION` are masked.
    #[serde(default = "names")]
    pub(crate) entities: BTreeMap<String, Action>,
    /// How sure it must be, 0 to 1, default 0.5.
    #[serde(default = "half")]
    pub(crate) score_threshold: f32,
    /// How many bytes of text it is asked about at most, 1 to 1048576, default 65536. More is a failure.
    #[serde(default = "max_bytes")]
    pub(crate) max_bytes: std::num::NonZeroU32,
    /// What becomes of a request when it does not answer in time, or not in sense: `deny` answers 503
    /// `guardrail_unavailable` (default), `allow` lets it pass with what the filter found itself.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

impl Analyzer {
    /// Checks what its types do not; `key` is where it stands, and whether there is a key of hashes.
    ///
    /// # Errors
    /// Which key is wrong, what was found and what is expected.
    pub(crate) fn check(&self, key: &str, hashes: bool) -> Result<(), String> {
        let plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
        for (name, value) in [
            ("cluster", &self.cluster),
            ("authority", &self.authority),
            ("path", &self.path),
            ("language", &self.language),
        ] {
            if !plain(value) {
                return Err(format!("{key}.{name} is {value:?}; expected a text without spaces"));
            }
        }
        if !self.path.starts_with('/') {
            return Err(format!("{key}.path is {:?}; expected one that begins with a slash", self.path));
        }
        if !(0.0..=1.0).contains(&self.score_threshold) {
            return Err(format!("{key}.score_threshold is {}; expected 0 to 1", self.score_threshold));
        }
        if self.max_bytes.get() > MOST_BYTES {
            return Err(format!("{key}.max_bytes is {}; expected 1 to {MOST_BYTES}", self.max_bytes));
        }
        if self.entities.is_empty() {
            return Err(format!("{key}.entities is empty, so nothing could be found; expected an entity"));
        }
        let is_name = |it: &str| it.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
        let wrong = |it: &&String| !(1..=40).contains(&it.len()) || !is_name(it);
        if let Some(it) = self.entities.keys().find(wrong) {
            return Err(format!("{key}.entities has {it:?}; expected 1 to 40 of A-Z, 0-9 and _"));
        }
        if !hashes && self.entities.values().any(|it| *it == Action::Hash) {
            return Err(format!("{key}.entities has `hash`, and there is no `pii.hash_key`; expected one"));
        }
        self.timeout.between(&format!("{key}.timeout"), Duration::from_millis(1), Duration::from_secs(30))
    }

    /// What is to be asked about `texts`; `None` when there is nothing to ask.
    ///
    /// # Errors
    /// When they are longer than may be asked.
    pub(crate) fn question<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Option<Question>, TooLong> {
        let most = usize::try_from(self.max_bytes.get()).unwrap_or(usize::MAX);
        let (mut joined, mut places, mut said) = (String::new(), Vec::new(), false);
        for text in texts {
            if joined.len().saturating_add(text.len()) > most {
                return Err(TooLong);
            }
            if !joined.is_empty() && !text.is_empty() {
                joined.push_str(BETWEEN);
            }
            let start = joined.len();
            joined.push_str(text);
            places.push(start..joined.len());
            said |= text.chars().any(char::is_alphabetic);
        }
        Ok(said.then_some(Question { text: joined, places }))
    }
}

/// The texts are longer than the service is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What came back is no answer, or says something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoSense;

/// What a request is told that may not pass without an answer.
pub(crate) fn unavailable() -> Reply {
    let message = "A guard could not look at the request: the service that finds names did not answer. Try again.";
    Reply::new(503, "guardrail_unavailable", message)
}

/// Texts, and where each stands in what is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    text: String,
    places: Vec<Range<usize>>,
}

/// A name in one of the texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named<'a> {
    /// Which text, counted from 0.
    pub(crate) text: usize,
    /// Where in it, in bytes; on character boundaries.
    pub(crate) span: Range<usize>,
    /// What it is, by the service's own name, as the configuration has it.
    pub(crate) entity: &'a str,
    /// What becomes of it.
    pub(crate) action: Action,
    /// How sure the service is.
    pub(crate) score: f32,
}

impl Named<'_> {
    /// As the guard `pii` knows what it finds itself.
    pub(crate) fn hit(&self) -> Hit {
        let name = self.entity.to_ascii_lowercase();
        let rule = format!("analyzer.{name}").into();
        Hit { span: self.span.clone(), kind: Kind::Own(name.into()), action: self.action, rule }
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    text: &'a str,
    language: &'a str,
    entities: Vec<&'a str>,
    score_threshold: f32,
}

/// A finding as the service writes it; it may say more.
#[derive(Deserialize)]
struct Told {
    entity_type: String,
    /// In characters (code points), as Python counts.
    start: usize,
    end: usize,
    score: f32,
}

impl Question {
    /// The question on its way.
    pub(crate) fn call(&self, analyzer: &Analyzer) -> Call {
        Call {
            cluster: analyzer.cluster.clone(),
            method: "POST",
            authority: analyzer.authority.clone(),
            path: analyzer.path.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            body: self.body(analyzer),
            timeout: analyzer.timeout.get(),
        }
    }

    /// The body of the question.
    fn body(&self, analyzer: &Analyzer) -> Vec<u8> {
        let entities = analyzer.entities.keys().map(String::as_str).collect();
        let Analyzer { language, score_threshold, .. } = analyzer;
        let asked = Asked { text: &self.text, language, entities, score_threshold: *score_threshold };
        // Texts and numbers always serialise.
        serde_json::to_vec(&asked).unwrap_or_default()
    }

    /// What an answer with this status and body says, in the order of the texts.
    ///
    /// # Errors
    /// When it is no answer to this question: then none of it is believed.
    pub(crate) fn answer<'a>(
        &self,
        analyzer: &'a Analyzer,
        status: u16,
        body: &[u8],
    ) -> Result<Vec<Named<'a>>, NoSense> {
        if status != 200 {
            return Err(NoSense);
        }
        let told: Vec<Told> = serde_json::from_slice(body).map_err(|_| NoSense)?;
        if told.len() > MOST_FINDINGS || told.iter().any(|it| it.start >= it.end) {
            return Err(NoSense);
        }
        let bytes = self.bytes(&told)?;
        let mut named = Vec::new();
        for it in &told {
            let Some((entity, action)) = analyzer.entities.get_key_value(&it.entity_type) else { continue };
            if it.score < analyzer.score_threshold {
                continue;
            }
            let (Some(start), Some(end)) = (bytes.get(&it.start), bytes.get(&it.end)) else { return Err(NoSense) };
            for (text, span) in self.parts(*start..*end) {
                named.push(Named { text, span, entity, action: *action, score: it.score });
            }
        }
        named.sort_by_key(|it| (it.text, it.span.start));
        Ok(named)
    }

    /// For each place in characters that `told` names, the place in bytes.
    fn bytes(&self, told: &[Told]) -> Result<BTreeMap<usize, usize>, NoSense> {
        let mut wanted: Vec<usize> = told.iter().flat_map(|it| [it.start, it.end]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut places = self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]).enumerate();
        let mut found = BTreeMap::new();
        for character in wanted {
            let (_, byte) = places.find(|(nth, _)| *nth == character).ok_or(NoSense)?;
            found.insert(character, byte);
        }
        Ok(found)
    }

    /// What of `span` is in which text: the service may take two texts for one.
    fn parts(&self, span: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let first = self.places.partition_point(|it| it.end <= span.start);
        let places = self.places.iter().enumerate().skip(first).take_while(move |(_, it)| it.start < span.end);
        places.filter_map(move |(text, place)| {
            let (start, end) = (span.start.max(place.start), span.end.min(place.end));
            let within = start.checked_sub(place.start)?..end.checked_sub(place.start)?;
            (within.start < within.end).then_some((text, within))
        })
    }
}

fn authority() -> String {
    "analyzer".to_owned()
}

fn path() -> String {
    "/analyze".to_owned()
}

fn timeout() -> Period {
    Period::from_millis(500)
}

fn language() -> String {
    "en".to_owned()
}

fn names() -> BTreeMap<String, Action> {
    ["PERSON", "LOCATION"].map(|it| (it.to_owned(), Action::Mask)).into()
}

fn half() -> f32 {
    0.5
}

fn max_bytes() -> std::num::NonZeroU32 {
    std::num::NonZeroU32::MIN.saturating_add((1 << 16) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn analyzer(rest: &str) -> Result<Analyzer, String> {
        let analyzer: Analyzer =
            serde_json::from_str(&format!(r#"{{"cluster":"presidio"{rest}}}"#)).map_err(|it| it.to_string())?;
        analyzer.check("analyzer", false).map(|()| analyzer)
    }

    /// Which texts have which names, when the service says `told` of them.
    fn check(texts: &[&str], told: Value) -> Result<Vec<(usize, String, String)>, NoSense> {
        let analyzer = analyzer("").unwrap();
        let question = analyzer.question(texts.iter().copied()).unwrap().unwrap();
        let named = question.answer(&analyzer, 200, told.to_string().as_bytes())?;
        let shown = |it: &Named| (it.text, texts[it.text][it.span.clone()].to_owned(), it.entity.to_owned());
        Ok(named.iter().map(shown).collect())
    }

    fn told(entity: &str, start: usize, end: usize) -> Value {
        json!({"entity_type": entity, "start": start, "end": end, "score": 0.85, "analysis_explanation": null,
            "recognition_metadata": {"recognizer_name": "SpacyRecognizer"}})
    }

    #[test]
    fn a_request_is_one_question() {
        let analyzer = analyzer("").unwrap();
        let question = analyzer.question(["I am Ada.", "Grüße"].into_iter()).unwrap().unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&question.body(&analyzer)).unwrap(),
            json!({"text": "I am Ada..\n\nGrüße", "language": "en", "entities": ["LOCATION", "PERSON"], "score_threshold": 0.5})
        );
        assert!(analyzer.question(["", "42!"].into_iter()).unwrap().is_none(), "there is no word in it");
        assert!(analyzer.question(std::iter::empty()).unwrap().is_none());
        let long = "x".repeat(65_537);
        assert_eq!(analyzer.question([long.as_str()].into_iter()).unwrap_err(), TooLong);
    }

    #[test]
    fn places_are_in_characters_and_each_name_is_in_its_text() {
        let texts = ["é Ada", "Zoë in Köln"];
        let all =
            json!([told("LOCATION", 15, 19), told("PERSON", 2, 5), told("PERSON", 8, 11), told("DATE_TIME", 0, 1)]);
        let expected = [(0, "Ada", "PERSON"), (1, "Zoë", "PERSON"), (1, "Köln", "LOCATION")];
        assert_eq!(check(&texts, all).unwrap(), expected.map(|(nth, it, what)| (nth, it.to_owned(), what.to_owned())));
        let over = check(&texts, json!([told("PERSON", 2, 11)])).unwrap();
        assert_eq!(over, [(0, "Ada".into(), "PERSON".into()), (1, "Zoë".into(), "PERSON".into())]);
        assert_eq!(check(&texts, json!([told("PERSON", 5, 8)])).unwrap(), [], "between two texts there is nothing");
        assert_eq!(check(&texts, json!([])).unwrap(), []);
        let unsure = json!([{"entity_type": "PERSON", "start": 2, "end": 5, "score": 0.4}]);
        assert_eq!(check(&texts, unsure).unwrap(), []);
    }

    #[test]
    fn of_an_answer_that_makes_no_sense_nothing_is_believed() {
        let good = told("PERSON", 0, 3);
        for told in [
            json!({"error": "no model"}),
            json!("Ada"),
            json!(null),
            json!([good, {"entity_type": "PERSON", "start": 0, "end": 3}]),
            json!([good, told("PERSON", 0, 8)]),
            json!([good, told("PERSON", 3, 3)]),
            json!([good, told("PERSON", 3, 0)]),
            json!([{"entity_type": "PERSON", "start": -1, "end": 3, "score": 1.0}]),
            json!([{"entity_type": "PERSON", "start": 0, "end": usize::MAX, "score": 1.0}]),
            json!([[good]]),
            Value::Array(vec![good.clone(); MOST_FINDINGS + 1]),
        ] {
            assert_eq!(check(&["Ada ist"], told.clone()), Err(NoSense), "{told}");
        }
        let analyzer = analyzer("").unwrap();
        let question = analyzer.question(["Ada"].into_iter()).unwrap().unwrap();
        for (status, body) in [(500, "[]"), (204, ""), (200, ""), (200, "[")] {
            assert_eq!(question.answer(&analyzer, status, body.as_bytes()), Err(NoSense), "{status} {body}");
        }
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        for (rest, why) in [
            (r#","authority":"a b""#, "analyzer.authority is \"a b\""),
            (r#","path":"analyze""#, "analyzer.path is \"analyze\""),
            (r#","timeout":"31s""#, "analyzer.timeout"),
            (r#","language":"""#, "analyzer.language is \"\""),
            (r#","entities":{}"#, "analyzer.entities is empty"),
            (r#","entities":{"person":"mask"}"#, "analyzer.entities has \"person\""),
            (r#","entities":{"PERSON":"hash"}"#, "there is no `pii.hash_key`"),
            (r#","score_threshold":1.5"#, "analyzer.score_threshold is 1.5"),
            (r#","max_bytes":0"#, "nonzero"),
            (r#","max_bytes":1048577"#, "analyzer.max_bytes is 1048577"),
            (r#","on_failure":"pass""#, "unknown variant `pass`"),
            (r#","url":"x""#, "unknown field `url`"),
        ] {
            let said = analyzer(rest).map(|_| ()).unwrap_err();
            assert!(said.contains(why), "{rest}: {said}");
        }
        assert!(analyzer(r#","entities":{"PERSON":"block"},"on_failure":"allow","timeout":"2s""#).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_service_says_a_span_is_within_its_text(
            texts in proptest::collection::vec("[aé\u{1f600} ]{0,6}", 1..4),
            places in proptest::collection::vec((0_usize..24, 0_usize..24), 0..6),
        ) {
            let analyzer = analyzer("").unwrap();
            if let Some(question) = analyzer.question(texts.iter().map(String::as_str)).unwrap() {
                let told: Vec<_> = places.into_iter().map(|(start, end)| told("PERSON", start, end)).collect();
                for it in question.answer(&analyzer, 200, json!(told).to_string().as_bytes()).unwrap_or_default() {
                    proptest::prop_assert!(texts[it.text].get(it.span.clone()).is_some_and(|it| !it.is_empty()));
                }
            }
        }
    }
}
