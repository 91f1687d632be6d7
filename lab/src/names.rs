//! Names of the series that the lab compares: here only, because they are another's to choose.

/// What a migration is: `vm`, `direction`, `device` and more.
pub const INFO: &str = "miglink_migration_info";
/// The label of [`INFO`] with the link beneath `device`.
pub const WIRE: &str = "wire";
/// The label of [`INFO`] with the guest's UUID.
pub const UUID: &str = "uuid";
/// Ended migrations by `direction` and `result`.
pub const MIGRATIONS: &str = "miglink_migrations_total";
/// Bytes of a migration.
pub const TRANSFERRED: &str = "miglink_migration_transferred_bytes_total";
/// Bytes that are still to be sent.
pub const REMAINING: &str = "miglink_migration_remaining_bytes";
/// Bytes a second now.
pub const THROUGHPUT: &str = "miglink_migration_throughput_bytes_per_second";
/// 1 for the phase that it is in.
pub const PHASE: &str = "miglink_migration_phase";
/// Seconds in each phase of an ended migration.
pub const PHASE_SECONDS: &str = "miglink_migration_phase_seconds";
/// The pause of an ended migration.
pub const PAUSE: &str = "miglink_migration_guest_downtime_seconds";
/// Sum of all pauses, by `direction`.
pub const PAUSE_SUM: &str = "miglink_migration_downtime_seconds_sum";
/// What the lab keeps of a scrape: the rest has other tests.
pub const KEPT: [&str; 4] = ["miglink_migration", "miglink_source_success", SLOWS, FRAME];
/// 1 for a `cause` that would slow this `phase` of a migration over this `device`.
pub const SLOWS: &str = "miglink_link_slows_migration";
/// The same bytes by whoever counts them.
pub const CARRIED: &str = "miglink_migration_carried_bytes_total";
/// Seconds that each cause took.
pub const LIMITED: &str = "miglink_migration_limited_seconds_total";
/// 1 for the cause that leads.
pub const LEADING: &str = "miglink_migration_leading_cause";
/// When the frame that a scrape got was made, in seconds since 1970.
pub const FRAME: &str = "miglink_frame_timestamp_seconds";
