//! How a running migration is expected to go on, in numbers that travel with the frame: pages and JSON tell them.

use super::subject::Key;

/// A number with the range that it lies in eight times of ten.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Range {
    /// One of ten is lower.
    pub p10: f64,
    /// As many are lower as are higher.
    pub p50: f64,
    /// One of ten is higher.
    pub p90: f64,
}

/// What would make a migration end that does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// Bytes a second over the link, with the pause that is allowed now.
    pub rate: f64,
    /// Seconds of pause allowed, at the rate of now.
    pub downtime_limit: f64,
    /// How much the guest would have to be slowed down, 0 to 1.
    pub throttle: f64,
}

/// How far a forecast was off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// When it was told, as a part of the migration's whole time: 0.25, 0.5 or 0.75; 0 before it began.
    pub at: f64,
    /// The whole time told, less the true one, as a part of the true one.
    pub total_error: f64,
    /// The pause told less the true one, seconds.
    pub pause_error: Option<f64>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// Which, as in the tables of migrations.
    pub migration: Key,
    /// Seconds of memory copy still to come; `None` if it is not known, or never ends.
    pub copy: Option<Range>,
    /// Seconds of pause to come.
    pub pause: Option<Range>,
    /// Whether it ends as it goes now; `None` while nobody can know.
    pub converging: Option<bool>,
    /// The guest's dirty rate is not known yet: what it dirties comes on top.
    pub at_least: bool,
    /// What would make it end, if it does not.
    pub needed: Option<Needed>,
    /// How good the forecasts were; once it has ended.
    pub scores: Vec<Score>,
}
