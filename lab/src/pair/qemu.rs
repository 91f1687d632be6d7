//! Two QEMUs a guest, driven by QMP. Each has two monitors: one that the lab holds, and one for miglink.

use super::{Driver, Guest, Pair, NO_LIMIT};
use crate::host::Host;
use crate::made::Made;
use crate::monitor::Monitor;
use crate::scenario::fault::Side;
use crate::scenario::{Compression, Scenario, Watch};
use crate::stop::Stop;
use crate::world::World;
use crate::{clock, guest};
use anyhow::{Context, Result};
use serde_json::{json, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first guest's port at the destination.
const PORT: u16 = 49152;
/// How long a guest may take to fill its memory.
const BOOT: Duration = Duration::from_secs(30);

/// The socket that miglink may use.
pub fn found_socket(guest: &str) -> String {
    format!("{guest}.found.qmp")
}

/// The socket that the lab holds.
pub fn lab_socket(guest: &str) -> String {
    format!("{guest}.lab.qmp")
}

/// The guests' image, in the run's folder.
pub fn write_image(made: &Made, scenario: &Scenario) -> Result<PathBuf> {
    let path = made.folder().join("guest.img");
    let pause = guest::pause_ticks(scenario.vm.dirty_rate, guest::ticks_per_second()?);
    fs::write(&path, guest::image(&scenario.vm, scenario.fill(), pause)).context("the guest's image")?;
    Ok(path)
}

/// Waits until a guest has filled its memory, which it says on its serial line.
pub fn wait_for_guest(serial: &Path, stop: &Stop) -> Result<()> {
    clock::wait("the guest", BOOT, stop, || {
        let said = fs::read(serial).unwrap_or_default();
        Ok(said.contains(&b'R').then_some(()))
    })
}

/// Starts both QEMUs of every guest, sets what the scenario says, and waits until the guests dirty memory.
pub fn start(
    made: &Made,
    world: &World,
    hosts: &[Host; 2],
    scenario: &Scenario,
    stop: &Stop,
) -> Result<Pair> {
    let image = write_image(made, scenario)?;
    let names: Vec<String> = (1..=scenario.count).map(|number| format!("guest{number}")).collect();
    for name in &names {
        for host in hosts {
            spawn(made, host, name, &image, scenario, stop)?;
        }
    }
    let folders = [hosts[0].folder.clone(), hosts[1].folder.clone()];
    let mut guests = Vec::new();
    for (name, port) in names.into_iter().zip(PORT..) {
        wait_for_guest(&hosts[0].folder.join(format!("{name}.serial")), stop)?;
        let connect = |folder: &PathBuf| Monitor::connect(&folder.join(lab_socket(&name)));
        let (mut source, mut destination) = (connect(&folders[0])?, connect(&folders[1])?);
        prepare(&mut source, scenario)?;
        prepare(&mut destination, scenario)?;
        destination.ask("migrate-incoming", &json!({"uri": format!("tcp:0.0.0.0:{port}")}))?;
        let (folders, destination) = (folders.clone(), Some(destination));
        guests.push(Guest { name, source, destination, dirty_rate: None, folders, port });
    }
    let address = world.hypervisor_address(Side::Destination);
    Ok(Pair { guests, driver: Driver::Qemu, address, held: Vec::new() })
}

/// One QEMU; the monitor that miglink may use stands first on its command line.
fn spawn(made: &Made, host: &Host, name: &str, image: &Path, scenario: &Scenario, stop: &Stop) -> Result<()> {
    let file = |what: &str| host.folder.join(format!("{name}.{what}")).display().to_string();
    let monitor = |socket: String| format!("unix:{},server=on,wait=off", host.folder.join(socket).display());
    let mut qemu = host.hypervisor("qemu-system-x86_64");
    let number: u32 = name.trim_start_matches("guest").parse().unwrap_or(0);
    qemu.args(["-name", &format!("{name},debug-threads=on")])
        .args(["-uuid", &format!("aaaaaaaa-0000-4000-8000-{number:012}")])
        .args(["-machine", "pc,accel=tcg", "-m", &format!("{}M", scenario.vm.memory.mib())])
        .args(["-drive", &format!("file={},format=raw,if=floppy,readonly=on", image.display())])
        .args(["-boot", "a", "-nodefaults", "-vga", "none", "-display", "none", "-monitor", "none"])
        .args(["-serial", &format!("file:{}", file("serial"))])
        .args(["-qmp", &monitor(found_socket(name)), "-qmp", &monitor(lab_socket(name))]);
    if host.side == Side::Destination {
        qemu.args(["-incoming", "defer"]);
    }
    let log = format!("{name}.log");
    host.spawn(made, &mut qemu, &log, stop)?;
    let socket = host.folder.join(lab_socket(name));
    clock::wait("QEMU's monitor", BOOT, stop, || Ok(socket.exists().then_some(())))
        .with_context(|| host.log(&log))
}

/// Capabilities and parameters of a scenario, which some must be told both ends.
fn prepare(monitor: &mut Monitor, scenario: &Scenario) -> Result<()> {
    let migrate = &scenario.migrate;
    let mut capabilities = vec!["events"];
    let mut parameters = serde_json::Map::new();
    parameters.insert("max-bandwidth".into(), json!(migrate.max_bandwidth.bytes().unwrap_or(NO_LIMIT)));
    if let Some(limit) = migrate.downtime_limit {
        parameters.insert("downtime-limit".into(), json!(limit.0.as_millis() as u64));
    }
    if migrate.multifd > 0 {
        capabilities.push("multifd");
        parameters.insert("multifd-channels".into(), json!(migrate.multifd));
    }
    match migrate.compression {
        Compression::None => {}
        Compression::Xbzrle => capabilities.push("xbzrle"),
        Compression::Zlib => drop(parameters.insert("multifd-compression".into(), json!("zlib"))),
        Compression::Zstd => drop(parameters.insert("multifd-compression".into(), json!("zstd"))),
    }
    capabilities.extend(migrate.auto_converge.then_some("auto-converge"));
    capabilities.extend(migrate.postcopy_after.map(|_| "postcopy-ram"));
    monitor.enable(&capabilities)?;
    monitor.ask("migrate-set-parameters", &Value::Object(parameters)).map(drop)
}

/// The configuration that miglink needs to be let in as the scenario says; empty for none.
pub fn miglink_configuration(host: &Host, scenario: &Scenario) -> String {
    let monitors = match scenario.watch {
        Watch::QmpExclusive => {
            let path = host.folder.join("*.found.qmp");
            format!("migrations:\n  qmp_sockets: [{{path: '{}', exclusive: true}}]\n", path.display())
        }
        Watch::Qmp | Watch::Libvirt | Watch::LibvirtP2p | Watch::Flow => String::new(),
    };
    if scenario.dedicated.is_empty() {
        return monitors;
    }
    let names: Vec<&str> = scenario.dedicated.iter().map(|link| link.name()).collect();
    format!("{monitors}dedicated: [{}]\n", names.join(", "))
}
