//! What tells who somebody is: addresses, numbers that states and banks give, dates of birth.

mod email;

use crate::{Entities, Finding};

pub(crate) fn find(text: &str, wanted: Entities, found: &mut Vec<Finding>) {
    if wanted.has(crate::Entity::Email) {
        email::find(text, found);
    }
}
