//! What the recorder says of itself.

use prometheus::{Gauge, IntCounter, IntGauge, Registry};

/// Its metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Whether it records.
    pub up: IntGauge,
    /// Ticks written.
    pub frames: IntCounter,
    /// Ticks left out.
    pub dropped: IntCounter,
    /// Bytes written.
    pub bytes: IntCounter,
    /// Failures.
    pub errors: IntCounter,
    /// Bytes of all files.
    pub size: IntGauge,
    /// When the oldest file begins.
    pub oldest: Gauge,
}

impl Metrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            up: IntGauge::new(
                "miglink_recording_up",
                "Whether frames are recorded: 0 if the disk is full or cannot be written, or another process records there.",
            )?,
            frames: IntCounter::new("miglink_recording_frames_total", "Frames recorded.")?,
            dropped: IntCounter::new(
                "miglink_recording_dropped_frames_total",
                "Frames that were not recorded, because the disk was too slow or could not be written.",
            )?,
            bytes: IntCounter::new("miglink_recording_bytes_total", "Bytes written to the recording.")?,
            errors: IntCounter::new("miglink_recording_errors_total", "Failures to write the recording.")?,
            size: IntGauge::new("miglink_recording_size_bytes", "Size of all files of the recording.")?,
            oldest: Gauge::new(
                "miglink_recording_oldest_timestamp_seconds",
                "When the oldest file of the recording begins.",
            )?,
        };
        registry.register(Box::new(metrics.up.clone()))?;
        registry.register(Box::new(metrics.frames.clone()))?;
        registry.register(Box::new(metrics.dropped.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.size.clone()))?;
        registry.register(Box::new(metrics.oldest.clone()))?;
        Ok(metrics)
    }
}
