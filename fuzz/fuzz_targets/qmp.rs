//! Bytes of a monitor, cut into lines, read as messages, and understood as answers: none may make it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miglink::source::qmp::answers;
use miglink::source::qmp::dialogue::{Round, Scope};
use miglink::source::transport::qmp::lines::Lines;
use miglink::source::transport::qmp::message::{self, Message};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = Lines::default();
    let mut round = Round::new(0, Scope { negotiate: true, progress: true, limits: true });
    for piece in bytes.chunks(7) {
        lines.push(piece);
        while let Ok(Some(line)) = lines.line() {
            let Ok(message) = message::parse(line) else { continue };
            if let Message::Answer { value, .. } = &message {
                answers::progress(value);
                answers::run_state(value);
                answers::limits(value, value);
            }
            round.take(message);
        }
    }
});
