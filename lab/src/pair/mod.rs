//! The two ends of each guest's migration and how it is driven: two QEMUs by QMP, or two libvirtd by virsh.

pub mod libvirt;
pub mod qemu;

use crate::guest::{PAGE, START};
use crate::host::Host;
use crate::monitor::Monitor;
use crate::scenario::fault::Side;
use crate::scenario::Scenario;
use crate::units::{Rate, Size};
use crate::{clock, guest};
use anyhow::{Context, Result};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What QEMU takes for no limit.
const NO_LIMIT: u64 = i64::MAX as u64;
/// How many pages are looked at to see how far the guest has come.
const PROBES: u64 = 64;

/// A guest's two ends.
#[derive(Debug)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The lab's monitor where it leaves.
    pub source: Monitor,
    /// The lab's monitor where it goes, as soon as there is a hypervisor.
    pub destination: Option<Monitor>,
    /// The bytes a second that it dirties, as measured before the migration.
    pub dirty_rate: Option<f64>,
    /// Where the monitors' sockets are, source first.
    folders: [PathBuf; 2],
    port: u16,
}

/// Who drives.
#[derive(Debug)]
enum Driver {
    Qemu,
    Libvirt(libvirt::Virsh),
}

/// All guests, and who drives their migrations.
#[derive(Debug)]
pub struct Pair {
    /// The guests.
    pub guests: Vec<Guest>,
    driver: Driver,
    /// Where the destination's hypervisors are reached.
    address: &'static str,
    /// Monitors held so that nobody else gets them.
    held: Vec<Monitor>,
}

impl Pair {
    /// Starts to move every guest.
    pub fn migrate(&mut self, scenario: &Scenario) -> Result<()> {
        match &mut self.driver {
            Driver::Libvirt(virsh) => virsh.migrate(scenario),
            Driver::Qemu => self.guests.iter_mut().try_for_each(|guest| {
                let uri = format!("tcp:{}:{}", self.address, guest.port);
                guest.source.ask("migrate", &json!({"uri": uri})).map(drop)
            }),
        }
    }

    /// Calls every migration off.
    pub fn cancel(&mut self) -> Result<()> {
        match &mut self.driver {
            Driver::Libvirt(virsh) => virsh.run("domjobabort vm"),
            Driver::Qemu => self.all("migrate_cancel", &json!({})),
        }
    }

    /// Changes to post-copy.
    pub fn postcopy(&mut self) -> Result<()> {
        match &mut self.driver {
            Driver::Libvirt(virsh) => virsh.run("migrate-postcopy vm"),
            Driver::Qemu => self.all("migrate-start-postcopy", &json!({})),
        }
    }

    /// Changes the hypervisor's own limit.
    pub fn max_bandwidth(&mut self, rate: Rate) -> Result<()> {
        match &mut self.driver {
            Driver::Libvirt(virsh) => virsh.max_bandwidth(rate),
            Driver::Qemu => self
                .all("migrate-set-parameters", &json!({"max-bandwidth": rate.bytes().unwrap_or(NO_LIMIT)})),
        }
    }

    fn all(&mut self, command: &str, arguments: &serde_json::Value) -> Result<()> {
        self.guests.iter_mut().try_for_each(|guest| guest.source.ask(command, arguments).map(drop))
    }

    /// The hypervisors' processes on a host.
    pub fn processes(host: &Host) -> Vec<u32> {
        host.processes("qemu-system-x86_64")
    }

    /// Monitors that appear with the migration are taken as soon as they are there.
    pub fn look_for_destinations(&mut self) {
        for guest in self.guests.iter_mut().filter(|guest| guest.destination.is_none()) {
            guest.destination = Monitor::connect(&guest.folders[1].join(qemu::lab_socket(&guest.name))).ok();
        }
    }

    /// Takes every monitor that is left, or lets them go.
    pub fn hold_monitors(&mut self, hold: bool) -> Result<()> {
        self.held.clear();
        if hold {
            for guest in &self.guests {
                for folder in &guest.folders {
                    self.held.push(Monitor::connect(&folder.join(qemu::found_socket(&guest.name)))?);
                }
            }
        }
        Ok(())
    }

    /// Measures what the guests really dirty. One that dirties flat out counts round too fast for its byte.
    pub fn measure(&mut self, dirty: Size) -> Result<()> {
        self.guests.iter_mut().try_for_each(|guest| {
            guest.dirty_rate = Some(guest.measure(dirty)?);
            Ok(())
        })
    }

    /// How virsh's migration ended, in its words; `None` where QEMU was told directly, or while it runs.
    pub fn complaint(&mut self) -> Option<String> {
        match &mut self.driver {
            Driver::Libvirt(virsh) => virsh.complaint(),
            Driver::Qemu => None,
        }
    }
}

impl Guest {
    /// The lab's monitor at one end.
    pub fn monitor(&self, side: Side) -> Option<&Monitor> {
        match side {
            Side::Source => Some(&self.source),
            Side::Destination => self.destination.as_ref(),
        }
    }

    /// How many pages the guest has written since it began, modulo 2^32. The source is asked, and where its hypervisor is
    /// gone, the destination.
    pub fn writes(&mut self) -> Result<u32> {
        let line = format!("xp /1xw {:#x}", guest::WRITTEN);
        let said = self.source.human(&line).or_else(|error| match &mut self.destination {
            Some(destination) => destination.human(&line),
            None => Err(error),
        })?;
        let word = said.trim().rsplit("0x").next().unwrap_or_default();
        u32::from_str_radix(word, 16).with_context(|| format!("a word of the guest: {said}"))
    }

    /// Bytes a second that the guest dirties: it counts up one byte in each page of its working set, so the sum over
    /// some pages tells how many rounds it has made.
    fn measure(&mut self, dirty: Size) -> Result<f64> {
        let before = self.counts(dirty)?;
        clock::sleep(Duration::from_millis(500));
        let after = self.counts(dirty)?;
        let (mut rounds, mut seconds) = (0.0, 0.0);
        for ((start, before), (end, after)) in before.into_iter().zip(after) {
            rounds += f64::from(after.wrapping_sub(before));
            seconds += end.duration_since(start).as_secs_f64();
        }
        Ok(rounds * (dirty.0 - guest::START) as f64 / seconds)
    }

    /// The bytes, and when each was read: a busy machine takes its time.
    fn counts(&mut self, dirty: Size) -> Result<Vec<(Instant, u8)>> {
        let pages = (dirty.0 - START) / PAGE;
        (0..PROBES)
            .map(|probe| {
                let said =
                    self.source.human(&format!("xp /1xb {:#x}", START + probe * pages / PROBES * PAGE))?;
                let byte = said.trim().rsplit("0x").next().unwrap_or_default();
                let count = u8::from_str_radix(byte, 16);
                Ok((clock::now(), count.with_context(|| format!("a byte of the guest: {said}"))?))
            })
            .collect()
    }
}
