//! What a flag is: it looks at one link and says whether its cause would slow a migration over it, alone and without
//! knowing the other flags.
//!
//! A false flag is worse than a missing one: what cannot be told is `Unknown`, and what slows by less than a tenth is
//! `Fine`, because repeated migrations differ by as much anyway.

use super::state::LinkState;
use crate::analysis::migrations::migration::Phase;
pub use crate::sample::flag::Flagged;

/// Below this factor nobody would notice (our choice: no authority was found).
pub const WORTH: f64 = 1.1;

/// One cause that can be told of an idle link; what it means and what to do says the rule of the same name.
#[derive(Debug)]
pub struct Flag {
    /// Its name in metrics.
    pub cause: &'static str,
    /// The phases that it slows.
    pub phases: &'static [Phase],
    /// How the factor is computed, in one sentence.
    pub factor: &'static str,
    /// Looks at a link.
    pub judge: fn(&LinkState) -> Flagged,
}

/// `Slows` if the factor is worth a flag, otherwise `Fine` with the same numbers.
pub fn slows(ratio: f64, evidence: String, mend: Vec<String>) -> Flagged {
    if ratio >= WORTH {
        return Flagged::Slows { ratio, evidence, mend };
    }
    Flagged::Fine(evidence)
}
