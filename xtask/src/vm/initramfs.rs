//! The guest's whole file system: busybox, the real network tools with their libraries, the modules, miglink,
//! and the scripts of `xtask/vm/`. Two archives, one behind the other: what all guests share, and one scene.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

use super::cpio::Archive;
use super::kernel::Kernel;
use super::machine::Nic;
use super::scene::Scene;

/// What the scenes need beyond what is built into the kernel. `crc32_generic` is a soft dependency of rdma_rxe.
const MODULES: &[&str] = &[
    "crc32_generic",
    "e1000",
    "e1000e",
    "igb",
    "virtio_net",
    "vmxnet3",
    "8139cp",
    "bonding",
    "8021q",
    "veth",
    "dummy",
    "bridge",
    "macvlan",
    "vxlan",
    "tun",
    "team",
    "team_mode_activebackup",
    "team_mode_roundrobin",
    "sch_netem",
    "sch_tbf",
    "sch_htb",
    "sch_prio",
    "sch_fq",
    "sch_ingress",
    "tcp_diag",
    "rdma_rxe",
    "ib_uverbs",
    "pktgen",
];

/// Programs that busybox lacks or does otherwise.
const PROGRAMS: &[&str] = &["dash", "ip", "tc", "bridge", "ethtool", "rdma", "date", "ibv_rc_pingpong"];

/// Files that those programs open at run time: the verbs provider of soft-RoCE and the list it is in.
const OPENED: &[&str] =
    &["/usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so", "/etc/libibverbs.d/rxe.driver"];

/// What all guests share, packed once.
pub fn shared(kernel: &Kernel, miglink: &Path, scripts: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["/proc", "/sys", "/dev", "/tmp", "/run", "/etc", "/sbin", "/out"] {
        archive.directory(directory);
    }
    archive.symlink("/var/run", "/run");
    archive.file("/init", &read(&scripts.join("init.sh"))?);
    archive.file("/lib.sh", &read(&scripts.join("lib.sh"))?);
    for program in PROGRAMS {
        let path = find(program).with_context(|| format!("{program} is not on this machine"))?;
        add_program(&mut archive, &format!("/usr/bin/{program}"), &path)?;
    }
    for path in OPENED.iter().map(Path::new).filter(|path| path.exists()) {
        add_program(&mut archive, &path.to_string_lossy(), path)?;
    }
    add_program(&mut archive, "/usr/bin/miglink", miglink)?;
    add_busybox(&mut archive)?;
    add_modules(&mut archive, kernel)?;
    Ok(archive.finish())
}

/// What only this scene has: its script, and the names of the machine's NICs by address.
pub fn scene(scene: &Scene, nics: &[Nic]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.file("/scene.sh", &read(&scene.script)?);
    let names: Vec<String> = nics.iter().map(|nic| format!("{} {}\n", nic.mac, nic.name)).collect();
    archive.file("/nics", names.concat().as_bytes());
    Ok(archive.finish())
}

/// Busybox under all its names, but for its shell: that one prefers its own `ip` and `tc` to the real ones.
fn add_busybox(archive: &mut Archive) -> Result<()> {
    let path = find("busybox").context("busybox is not on this machine")?;
    archive.file("/bin/busybox", &read(&path)?);
    archive.symlink("/bin/sh", "/usr/bin/dash");
    for applet in output(Command::new(&path).arg("--list"))?.lines() {
        archive.symlink(&format!("/bin/{applet}"), "busybox");
    }
    Ok(())
}

/// The modules, unpacked, since `insmod` takes no `.xz`; `/modules` lists them in load order.
fn add_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    let mut list = String::new();
    for module in kernel.modules(MODULES)? {
        let xz = Command::new("xz").arg("-dc").arg(&module.path).output().context("starting xz")?;
        ensure!(xz.status.success(), "unpacking {}", module.path.display());
        let path = format!("/lib/modules/{}", module.name);
        archive.file(&path, &xz.stdout);
        list.push_str(&path);
        list.push('\n');
    }
    archive.file("/modules", list.as_bytes());
    Ok(())
}

/// A program or library and the libraries that `ldd` finds for it; a static one has none.
fn add_program(archive: &mut Archive, name: &str, path: &Path) -> Result<()> {
    archive.file(name, &read(path)?);
    let ldd = Command::new("ldd").arg(path).output().context("starting ldd")?;
    let text = String::from_utf8_lossy(&ldd.stdout).into_owned();
    for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
        archive.file(library, &read(Path::new(library))?);
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
