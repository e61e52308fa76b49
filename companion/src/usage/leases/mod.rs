//! What a gateway may spend of a budget without asking: the decision. No clock, no database.
//!
//! For each period of a budget and each gateway (node) the companion keeps two sums: what it granted to
//! the node, and what the node's records were charged. What was granted and not charged yet is
//! outstanding: it may be spent any moment. Used plus outstanding of all nodes never passes the limit by
//! a grant; only a record that took more than its node was granted can do that.
//!
//! A node that is silent for [`LEASE`] has lost what is outstanding: it stopped to spend it long before.

#[cfg(test)]
mod tests;

use domain::time::Micros;
use std::time::Duration;

/// How long a lease is good after the node's last question. The node itself stops after half of it.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// A grant beyond what is needed is at most this part of what is left, so that no node hoards.
const PART: i64 = 4;

/// "All that you granted me."
pub(crate) const ALL: i64 = i64::MAX;

/// What a node has of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The number of the question that was answered last.
    pub(crate) turn: i64,
    /// Granted since the node first asked.
    pub(crate) granted: i64,
    /// Charged by the node's records since then.
    pub(crate) charged: i64,
    /// When it is lost.
    pub(crate) expires: Micros,
}

/// What a node asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Its number; a later question has a higher one.
    pub(crate) turn: i64,
    /// What the node knows to be granted. Less than was granted gives the rest back, but for what was
    /// charged: a node that forgot everything claims nothing. [`ALL`] says that it waits for the answer to
    /// another question, so does not know.
    pub(crate) granted: i64,
    /// What it cannot do without.
    pub(crate) need: i64,
    /// What it would like, so as not to ask too often.
    pub(crate) want: i64,
}

/// The period as it stands without the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How much may be used.
    pub(crate) limit: i64,
    /// How much was used, by all nodes.
    pub(crate) used: i64,
    /// What is outstanding at the other nodes.
    pub(crate) elsewhere: i64,
}

impl Lease {
    /// What the node may still spend of what it was granted.
    #[must_use]
    pub(crate) fn outstanding(&self) -> i64 {
        self.granted.saturating_sub(self.charged).max(0)
    }
}

impl Standing {
    /// What neither is used nor may be spent, given what is `outstanding` at the node.
    #[must_use]
    pub(crate) fn left(&self, outstanding: i64) -> i64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.elsewhere).saturating_sub(outstanding).max(0)
    }
}

/// Answers `ask` at `now`, given what is known of the node; what comes back is to be kept, and its
/// `granted` to be told. `lost` says that the lease has expired.
#[must_use]
pub(crate) fn decide(known: Option<(Lease, bool)>, ask: Ask, standing: Standing, now: Micros) -> Lease {
    let expires = now.after(LEASE);
    let lease = match known {
        // The answer was lost, or the question was late: the same once more.
        Some((lease, false)) if ask.turn <= lease.turn => return Lease { expires, ..lease },
        known => Lease { turn: ask.turn, expires, ..begin(known, ask.granted, standing) },
    };
    let left = standing.left(lease.outstanding());
    // What does not fulfil the need is better left to others.
    let more = if ask.need > left { 0 } else { ask.need.max(ask.want.min(left / PART)) };
    if more == 0 {
        return lease;
    }
    // What was overdrawn is used; the grant is for what comes.
    Lease { granted: lease.granted.max(lease.charged).saturating_add(more), ..lease }
}

/// Where a node that claims to have been granted `claim` stands before it gets more.
fn begin(known: Option<(Lease, bool)>, claim: i64, standing: Standing) -> Lease {
    match known {
        // Its first question is still on its way.
        None if claim == ALL => Lease { turn: 0, granted: 0, charged: 0, expires: Micros(0) },
        // Forgotten here: what it has, it has spent, for it stopped long ago.
        None => Lease { turn: 0, granted: claim, charged: claim, expires: Micros(0) },
        Some((lease, expired)) => {
            // What an expired lease was is anybody's, if it is still there. A node that was silent for so long claims
            // only what it has spent, which is on its way here.
            let still = if expired { lease.charged.saturating_add(standing.left(0)) } else { ALL };
            Lease { granted: lease.granted.min(claim).min(still).max(lease.charged.min(lease.granted)), ..lease }
        }
    }
}
