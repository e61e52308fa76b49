//! What a JSON Schema demands, as far as it is looked at: types, required members, and the same of members and elements.
//!
//! It is not a validator. What is written otherwise (`$ref`, `anyOf`, `enum`, patterns) demands nothing here, so that an
//! answer is called wrong only if it is. Memory is bounded: what of a schema is deeper than [`DEEPEST`], or comes after
//! [`MOST_NODES`] schemas in it, [`MOST_REQUIRED`] members or [`MOST_TEXT`] bytes of names, demands nothing either.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// So many levels of a schema are looked at.
const DEEPEST: usize = 8;
/// So many schemas are kept of one.
const MOST_NODES: usize = 256;
/// So many members are required by one: each object of an answer is compared with them.
const MOST_REQUIRED: usize = 256;
/// So many bytes of names are kept of one.
const MOST_TEXT: usize = 16 * 1024;

const OBJECT: u8 = 1;
const ARRAY: u8 = 2;
const STRING: u8 = 4;
const NUMBER: u8 = 8;
const INTEGER: u8 = 16;
const BOOLEAN: u8 = 32;
const NULL: u8 = 64;

const TYPES: [(&str, u8); 7] = [
    ("object", OBJECT),
    ("array", ARRAY),
    ("string", STRING),
    ("number", NUMBER),
    ("integer", INTEGER),
    ("boolean", BOOLEAN),
    ("null", NULL),
];

/// A schema's demands. The default ones are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// A bit for each type that it may have; none: any.
    types: u8,
    required: Vec<String>,
    members: BTreeMap<String, Shape>,
    elements: Option<Box<Shape>>,
}

/// A schema, as far as it is looked at.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, default, rename = "type")]
    types: Option<&'a RawValue>,
    #[serde(borrow, default)]
    required: Option<&'a RawValue>,
    #[serde(borrow, default)]
    properties: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Types {
    One(String),
    Several(Vec<String>),
}

/// What of a schema may still be kept.
struct Room {
    nodes: usize,
    text: usize,
}

impl Room {
    fn whole() -> Self {
        Self { nodes: MOST_NODES, text: MOST_TEXT }
    }

    /// The names in a list, as far as they fit.
    fn names(&mut self, raw: Option<&RawValue>) -> Vec<String> {
        let mut names: Vec<String> = raw.and_then(|it| serde_json::from_str(it.get()).ok()).unwrap_or_default();
        names.sort_unstable();
        names.dedup();
        names.truncate(MOST_REQUIRED);
        names.retain(|it| self.text(it));
        names
    }

    fn text(&mut self, text: &str) -> bool {
        let left = self.text.checked_sub(text.len());
        self.text = left.unwrap_or_default();
        left.is_some()
    }
}

impl Shape {
    /// An object, whatever is in it.
    pub(super) fn object() -> Self {
        Self { types: OBJECT, ..Self::default() }
    }

    /// What the schema `json` demands; nothing if it is none.
    pub(super) fn of(json: &str) -> Self {
        Self::within(json, DEEPEST, &mut Room::whole())
    }

    /// An object with the members that the schema `json` requires, whatever they are.
    pub(super) fn members_of(json: &str) -> Self {
        #[derive(Deserialize)]
        struct Demanded<'a> {
            #[serde(borrow, default)]
            required: Option<&'a RawValue>,
        }
        let required = serde_json::from_str(json).ok().and_then(|Demanded { required }| required);
        Self { types: OBJECT, required: Room::whole().names(required), ..Self::default() }
    }

    /// How many bytes of names it keeps.
    pub(super) fn size(&self) -> usize {
        self.required.iter().fold(0, |sum, it| sum.saturating_add(it.len()))
    }

    fn within(json: &str, depth: usize, room: &mut Room) -> Self {
        let written = serde_json::from_str::<Written<'_>>(json).ok().filter(|_| depth > 0 && room.nodes > 0);
        let Some(Written { types, required, properties, items }) = written else {
            return Self::default();
        };
        room.nodes = room.nodes.saturating_sub(1);
        let depth = depth.saturating_sub(1);
        let required = room.names(required);
        let mut members = BTreeMap::new();
        for (name, schema) in properties.and_then(object).unwrap_or_default() {
            let shape = Self::within(schema.get(), depth, room);
            if shape != Self::default() && room.text(&name) {
                members.insert(name, shape);
            }
        }
        let elements = items.map(|it| Self::within(it.get(), depth, room)).filter(|it| *it != Self::default());
        Self { types: types.map(mask).unwrap_or_default(), required, members, elements: elements.map(Box::new) }
    }

    /// Whether `json` is JSON, and meets the demands.
    pub(super) fn fits(&self, json: &str) -> bool {
        let mut reader = serde_json::Deserializer::from_str(json);
        self.deserialize(&mut reader).is_ok_and(|fits| fits && reader.end().is_ok())
    }

    fn may_be(&self, kinds: u8) -> bool {
        self.types == 0 || self.types & kinds != 0
    }
}

fn object(raw: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// The types that are named; any if one is not known.
fn mask(raw: &RawValue) -> u8 {
    let names = match serde_json::from_str(raw.get()) {
        Ok(Types::One(name)) => vec![name],
        Ok(Types::Several(names)) => names,
        Err(_) => return 0,
    };
    let bit = |name: &String| TYPES.iter().find(|(known, _)| known == name).map(|(_, bit)| *bit);
    names.iter().map(bit).try_fold(0, |mask, bit| Some(mask | bit?)).unwrap_or_default()
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut fits = self.may_be(OBJECT);
        let mut missing: Vec<&str> = self.required.iter().map(String::as_str).collect();
        while let Some(Name(name)) = map.next_key()? {
            missing.retain(|it| *it != name);
            match self.members.get(name.as_ref()) {
                Some(shape) => fits &= map.next_value_seed(shape)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fits && missing.is_empty())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut fits = self.may_be(ARRAY);
        if let Some(shape) = &self.elements {
            while let Some(element) = list.next_element_seed(shape.as_ref())? {
                fits &= element;
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(fits)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(self.may_be(STRING))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(self.may_be(BOOLEAN))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(self.may_be(NUMBER | INTEGER))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(self.may_be(NUMBER | INTEGER))
    }

    fn visit_f64<E: Error>(self, it: f64) -> Result<bool, E> {
        // `1.0` is an integer to a schema.
        Ok(self.may_be(if it.fract() == 0.0 { NUMBER | INTEGER } else { NUMBER }))
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(self.may_be(NULL))
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEMA: &str = r#"{"type":"object","required":["name","tags"],"additionalProperties":false,"properties":{
        "name":{"type":"string"},"age":{"type":["integer","null"]},"ratio":{"type":"number"},"on":{"type":"boolean"},
        "tags":{"type":"array","items":{"type":"object","required":["x"]}},"any":{"anyOf":[{"type":"string"}]}}}"#;

    fn check(schema: &str, json: &str) -> bool {
        Shape::of(schema).fits(json)
    }

    #[test]
    fn types_and_required_members_are_demanded() {
        for (json, expected) in [
            (r#"{"name":"a","tags":[]}"#, true),
            (r#" {"tags":[{"x":1},{"x":null,"y":2}],"name":"a","age":null,"ratio":1,"on":true,"any":7} "#, true),
            (r#"{"name":"a","tags":[],"age":3.0}"#, true),
            (r#"{"na\u006de":"a","tags":[]}"#, true),
            (r#"{"name":"a"}"#, false),
            (r#"{"name":1,"tags":[]}"#, false),
            (r#"{"name":"a","tags":{}}"#, false),
            (r#"{"name":"a","tags":[{"y":1}]}"#, false),
            (r#"{"name":"a","tags":[7]}"#, false),
            (r#"{"name":"a","tags":[],"age":1.5}"#, false),
            (r#"{"name":"a","tags":[],"ratio":"1"}"#, false),
            (r#"{"name":"a","tags":[],"on":null}"#, false),
            (r#"{"name":"a","tags":[]"#, false),
            (r#"{"name":"a","tags":[]} and more"#, false),
            ("```json\n{}\n```", false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(check(SCHEMA, json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_not_looked_at_demands_nothing() {
        for schema in ["{}", "true", "garbage", r##"{"$ref":"#/$defs/a"}"##, r#"{"type":"elephant"}"#, r#"{"type":7}"#]
        {
            for json in ["{}", "[1]", "null", "\"a\""] {
                assert!(check(schema, json), "{schema} {json}");
            }
            assert!(!check(schema, "{"), "but it must be JSON");
        }
    }

    #[test]
    fn a_schema_past_the_limits_demands_less() {
        let nest = |levels| (0..levels).fold(r#"{"type":"string"}"#.to_owned(), |it, _| format!(r#"{{"items":{it}}}"#));
        let list = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!check(&nest(7), &list(7)));
        assert!(check(&nest(8), &list(8)));
        let names: Vec<String> = (0..1000).map(|nth| format!(r#""{nth:0>100}""#)).collect();
        let shape = Shape::of(&format!(r#"{{"required":[{}]}}"#, names.join(",")));
        assert_eq!(shape.required.len(), MOST_TEXT / 100);
        let short: Vec<String> = (0..1000).map(|nth| format!(r#""{nth}","""#)).collect();
        assert_eq!(Shape::of(&format!(r#"{{"required":[{}]}}"#, short.join(","))).required.len(), MOST_REQUIRED);
        let many: Vec<String> = (0..1000).map(|nth| format!(r#""m{nth:0>3}":{{"type":"string"}}"#)).collect();
        let many = format!(r#"{{"properties":{{{}}}}}"#, many.join(","));
        assert!(!check(&many, r#"{"m000":1}"#));
        assert!(check(&many, r#"{"m999":1}"#));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(schema in "(\\{|\\}|\\[|\\]|:|,|\"type\"|\"required\"|\"properties\"|\"items\"|\"object\"|\"x\"|\\PC){0,40}", json in "\\PC{0,40}") {
            let shape = Shape::of(&schema);
            shape.fits(&json);
            shape.fits(&schema);
        }
    }
}
