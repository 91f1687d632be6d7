//! Debian's Chromium without a window, spoken to in the DevTools protocol: messages of JSON, each ended by a zero byte,
//! over two pipes (`--remote-debugging-pipe`). Whatever the page says on its console, asks of the network or breaks of
//! its policy is kept.

use anyhow::{bail, Context, Result};
use lab::clock;
use serde_json::{json, Value};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;
use tempfile::TempDir;

/// No call takes longer, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What keeps it from asking anybody anything by itself, and lets root run it.
const FLAGS: [&str; 11] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
];

/// A browser with one page.
pub struct Chromium {
    process: Child,
    to: File,
    from: Receiver<Value>,
    session: String,
    last: u64,
    /// What was told beside the answers, since it was last taken.
    pub told: Vec<Value>,
    _folder: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Dots across.
    pub width: u32,
    /// Whether the reader wants a dark page.
    pub dark: bool,
    /// Whether scripts run.
    pub scripts: bool,
}

impl Chromium {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let pipes = [folder.path().join("to"), folder.path().join("from")];
        let made = Command::new("mkfifo").args(&pipes).status().context("mkfifo")?;
        anyhow::ensure!(made.success(), "the pipes to Chromium cannot be made");
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        // The protocol is spoken over descriptors 3 and 4, which a shell opens.
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"to=$1 from=$2; shift 2; exec chromium "$@" 3<"$to" 4>"$from""#, "sh"]);
        shell.args(&pipes).args(FLAGS).arg(profile).arg("about:blank");
        let process = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let to = OpenOptions::new().write(true).open(&pipes[0]).context("Chromium's pipe")?;
        let from = listen(&pipes[1])?;
        let mut browser =
            Self { process, to, from, session: String::new(), last: 0, told: Vec::new(), _folder: folder };
        let attach = json!({"targetId": browser.first_page()?, "flatten": true});
        let session = browser.ask("Target.attachToTarget", &attach)?;
        session["sessionId"].as_str().context("a session")?.clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// The page that it opens with, once it is there.
    fn first_page(&mut self) -> Result<Value> {
        for _ in 0..100 {
            let mut targets = self.ask("Target.getTargets", &json!({}))?["targetInfos"].take();
            let list = targets.as_array_mut().context("targets")?;
            if let Some(page) = list.iter_mut().find(|target| target["type"] == "page") {
                return Ok(page["targetId"].take());
            }
            clock::sleep(Duration::from_millis(50));
        }
        bail!("Chromium has no page")
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).context("Chromium does not listen")?;
        loop {
            let mut told =
                self.from.recv_timeout(PATIENCE).with_context(|| format!("{method}: no answer"))?;
            if told["id"] != self.last {
                self.told.push(told);
                continue;
            }
            if !told["error"].is_null() {
                bail!("{method}: {}", told["error"]["message"]);
            }
            return Ok(told["result"].take());
        }
    }

    /// Looks at an address in some way.
    pub fn open(&mut self, address: &str, look: Look) -> Result<()> {
        let mobile = look.width < 600;
        let size = json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile});
        self.ask("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", &features)?;
        self.ask("Emulation.setScriptExecutionDisabled", &json!({"value": !look.scripts}))?;
        let opened = self.ask("Page.navigate", &json!({"url": address}))?;
        match opened["errorText"].as_str() {
            Some(error) => bail!("{address}: {error}"),
            None => Ok(()),
        }
    }

    /// What an expression is on the page.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.ask("Runtime.evaluate", &asked)?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// The whole page as a PNG.
    pub fn picture(&mut self, path: &Path) -> Result<()> {
        let size = self.ask("Page.getLayoutMetrics", &json!({}))?["cssContentSize"].take();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let answer =
            self.ask("Page.captureScreenshot", &json!({"captureBeyondViewport": true, "clip": clip}))?;
        let text = answer["data"].as_str().context("a picture")?;
        std::fs::write(path, decode(text)).with_context(|| path.display().to_string())
    }

    /// Takes in what comes without being asked for.
    pub fn wait(&mut self, time: Duration) {
        while let Ok(told) = self.from.recv_timeout(time) {
            self.told.push(told);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Reads messages on a thread of their own, so that a browser that hangs does not hang us.
fn listen(pipe: &Path) -> Result<Receiver<Value>> {
    let mut reader = BufReader::new(File::open(pipe).context("Chromium's pipe")?);
    let (sender, receiver) = channel();
    std::thread::spawn(move || loop {
        let mut message = Vec::new();
        if !matches!(reader.read_until(0, &mut message), Ok(1..)) {
            return;
        }
        message.pop();
        let Ok(message) = serde_json::from_slice(&message) else { continue };
        if sender.send(message).is_err() {
            return;
        }
    });
    Ok(receiver)
}

/// Base64.
fn decode(text: &str) -> Vec<u8> {
    let six = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(six).collect();
    let of_four = |four: &[u8]| {
        let bits = four.iter().fold(0_u32, |bits, six| bits << 6 | u32::from(*six)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(of_four).collect()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in
            [("TWFu", &b"Man"[..]), ("TWE=", b"Ma"), ("TQ==", b"M"), ("/+8", &[0xff, 0xef]), ("", b"")]
        {
            assert_eq!(decode(text), bytes, "{text}");
        }
    }
}
