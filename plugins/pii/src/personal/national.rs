//! Numbers that states give to people.

pub(super) mod america;
pub(super) mod brazil;
pub(super) mod britain;
pub(super) mod china;
pub(super) mod codice_fiscale;
pub(super) mod france;
pub(super) mod germany;
pub(super) mod india;
pub(super) mod poland;
pub(super) mod spain;
