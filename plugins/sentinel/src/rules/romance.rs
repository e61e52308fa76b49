//! Words of these languages.

use super::Class;

pub(super) const WORDS: &[(Class, &str)] = &[];
