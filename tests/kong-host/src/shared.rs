//! What the workers of one Kong share: the shared data and the metrics.

use std::collections::BTreeMap;

/// The largest value that fits the zone of `kong.conf`; one more byte traps.
const MAX_VALUE: usize = 1 << 20;

/// What a write to the shared data came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// The key was changed since, or exists although 0 was shown.
    Mismatch,
    /// The value is larger than the zone.
    TooLarge,
}

/// The memory that all workers of a node see.
#[derive(Debug, Default)]
pub(crate) struct Node {
    values: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    metrics: Vec<(String, u64)>,
}

impl Node {
    pub(crate) fn get(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.values.get(key).cloned()
    }

    /// Writes if `cas` is the value's, 0 standing for a key that does not exist. `None` deletes.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<&[u8]>, cas: u32) -> Written {
        let current = self.values.get(key).map_or(0, |it| it.1);
        if cas != current {
            return Written::Mismatch;
        }
        match value {
            Some(value) if value.len() > MAX_VALUE => return Written::TooLarge,
            Some(value) => drop(self.values.insert(key.to_vec(), (value.to_vec(), current + 1))),
            None => drop(self.values.remove(key)),
        }
        Written::Done
    }

    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        self.values.keys().cloned().collect()
    }

    /// The number of the metric of this name, made if it is new.
    pub(crate) fn define(&mut self, name: &str) -> u32 {
        let known = self.metrics.iter().position(|(it, _)| it == name);
        known.unwrap_or_else(|| {
            self.metrics.push((name.to_owned(), 0));
            self.metrics.len() - 1
        }) as u32
    }

    pub(crate) fn metric_mut(&mut self, id: u32) -> Option<&mut u64> {
        self.metrics.get_mut(id as usize).map(|(_, value)| value)
    }

    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        self.metrics.iter().find(|(it, _)| it == name).map(|(_, value)| *value)
    }
}
