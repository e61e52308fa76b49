//! Where a match of a pattern has begun that is not whole, in a text of which more is to come.

use regex_automata::{
    Anchored, Input,
    hybrid::dfa::{Cache, DFA},
    nfa::thompson::{self, NFA},
};
use regex_syntax::hir::Hir;
use std::{cell::RefCell, rc::Rc};

/// A pattern's automaton, which is asked whether it still lives.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    dfa: Rc<DFA>,
    cache: RefCell<Cache>,
}

impl Begun {
    /// `None` when it is too large.
    pub(super) fn new(hir: &Hir, most_memory: usize) -> Option<Self> {
        let config = thompson::Config::new().nfa_size_limit(Some(most_memory));
        let nfa: NFA = thompson::Compiler::new().configure(config).build_from_hir(hir).ok()?;
        let config =
            DFA::config().unicode_word_boundary(true).cache_capacity(most_memory).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let cache = RefCell::new(dfa.create_cache());
        Some(Self { dfa: Rc::new(dfa), cache })
    }

    /// The first place at `from` or behind it where a match may have begun that what follows `text` makes whole or
    /// longer.
    pub(super) fn at(&self, text: &str, from: usize) -> Option<usize> {
        let places = text.get(from..).unwrap_or_default().char_indices();
        places.map(|(at, _)| from.saturating_add(at)).find(|at| self.lives(text, *at))
    }

    /// Whether a match that begins at `at` may go on behind `text`. What the automaton cannot say counts as yes.
    fn lives(&self, text: &str, at: usize) -> bool {
        let mut cache = self.cache.borrow_mut();
        let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_forward(&mut cache, &input) else { return true };
        for byte in text.as_bytes().get(at..).unwrap_or_default() {
            match self.dfa.next_state(&mut cache, state, *byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) if next.is_quit() => return true,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }
}
