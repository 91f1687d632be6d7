//! A simulated guest's QMP monitor: one client at a time, the answers that QEMU 7.2 gave, with figures that grow.

use anyhow::Result;
use serde_json::{json, Value};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const GREETING: &str = include_str!("../../../../tests/data/qmp/7.2/greeting.json");
const ACTIVE: &str = include_str!("../../../../tests/data/qmp/7.2/migrate-active.json");
const PARAMETERS: &str = include_str!("../../../../tests/data/qmp/7.2/parameters.json");
const CAPABILITIES: &str = include_str!("../../../../tests/data/qmp/7.2/capabilities.json");
const STATUS: &str = include_str!("../../../../tests/data/qmp/7.2/status-running.json");

/// How far the migration is.
#[derive(Debug, Default)]
pub struct Course {
    /// It has begun.
    pub is_on: AtomicBool,
    /// Bytes sent.
    pub sent: AtomicU64,
    memory: u64,
}

impl Course {
    /// Of a guest with so much memory that does not move yet.
    pub fn new(memory: u64) -> Self {
        Self { memory, ..Self::default() }
    }
}

/// A listening socket whose queue is as short as QEMU's.
pub fn listen(path: &Path) -> Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(1)?;
    Ok(socket.into())
}

/// Serves one client after the other. One that breaks off is none of our business.
pub fn serve(listener: &UnixListener, course: &Course) {
    for client in listener.incoming().flatten() {
        let _ = talk(client, course);
    }
}

fn talk(client: UnixStream, course: &Course) -> Result<()> {
    let mut words = client.try_clone()?;
    words.write_all(format!("{}\r\n", GREETING.trim_end()).as_bytes())?;
    for line in BufReader::new(client).lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let mut answer = answer(asked["execute"].as_str().unwrap_or_default(), course)?;
        answer["id"] = asked["id"].clone();
        words.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}

fn answer(command: &str, course: &Course) -> Result<Value> {
    Ok(match command {
        "query-status" => serde_json::from_str(STATUS)?,
        "query-migrate-parameters" => serde_json::from_str(PARAMETERS)?,
        "query-migrate-capabilities" => serde_json::from_str(CAPABILITIES)?,
        "query-migrate" if course.is_on.load(Ordering::Relaxed) => progress(course)?,
        "qmp_capabilities" | "query-migrate" => json!({"return": {}}),
        _ => json!({"error": {"class": "CommandNotFound", "desc": "not simulated"}}),
    })
}

fn progress(course: &Course) -> Result<Value> {
    let mut answer: Value = serde_json::from_str(ACTIVE)?;
    let sent = course.sent.load(Ordering::Relaxed);
    let ram = &mut answer["return"]["ram"];
    ram["total"] = course.memory.into();
    ram["transferred"] = sent.into();
    ram["precopy-bytes"] = sent.into();
    ram["remaining"] = course.memory.saturating_sub(sent).into();
    ram["dirty-sync-count"] = 1.into();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{listen, serve, Course};
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_monitor_greets_and_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        let listener = listen(&path).unwrap();
        let course = Course::new(1 << 30);
        course.is_on.store(true, Ordering::Relaxed);
        course.sent.store(4096, Ordering::Relaxed);
        std::thread::spawn(move || serve(&listener, &course));
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"{\"execute\":\"query-migrate\",\"id\":7}\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let lines: Vec<String> = BufReader::new(client).lines().map(Result::unwrap).collect();
        assert!(lines[0].contains("\"QMP\"") && lines[1].contains("\"transferred\":4096"), "{lines:?}");
        assert!(lines[1].contains("\"id\":7"));
    }
}
