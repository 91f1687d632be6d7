//! What the recorder's thread does with a tick: opens, writes, syncs, goes on to the next file, removes old ones, and gets over
//! whatever the disk does.

use super::metrics::Metrics;
use super::migrations::Records;
use crate::record::retention::{Stored, Trust};
use crate::record::segment::Opening;
use crate::record::store::{frames_files, Frames, Store, StoreError};
use crate::record::tick::Tick;
use crate::run::config::storage::Recording;
use crate::sample::monotonic::Monotonic;
use std::path::Path;
use std::time::Duration;

/// Between two tries while nothing can be written.
const RETRY: Duration = Duration::from_secs(10);
/// A loss of power costs no more than this; the death of the process costs nothing that was written.
const SYNC: Duration = Duration::from_secs(5);

/// What the thread knows.
pub struct Keeper {
    recording: Option<Recording>,
    configuration: String,
    metrics: Metrics,
    host: String,
    boot_id: String,
    store: Option<Store>,
    frames: Option<Frames>,
    sequence: u64,
    trust: Trust,
    records: Records,
    /// Since when nothing can be written, and when it is tried again.
    trouble: Option<(Monotonic, Monotonic)>,
    synced: Option<Monotonic>,
}

fn first_line(path: &Path) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

impl Keeper {
    /// Nothing is opened before the first tick.
    pub fn new(recording: Option<Recording>, configuration: String, metrics: Metrics, proc: &Path) -> Self {
        Self {
            recording,
            configuration,
            metrics,
            host: first_line(&proc.join("sys/kernel/hostname")),
            boot_id: first_line(&proc.join("sys/kernel/random/boot_id")),
            store: None,
            frames: None,
            sequence: 0,
            trust: Trust::default(),
            records: Records::default(),
            trouble: None,
            synced: None,
        }
    }

    /// Takes up a new configuration.
    pub fn configure(&mut self, recording: Option<Recording>, text: String) {
        let moves =
            self.recording.as_ref().map(|old| &old.folder) != recording.as_ref().map(|new| &new.folder);
        if moves {
            self.stop();
        }
        self.trouble = None;
        (self.recording, self.configuration) = (recording, text);
    }

    /// Writes a tick, if anything can be written.
    pub fn take(&mut self, tick: &Tick, now: Monotonic) {
        if self.recording.is_none() {
            return;
        }
        if self.trouble.is_some_and(|(_, retry)| now < retry) {
            self.metrics.dropped.inc();
            return;
        }
        match self.write(tick, now) {
            Ok(bytes) => self.written(bytes, now),
            Err(error) => {
                self.metrics.dropped.inc();
                self.fail(&error, now);
            }
        }
    }

    fn written(&mut self, bytes: u64, now: Monotonic) {
        self.metrics.frames.inc();
        self.metrics.bytes.inc_by(bytes);
        self.metrics.size.add(bytes as i64);
        self.metrics.up.set(1);
        if let Some((since, _)) = self.trouble.take() {
            tracing::info!("recording goes on after {:.0?}", now.since(since));
        }
    }

    /// Something went wrong: lets go of everything, and says so once.
    fn fail(&mut self, error: &StoreError, now: Monotonic) {
        self.metrics.errors.inc();
        self.metrics.up.set(0);
        (self.frames, self.store) = (None, None);
        let since = self.trouble.map_or(now, |(since, _)| since);
        if self.trouble.is_none() {
            tracing::warn!(
                "recording has stopped: {error}; exporting goes on, and recording is tried again every {RETRY:?}"
            );
        }
        self.trouble = Some((since, Monotonic(now.0 + RETRY)));
    }

    fn write(&mut self, tick: &Tick, now: Monotonic) -> Result<u64, StoreError> {
        let believed = self.trust.note(tick.frame.wall_ns, tick.frame.monotonic);
        if self.store.is_none() {
            self.open(tick)?;
        }
        let Some(store) = &self.store else { return Ok(0) };
        let most = self.recording.as_ref().and_then(|recording| recording.retention.size);
        // Files go as a whole, so each is a small part of what may be kept.
        let largest = most.map_or(u64::MAX, |most| most / 8);
        let bytes = match &mut self.frames {
            Some(frames) if !frames.is_over(tick) && frames.length() < largest => frames.add(tick)?,
            _ => {
                if let Some(full) = self.frames.take() {
                    full.finish()?;
                }
                let opening = Opening {
                    version: env!("CARGO_PKG_VERSION").into(),
                    host: self.host.clone(),
                    boot_id: self.boot_id.clone(),
                    sequence: self.sequence,
                    wall_ns: tick.frame.wall_ns,
                };
                let frames = store.begin(&opening, tick)?;
                self.sequence += 1;
                let bytes = frames.length();
                self.frames = Some(frames);
                self.retain(tick.frame.wall_ns, believed)?;
                bytes
            }
        };
        if !tick.fast {
            self.write_migrations(tick, now)?;
        }
        Ok(bytes)
    }

    fn open(&mut self, tick: &Tick) -> Result<(), StoreError> {
        let Some(recording) = &self.recording else { return Ok(()) };
        let store = Store::open(&recording.folder)?;
        let files = frames_files(&recording.folder)?;
        self.sequence = files.last().map_or(1, |last| last.sequence + 1);
        // If all there is would go, it is the clock that is wrong more often than the host that was off for so long.
        let now = tick.frame.wall_ns / 1_000_000_000;
        let kept = recording.retention.time;
        if files
            .last()
            .is_some_and(|last| kept.is_some_and(|kept| now.saturating_sub(last.began) > kept.as_secs()))
        {
            self.trust.doubt(tick.frame.monotonic);
        }
        tracing::debug!(folder = %recording.folder.display(), "recording");
        self.store = Some(store);
        Ok(())
    }

    /// Removes what is too old or too much.
    fn retain(&mut self, wall_ns: u64, believed: bool) -> Result<(), StoreError> {
        let (Some(store), Some(recording)) = (&self.store, &self.recording) else { return Ok(()) };
        let files = frames_files(store.folder())?;
        let ends = files.iter().skip(1).map(|next| next.began).chain([u64::MAX]);
        let stored: Vec<_> =
            files.iter().zip(ends).map(|(file, ended)| Stored { ended, size: file.size }).collect();
        let now = wall_ns / 1_000_000_000;
        let surplus = recording.retention.surplus(&stored, now, believed);
        for file in &files[..surplus] {
            Store::remove(&file.path)?;
        }
        if let (true, Some(time)) = (believed, recording.retention.time) {
            store.forget_migrations(now.saturating_sub(time.as_secs()))?;
        }
        let rest = &files[surplus..];
        // The last one has just begun, and its bytes are counted as they are written.
        let finished = &rest[..rest.len().saturating_sub(1)];
        self.metrics.size.set(finished.iter().map(|file| file.size).sum::<u64>() as i64);
        self.metrics.oldest.set(rest.first().map_or(0.0, |oldest| oldest.began as f64));
        Ok(())
    }

    fn write_migrations(&mut self, tick: &Tick, now: Monotonic) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        for (key, mut record) in self.records.due(&tick.frame, now) {
            record.version = env!("CARGO_PKG_VERSION").into();
            record.host.clone_from(&self.host);
            record.written_ns = tick.frame.wall_ns;
            record.configuration.clone_from(&self.configuration);
            store.put_migration(&record.id, &record.write())?;
            self.records.done(&tick.frame, (key, record.id), now);
        }
        Ok(())
    }

    /// Looks after what is due now and then.
    pub fn care(&mut self, now: Monotonic) {
        let Some(frames) = &self.frames else { return };
        if self.synced.is_some_and(|last| now.since(last) < SYNC) {
            return;
        }
        self.synced = Some(now);
        if let Err(error) = frames.sync() {
            self.fail(&error, now);
        }
    }

    /// Finishes what is open.
    pub fn stop(&mut self) {
        if let Some(Err(error)) = self.frames.take().map(Frames::finish) {
            tracing::warn!("the recording was not finished: {error}");
        }
        self.store = None;
        self.metrics.up.set(0);
    }
}
