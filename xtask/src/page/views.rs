//! The views of the page, and what must hold of each: nothing on the console, no request to anybody else, no scrolling
//! sideways, and that it keeps itself up to date, with scripts and without.

use super::chromium::{Chromium, Look};
use anyhow::{Context, Result};
use lab::clock;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);
/// A desktop, and a small phone.
const WIDTHS: [(&str, u32); 2] = [("desktop", 1280), ("phone", 360)];

/// A browser on a page, and what was found wrong.
pub struct Views {
    browser: Chromium,
    address: String,
    pictures: PathBuf,
    /// What does not hold.
    pub problems: Vec<String>,
}

impl Views {
    /// Starts the browser.
    pub fn start(address: &str, pictures: &Path) -> Result<Self> {
        let (browser, problems) = (Chromium::start()?, Vec::new());
        Ok(Self { browser, address: address.into(), pictures: pictures.into(), problems })
    }

    /// Before the migration.
    pub fn idle(&mut self) -> Result<()> {
        self.all_looks(
            "idle",
            "!document.querySelector('article') && !!document.querySelector('#links table')",
        )
    }

    /// While it runs.
    pub fn running(&mut self) -> Result<()> {
        self.open(WIDTHS[0].1, false, true)?;
        let judged =
            "!!document.querySelector('article .why') && !!document.querySelector('article path.layer')";
        self.appears("a card with a cause and plots", judged)?;
        self.stays_up_to_date()?;
        self.all_looks("running", judged)?;
        self.without_scripts()
    }

    /// After it.
    pub fn over(&mut self) -> Result<()> {
        let over = "!document.querySelector('article') && !!document.querySelector('#recent .good')";
        self.all_looks("over", over)?;
        self.open(WIDTHS[0].1, false, true)?;
        self.appears("why it was slow", "!!document.querySelector('#recent details')")?;
        self.browser.value("document.querySelector('#recent details').open = true")?;
        self.picture("why")
    }

    /// When nobody answers any more, the page says so.
    pub fn silent(&mut self) -> Result<()> {
        self.check("silent");
        self.appears("that nobody answers", "!document.getElementById('silence').hidden")?;
        self.browser.told.clear();
        self.picture("silent")
    }

    /// Both widths in both schemes.
    fn all_looks(&mut self, what: &str, ready: &str) -> Result<()> {
        for (name, width) in WIDTHS {
            for (scheme, dark) in [("light", false), ("dark", true)] {
                self.open(width, dark, true)?;
                self.appears(what, ready)?;
                let view = format!("{what}-{name}-{scheme}");
                self.picture(&view)?;
                self.check(&view);
                let wide = self
                    .browser
                    .value("document.documentElement.scrollWidth - document.documentElement.clientWidth")?;
                self.holds(wide == 0, || format!("{view}: {wide} dots do not fit"));
            }
        }
        Ok(())
    }

    /// The page changes by itself and is not loaded again: what the reader has opened and marked stays.
    fn stays_up_to_date(&mut self) -> Result<()> {
        let as_of = "document.querySelector('.summary li:last-child').textContent";
        let mark = "window.mark = 1; document.querySelector('#sources details').open = true; \
                    window.getSelection().selectAllChildren(document.querySelector('article h3'));";
        self.browser.value(mark)?;
        let before = self.browser.value(as_of)?;
        for _ in 0..2 {
            let changed = format!("{as_of} !== {before}");
            self.appears("a newer moment", &changed)?;
        }
        let kept = "window.mark === 1 && document.querySelector('#sources details').open \
                    && window.getSelection().toString().trim().length > 0";
        let kept = self.browser.value(kept)?;
        self.holds(kept == true, || "the page does not keep what the reader opened and marked".into());
        self.check("updates");
        Ok(())
    }

    /// Without scripts it shows the same, and reloads itself.
    fn without_scripts(&mut self) -> Result<()> {
        self.open(WIDTHS[1].1, false, false)?;
        self.browser.wait(Duration::from_millis(500));
        self.picture("running-phone-without-scripts")?;
        self.browser.told.clear();
        let start = clock::now();
        let is_document = |told: &Value| told["params"]["type"] == "Document";
        while !self.browser.told.iter().any(is_document) && clock::since(start) < PATIENCE {
            self.browser.wait(Duration::from_millis(100));
        }
        let reloaded = self.browser.told.iter().any(is_document);
        self.holds(reloaded, || "without scripts the page does not reload itself".into());
        self.check("without scripts");
        Ok(())
    }

    fn open(&mut self, width: u32, dark: bool, scripts: bool) -> Result<()> {
        self.browser.open(&self.address, Look { width, dark, scripts })
    }

    fn appears(&mut self, what: &str, expression: &str) -> Result<()> {
        let start = clock::now();
        while clock::since(start) < PATIENCE {
            // Between two pages there may be no document to ask.
            if self.browser.value(expression).is_ok_and(|value| value == true) {
                return Ok(());
            }
            clock::sleep(Duration::from_millis(50));
        }
        self.picture("not-found")?;
        self.problems.push(format!("{what} does not appear: {expression}"));
        Ok(())
    }

    fn picture(&mut self, name: &str) -> Result<()> {
        let path = self.pictures.join(format!("{name}.png"));
        self.browser.picture(&path).with_context(|| name.to_owned())
    }

    fn holds(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// Whatever was said or asked since the last time must be in order.
    fn check(&mut self, view: &str) {
        for told in std::mem::take(&mut self.browser.told) {
            let params = &told["params"];
            let problem = match told["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => Some(params["args"].to_string()),
                "Log.entryAdded" => Some(params["entry"]["text"].to_string()),
                "Network.requestWillBeSent" => foreign(params, &self.address),
                _ => None,
            };
            self.problems.extend(problem.map(|problem| format!("{view}: {problem}")));
        }
    }
}

/// A request to anybody else.
fn foreign(params: &Value, own: &str) -> Option<String> {
    let address = params["request"]["url"].as_str().unwrap_or_default();
    (!address.starts_with(own)).then(|| format!("asks {address}"))
}
