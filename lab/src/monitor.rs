//! The lab's own QMP monitor: it holds one of each guest, and keeps every event with QEMU's own time stamp. These are
//! the truth that miglink is compared with.

use crate::stop::Stop;
use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an answer may take: a frozen QEMU gives none.
const PATIENCE: Duration = Duration::from_secs(5);

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its name, and the status of a `MIGRATION` event after a slash.
    pub name: String,
    /// When, in seconds since 1970.
    pub at: f64,
}

/// A connection, negotiated.
#[derive(Debug)]
pub struct Monitor {
    stream: UnixStream,
    answers: Receiver<Value>,
    events: Arc<Mutex<Vec<Event>>>,
    gone: Stop,
}

impl Monitor {
    /// Connects and negotiates.
    ///
    /// # Errors
    /// When nobody listens, or does not answer in time.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path).with_context(|| path.display().to_string())?;
        let reader = BufReader::new(stream.try_clone().context("a monitor's stream")?);
        let (send, answers) = channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (kept, gone) = (Arc::clone(&events), Stop::default());
        let ended = gone.clone();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                if let Some(event) = event(&value) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                } else if send.send(value).is_err() {
                    break;
                }
            }
            ended.set();
        });
        let mut monitor = Self { stream, answers, events, gone };
        ensure!(monitor.answer()?.get("QMP").is_some(), "{}: no QMP greeting", path.display());
        monitor.ask("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// QEMU's own words, or that it gave none in time.
    pub fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        self.stream.write_all(line.as_bytes()).with_context(|| command.to_owned())?;
        let mut answer = self.answer().with_context(|| command.to_owned())?;
        match answer.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => {
                bail!("{command}: {}", answer["error"]["desc"].as_str().unwrap_or("an error without words"))
            }
        }
    }

    /// A command of the human monitor, and what it prints.
    pub fn human(&mut self, line: &str) -> Result<String> {
        let said = self.ask("human-monitor-command", &json!({"command-line": line}))?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When an event came first.
    pub fn time_of(&self, name: &str) -> Option<f64> {
        self.events().into_iter().find(|event| event.name == name).map(|event| event.at)
    }

    /// Whether the hypervisor has closed it.
    pub fn is_gone(&self) -> bool {
        self.gone.is_set()
    }

    /// Turns capabilities on.
    pub fn enable(&mut self, capabilities: &[&str]) -> Result<()> {
        let on: Vec<Value> =
            capabilities.iter().map(|name| json!({"capability": name, "state": true})).collect();
        self.ask("migrate-set-capabilities", &json!({"capabilities": on})).map(drop)
    }

    fn answer(&self) -> Result<Value> {
        self.answers.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow::anyhow!("no answer in time"),
            RecvTimeoutError::Disconnected => anyhow::anyhow!("the hypervisor is gone"),
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).ok();
    }
}

fn event(value: &Value) -> Option<Event> {
    let name = value.get("event")?.as_str()?;
    let stamp = &value["timestamp"];
    let at = stamp["seconds"].as_f64()? + stamp["microseconds"].as_f64()? * 1e-6;
    let name = match value["data"]["status"].as_str() {
        Some(status) if name == "MIGRATION" => format!("MIGRATION/{status}"),
        _ => name.to_owned(),
    };
    Some(Event { name, at })
}

#[cfg(test)]
mod tests {
    use super::event;
    use serde_json::json;

    #[test]
    fn events_keep_their_own_time() {
        let stamp = json!({"seconds": 1_700_000_000, "microseconds": 250_000});
        let found = event(&json!({"event": "MIGRATION", "data": {"status": "active"}, "timestamp": stamp}));
        let found = found.expect("an event");
        assert_eq!(found.name, "MIGRATION/active");
        assert!((found.at - 1_700_000_000.25).abs() < 1e-6);
        assert!(event(&json!({"return": {}})).is_none());
    }
}
