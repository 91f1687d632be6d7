//! How often miglink's verdicts are right: many small real migrations whose causes are known because they were made,
//! and what miglink said of them, counted. `cargo xtask accuracy`.
//!
//! ```text
//! seed ─> families ─> Variant (a scenario, its truth in `expect`) ─> run ─> Timeline ─> found ─> Run ─> Score ─> report
//!         └──────────────────── pure ────────────────────┘    └ real ┘     └─────────────── pure ────────────────┘
//! ```
//!
//! **Seeds.** Rules may be tuned on what seeds 1 to 99 show. Seeds from 1000 on are held out: a figure of theirs is only
//! a claim as long as nobody has changed a rule because of them. The families themselves (which ranges they draw from)
//! are the same for both.
//!
//! **Truth.** Each variant says from when to when which causes are real. The first is what was made; others beside it
//! limit at the same time, and naming one of them is right too. Where the lab can measure how real a cause
//! was (what others took of a link), the measure corrects what the variant says (`measured.rs`).

pub mod command;
pub mod count;
pub mod draw;
pub mod families;
pub mod found;
pub mod machine;
pub mod markdown;
pub mod measured;
pub mod recipe;
pub mod report;
pub mod runner;
pub mod score;
#[cfg(test)]
mod tests;
pub mod variant;

/// The first seed that is held out.
pub const HELD_OUT: u64 = 1000;
/// The last seed that rules may be tuned on.
pub const TUNING: u64 = 99;
