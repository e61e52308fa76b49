//! Which model a client means, and which candidates can serve it.
//!
//! A name is read in whatever form clients use (`gpt-4o`, `openai/gpt-4o`, `mistralai/…`) and gets
//! one canonical form, `provider/model`, by tables. A [`Catalog`] leads from the canonical name to
//! a chain of candidates; it is checked once, when it is built, so that resolving a name can only
//! end in an answer or in [`NotFound`]. Nothing here guesses: a name that no rule covers is not found.

mod access;
mod alias;
mod catalog;
mod chain;
mod name;
mod naming;
mod parameters;
mod pattern;
mod plan;

pub use access::{ModelPolicy, Project};
pub use alias::Alias;
pub use catalog::{AUTO, Catalog, NotFound, Resolved, Rule, Told};
pub use chain::{Candidate, Chain, Chains, ProviderName};
pub use name::{Canonical, LONGEST_NAME, ModelName, printable};
pub use naming::Naming;
pub use parameters::{ModelParameters, Parameter, Parameters};
pub use plan::{FOR_OPENROUTER, MOST_TRIES, Plan, Try};
