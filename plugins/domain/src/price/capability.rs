//! What a model can do, as far as anybody has said so.

use serde::{Deserialize, Serialize};

/// Something that some models can do and others cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Capability {
    /// Chat completions.
    Chat,
    /// The Responses API.
    Responses,
    /// Embeddings.
    Embeddings,
    /// Calling tools.
    Tools,
    /// Several calls in one answer.
    ParallelTools,
    /// Being made to call a tool: `tool_choice` `required`, or a tool's name.
    ToolChoice,
    /// An answer by a JSON Schema. (Nobody tells who gives JSON without a schema: that is not checked.)
    JsonSchema,
    /// Reading pictures.
    Vision,
    /// Hearing sound.
    AudioInput,
    /// Thinking before it answers.
    Reasoning,
    /// Reading the start of a prompt from a cache.
    PromptCache,
    /// Messages of the role `system`.
    SystemRole,
}

impl Capability {
    /// All of them, with the letter for each in the built-in table: a capital where a model can, a small one where it cannot.
    const LETTERS: [(Self, char); 12] = [
        (Self::Chat, 'C'),
        (Self::Responses, 'R'),
        (Self::Embeddings, 'E'),
        (Self::Tools, 'T'),
        (Self::ParallelTools, 'P'),
        (Self::ToolChoice, 'F'),
        (Self::JsonSchema, 'J'),
        (Self::Vision, 'V'),
        (Self::AudioInput, 'A'),
        (Self::Reasoning, 'Z'),
        (Self::PromptCache, 'K'),
        (Self::SystemRole, 'S'),
    ];

    /// How a model is asked, which is the seller's choice more than the model's nature.
    pub(super) const OPERATIONS: [Self; 3] = [Self::Chat, Self::Responses, Self::Embeddings];

    /// Its bit in a set.
    #[allow(clippy::as_conversions, reason = "twelve numbers fit into sixteen bits")]
    const fn bit(self) -> u16 {
        1_u16.wrapping_shl(self as u32)
    }
}

/// What is known of each capability of one model: it can, it cannot, or nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    can: u16,
    cannot: u16,
}

impl Capabilities {
    /// Whether the model can; `None` where nobody knows.
    #[must_use]
    pub fn get(self, it: Capability) -> Option<bool> {
        match (self.can & it.bit() != 0, self.cannot & it.bit() != 0) {
            (false, false) => None,
            (can, _) => Some(can),
        }
    }

    /// The same, with this said of one.
    #[must_use]
    pub fn with(self, it: Capability, can: bool) -> Self {
        let Self { can: yes, cannot: no } = self;
        match can {
            true => Self { can: yes | it.bit(), cannot: no & !it.bit() },
            false => Self { can: yes & !it.bit(), cannot: no | it.bit() },
        }
    }

    /// The same, with nothing said of these.
    pub(super) fn without(self, these: [Capability; 3]) -> Self {
        let gone = these.into_iter().fold(0, |all, it| all | it.bit());
        Self { can: self.can & !gone, cannot: self.cannot & !gone }
    }

    /// All that is known, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = (Capability, bool)> {
        Capability::LETTERS.into_iter().filter_map(move |(it, _)| Some((it, self.get(it)?)))
    }

    /// Reads the table's letters; one that means nothing says nothing.
    pub(super) fn of_letters(letters: &str) -> Self {
        let said = |letter: char| {
            let found = Capability::LETTERS.into_iter().find(|(_, it)| it.eq_ignore_ascii_case(&letter));
            found.map(|(it, _)| (it, letter.is_ascii_uppercase()))
        };
        letters.chars().filter_map(said).fold(Self::default(), |all, (it, can)| all.with(it, can))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_yes_no_or_nothing() {
        let some = Capabilities::of_letters("CtV-?");
        let check = |it: Capability| some.get(it);
        assert_eq!(check(Capability::Chat), Some(true));
        assert_eq!(check(Capability::Tools), Some(false));
        assert_eq!(check(Capability::Vision), Some(true));
        assert_eq!(check(Capability::AudioInput), None);
        let all: Vec<_> = some.iter().collect();
        assert_eq!(all, [(Capability::Chat, true), (Capability::Tools, false), (Capability::Vision, true)]);
    }

    #[test]
    fn what_is_said_last_holds() {
        let it = Capabilities::default().with(Capability::Vision, false).with(Capability::Vision, true);
        assert_eq!(it, Capabilities::of_letters("V"));
        assert_eq!(it.with(Capability::Vision, false), Capabilities::of_letters("v"));
    }

    #[test]
    fn each_has_a_letter_and_a_bit_of_its_own() {
        let mut letters: Vec<_> = Capability::LETTERS.iter().map(|(_, letter)| *letter).collect();
        letters.sort_unstable();
        letters.dedup();
        let bits = Capability::LETTERS.iter().fold(0, |all, (it, _)| all | it.bit());
        assert_eq!((letters.len(), bits), (12, 0b1111_1111_1111));
    }
}
