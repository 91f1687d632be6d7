//! Two libvirtd, one on each host, driven by virsh as an administrator would.

mod files;

use super::qemu::{wait_for_guest, write_image};
use super::{Driver, Guest, Pair};
use crate::host::Host;
use crate::made::Made;
use crate::monitor::Monitor;
use crate::scenario::fault::Side;
use crate::scenario::{Compression, Migrate, Scenario, Watch};
use crate::stop::Stop;
use crate::units::Rate;
use crate::world::World;
use crate::{clock, shell};
use anyhow::{ensure, Context, Result};
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub use files::prepare;

/// The name of the only guest.
const GUEST: &str = "vm";
/// How long a daemon may take the first time, when it asks QEMU for its capabilities.
const START: Duration = Duration::from_secs(60);

/// virsh on the source host.
#[derive(Debug)]
pub struct Virsh {
    /// The words that enter the host.
    enter: Vec<String>,
    destination: String,
    migration: Option<Child>,
}

/// Starts both daemons and the guest on the source.
pub fn start(
    made: &Made,
    world: &World,
    hosts: &[Host; 2],
    scenario: &Scenario,
    stop: &Stop,
) -> Result<Pair> {
    let image = write_image(made, scenario)?;
    for host in hosts {
        let pid_file = host.folder.join("libvirtd.pid");
        let mut daemon = host.command("libvirtd");
        host.spawn(made, daemon.arg("--listen").arg("--pid-file").arg(pid_file), "libvirtd.log", stop)?;
    }
    let enter = host_words(&hosts[0]);
    let destination = format!("qemu+tcp://{}/system", world.address(Side::Destination));
    let virsh = Virsh { enter, destination, migration: None };
    for host in hosts {
        let asker = Virsh { enter: host_words(host), destination: String::new(), migration: None };
        // `version` would ask QEMU for its capabilities, which takes long: that is for the second question.
        clock::wait("libvirtd", START, stop, || Ok(asker.run("list").ok()))
            .with_context(|| host.log("libvirtd.log"))?;
        asker.run("version")?;
    }
    let domain = hosts[0].folder.join("domain.xml");
    fs::write(&domain, files::domain(scenario, &image)).context("the domain")?;
    virsh.run(&format!("create {}", domain.display()))?;
    wait_for_guest(&hosts[0].folder.join("log/vm.serial"), stop)?;
    if let Some(limit) = scenario.migrate.downtime_limit {
        virsh.run(&format!("migrate-setmaxdowntime vm {}", limit.0.as_millis()))?;
    }
    let folders = [hosts[0].folder.join("log"), hosts[1].folder.join("log")];
    let source = Monitor::connect(&folders[0].join(super::qemu::lab_socket(GUEST)))?;
    let guest = Guest { name: GUEST.into(), source, destination: None, dirty_rate: None, folders, port: 0 };
    let address = world.hypervisor_address(Side::Destination);
    Ok(Pair { guests: vec![guest], driver: Driver::Libvirt(virsh), address, held: Vec::new() })
}

fn host_words(host: &Host) -> Vec<String> {
    let command = host.command("virsh");
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

impl Virsh {
    /// Runs a virsh command to its end.
    pub fn run(&self, line: &str) -> Result<()> {
        shell::finish(self.command().args(line.split(' '))).map(drop)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("timeout");
        command.arg("60").args(&self.enter).args(["-q", "-c", "qemu:///system"]);
        command
    }

    /// Starts `virsh migrate`, which lasts as long as the migration.
    pub fn migrate(&mut self, scenario: &Scenario) -> Result<()> {
        let mut command = self.command();
        command.args(["migrate", "--live"]).args(flags(&scenario.migrate));
        if scenario.watch == Watch::LibvirtP2p {
            command.arg("--p2p");
        }
        command.args([GUEST, &self.destination]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        self.migration = Some(child.spawn().context("virsh")?);
        Ok(())
    }

    /// Changes the limit; virsh counts in MiB.
    pub fn max_bandwidth(&self, rate: Rate) -> Result<()> {
        // Without a limit, as libvirt says it.
        let mib = rate.bytes().map_or(8_796_093_022_207, |bytes| bytes.div_ceil(1 << 20));
        self.run(&format!("migrate-setspeed vm {mib}"))
    }

    /// What `virsh migrate` complained of, once it has ended.
    pub fn complaint(&mut self) -> Option<String> {
        let child = self.migration.as_mut()?;
        let status = child.try_wait().ok().flatten()?;
        let mut said = String::new();
        child.stderr.as_mut().map(|stderr| stderr.read_to_string(&mut said));
        self.migration = None;
        (!status.success()).then(|| said.trim().to_owned())
    }
}

impl Drop for Virsh {
    fn drop(&mut self) {
        if let Some(child) = &mut self.migration {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn flags(migrate: &Migrate) -> Vec<String> {
    let mut flags = Vec::new();
    if let Some(bytes) = migrate.max_bandwidth.bytes() {
        flags.extend(["--bandwidth".to_owned(), bytes.div_ceil(1 << 20).to_string()]);
    }
    if migrate.multifd > 0 {
        flags.extend(["--parallel".into(), "--parallel-connections".into(), migrate.multifd.to_string()]);
    }
    let method = match migrate.compression {
        Compression::None => None,
        Compression::Zlib => Some("zlib"),
        Compression::Zstd => Some("zstd"),
        Compression::Xbzrle => Some("xbzrle"),
    };
    flags.extend(method.into_iter().flat_map(|m| ["--compressed".into(), "--comp-methods".into(), m.into()]));
    flags.extend(migrate.auto_converge.then(|| "--auto-converge".to_owned()));
    flags.extend(migrate.postcopy_after.map(|_| "--postcopy".to_owned()));
    flags
}

/// Whether this machine can do it.
pub fn check_installed() -> Result<()> {
    let missing: Vec<_> = ["libvirtd", "virsh"].into_iter().filter(|name| !shell::has(name)).collect();
    ensure!(missing.is_empty(), "{} {} not installed", crate::SKIPPED, missing.join(" and "));
    Ok(())
}
