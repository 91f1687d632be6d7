//! What a libvirtd of the lab reads: configuration, users, host names and the domain.

use super::GUEST;
use crate::made::Made;
use crate::pair::qemu::lab_socket;
use crate::scenario::fault::Side;
use crate::scenario::Scenario;
use crate::world::World;
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A host's own folders, and where it sees them.
const BINDS: [(&str, &str); 4] = [
    ("etc", "/etc/libvirt"),
    ("lib", "/var/lib/libvirt"),
    ("run", "/run/libvirt"),
    ("log", "/var/log/libvirt"),
];
/// What libvirtd found out about QEMU, kept between runs: it takes eight seconds.
const CACHE: &str = "/var/cache/libvirt";

/// Writes a host's files; gives the shell text that puts them where libvirtd looks.
pub fn prepare(made: &Made, world: &World, side: Side) -> Result<String> {
    let folder = made.folder().join(side.short());
    let mut setup = String::new();
    for (own, seen) in BINDS {
        let path = folder.join(own);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        mount_point(made, Path::new(seen))?;
        setup += &bind(&path, seen);
    }
    mount_point(made, Path::new(CACHE))?;
    setup += &bind(&cache()?, CACHE);
    for (name, text) in files(world, side)? {
        fs::write(folder.join(name), text).with_context(|| name.to_owned())?;
    }
    for name in ["passwd", "group", "hosts"] {
        setup += &bind(&folder.join(name), &format!("/etc/{name}"));
    }
    Ok(setup)
}

fn bind(own: &Path, seen: &str) -> String {
    format!("mount --bind {} {seen}\n", own.display())
}

/// A folder that is only mounted over; one that was not there is removed at the end.
fn mount_point(made: &Made, path: &Path) -> Result<()> {
    if !path.exists() {
        made.folder_outside(path)?;
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let path = base.unwrap_or_else(env::temp_dir).join("miglink/libvirt");
    fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn files(world: &World, side: Side) -> Result<[(&'static str, String); 5]> {
    let (address, number) = (world.address(side), if side == Side::Source { 1 } else { 2 });
    let daemon = format!(
        "listen_tls = 0\nlisten_tcp = 1\nlisten_addr = \"{address}\"\nauth_tcp = \"none\"\n\
         auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\nunix_sock_dir = \"/run/libvirt\"\n\
         unix_sock_ro_perms = \"0777\"\nunix_sock_rw_perms = \"0700\"\n\
         host_uuid = \"0000000{number}-1111-4222-8333-00000000000{number}\"\n\
         log_outputs = \"3:stderr\"\n"
    );
    let driver = format!(
        "user = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\nremember_owner = 0\n\
         security_driver = \"none\"\ncgroup_controllers = []\nnamespaces = []\nstdio_handler = \"file\"\n\
         migration_host = \"{address}\"\n"
    );
    // The driver looks for its user before it reads its configuration.
    let passwd = with_line("/etc/passwd", "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin")?;
    let group = with_line("/etc/group", "libvirt-qemu:x:64055:")?;
    let host = |side| format!("{} {}\n", world.address(side), world.host(side));
    let hosts = format!("127.0.0.1 localhost\n{}{}", host(Side::Source), host(Side::Destination));
    Ok([
        ("etc/libvirtd.conf", daemon),
        ("etc/qemu.conf", driver),
        ("passwd", passwd),
        ("group", group),
        ("hosts", hosts),
    ])
}

/// The machine's file, with a line for a name that it lacks.
fn with_line(path: &str, line: &str) -> Result<String> {
    let mut text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let name = line.split(':').next().unwrap_or_default();
    if !text.lines().any(|known| known.split(':').next() == Some(name)) {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// The guest's definition. It gets a second monitor, which the lab holds: libvirt keeps the first.
pub fn domain(scenario: &Scenario, image: &Path) -> String {
    format!(
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{GUEST}</name>\
         <uuid>aaaaaaaa-0000-4000-8000-000000000001</uuid>\
         <memory unit='b'>{memory}</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>\
         <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>\
         <disk type='file' device='floppy'><driver name='qemu' type='raw'/><source file='{image}'/>\
         <target dev='fda' bus='fdc'/><readonly/></disk>\
         <controller type='usb' model='none'/><memballoon model='none'/>\
         <serial type='file'><source path='/var/log/libvirt/vm.serial'/><target port='0'/></serial></devices>\
         <qemu:commandline><qemu:arg value='-qmp'/>\
         <qemu:arg value='unix:/var/log/libvirt/{socket},server=on,wait=off'/></qemu:commandline></domain>\n",
        memory = scenario.vm.memory.0,
        image = image.display(),
        socket = lab_socket(GUEST),
    )
}
