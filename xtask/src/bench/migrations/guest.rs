//! A process that looks like QEMU to who looks from outside: its name, its words, its threads, its descriptors, its
//! monitor, and, once it is told to, a TCP stream and a monitor that tells of a migration.
//!
//! It is this program, started by another name. It lives until its standard input ends.

use super::monitor::{self, Course};
use anyhow::{Context, Result};
use clap::Args;
use std::fs::File;
use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A guest's processors.
const PROCESSORS: usize = 4;
/// QEMU with two disks and two network cards has about so many descriptors (event descriptors, KVM's, images).
const DESCRIPTORS: usize = 40;
/// What a stream sends at once, and the time between two sendings: 1 MiB a second.
const PIECE: usize = 128 << 10;
const PAUSE: Duration = Duration::from_millis(125);

/// QEMU's words, as far as miglink reads them. QEMU takes its options with two dashes as well.
#[derive(Args)]
pub struct Arguments {
    /// `guest=NAME`
    #[arg(long)]
    name: String,
    /// Memory in MiB
    #[arg(long)]
    m: u64,
    /// `unix:PATH,server=on,wait=off`
    #[arg(long)]
    qmp: String,
    /// Where it moves to when it is told to
    #[arg(long)]
    to: SocketAddr,
}

/// Is a guest until the standard input ends; a line on it begins the migration.
pub fn run(arguments: &Arguments) -> Result<()> {
    let course = Arc::new(Course::new(arguments.m << 20));
    let path = arguments.qmp.strip_prefix("unix:").and_then(|words| words.split(',').next());
    let listener = monitor::listen(Path::new(path.context("no path of a monitor")?))?;
    let monitor = Arc::clone(&course);
    thread::Builder::new()
        .name("IO mon_iothread".into())
        .spawn(move || monitor::serve(&listener, &monitor))?;
    for processor in 0..PROCESSORS {
        thread::Builder::new().name(format!("CPU {processor}/TCG")).spawn(thread::park)?;
    }
    let _descriptors = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect::<Result<Vec<_>, _>>()?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        line?;
        let (course, to) = (Arc::clone(&course), arguments.to);
        let name = arguments.name.clone();
        thread::Builder::new().name("live_migration".into()).spawn(move || {
            if let Err(error) = migrate(&course, to) {
                eprintln!("{name}: {error:#}");
            }
        })?;
    }
    Ok(())
}

fn migrate(course: &Course, to: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(to).with_context(|| to.to_string())?;
    course.is_on.store(true, Ordering::Relaxed);
    let piece = vec![0x42; PIECE];
    loop {
        stream.write_all(&piece)?;
        course.sent.fetch_add(PIECE as u64, Ordering::Relaxed);
        thread::sleep(PAUSE);
    }
}
