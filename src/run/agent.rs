//! The agent as others see it: a thread that makes a frame a second until it is stopped.

use super::config::Settings;
use super::lane::Message;
use super::recorder::Recorder;
use super::show::Show;
use super::ticker::Ticker;
use super::totals::Totals;
use crate::sample::frame::Frame;
use crate::source::contract::{Roots, SourceInfo};
use std::sync::mpsc::{channel, Sender};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    messages: Sender<Message>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// The newest frame.
    pub frames: watch::Receiver<Arc<Frame>>,
}

impl Agent {
    /// Starts the agent's thread and its lanes. What outlives a frame goes to the totals and the recorder.
    pub fn start(
        sources: &'static [&'static SourceInfo],
        roots: Roots,
        settings: Settings,
        interval: Duration,
        (totals, recorder): (Totals, Option<Recorder>),
    ) -> std::io::Result<Self> {
        let (messages, inbox) = channel();
        let (publish, frames) = watch::channel(Arc::default());
        let show = Show::new(publish, recorder);
        let mut ticker = Ticker::new(sources, roots, settings, interval, show, &messages, totals)?;
        let thread = std::thread::Builder::new().name("agent".into()).spawn(move || ticker.run(&inbox))?;
        Ok(Self { messages, thread: Some(thread), frames })
    }

    /// Takes up a new configuration.
    pub fn configure(&self, settings: Settings) {
        // The agent ends only with the process, or by `stop`; either way nobody needs the settings any more.
        self.messages.send(Message::Configure(Box::new(settings))).ok();
    }

    /// Ends the agent. Threads that hang in the kernel are left behind.
    pub fn stop(&mut self) {
        self.messages.send(Message::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
