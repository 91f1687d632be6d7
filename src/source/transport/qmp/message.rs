//! One line of a monitor as a message, and a question as a line. Pure: no bytes make it panic.

use serde_json::{Map, Value};

/// What a monitor sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The first line: it is a QMP monitor.
    Greeting,
    /// The answer to the question with this number; `None` if it echoes no number of ours.
    Answer {
        /// The question's number.
        id: Option<u64>,
        /// What was returned.
        value: Value,
    },
    /// The refusal of a question.
    Refusal {
        /// The question's number.
        id: Option<u64>,
        /// Why, for people; at most `LONGEST_TEXT` bytes.
        reason: String,
    },
    /// Something happened.
    Event(Event),
    /// An object that is none of these: of a QEMU to come.
    Other,
}

/// Something happened in the hypervisor.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, such as `STOP`.
    pub name: String,
    /// What it says.
    pub data: Value,
    /// When, nanoseconds since 1970 by the hypervisor's clock.
    pub wall_ns: Option<u64>,
}

/// Texts of a peer are cut at this many bytes before they are kept.
pub const LONGEST_TEXT: usize = 512;

/// A line that is not a JSON object, or nested deeper than 128 levels (serde_json's limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbage;

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<Message, Garbage> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else { return Err(Garbage) };
    if object.contains_key("QMP") {
        return Ok(Message::Greeting);
    }
    let id = object.get("id").and_then(Value::as_u64);
    if let Some(value) = object.remove("return") {
        return Ok(Message::Answer { id, value });
    }
    if let Some(error) = object.get("error") {
        let reason = error.get("desc").and_then(Value::as_str).unwrap_or_default();
        return Ok(Message::Refusal { id, reason: shortened(reason) });
    }
    Ok(event(&mut object).map_or(Message::Other, Message::Event))
}

fn event(object: &mut Map<String, Value>) -> Option<Event> {
    let name = object.get("event")?.as_str()?.to_owned();
    let data = object.remove("data").unwrap_or_default();
    Some(Event { name, data, wall_ns: object.get("timestamp").and_then(wall_ns) })
}

/// QEMU writes -1 where its clock could not be read (qapi/qmp-event.c).
fn wall_ns(timestamp: &Value) -> Option<u64> {
    let seconds = timestamp.get("seconds")?.as_u64()?;
    let micros = timestamp.get("microseconds")?.as_u64()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(micros.checked_mul(1000)?)
}

/// A peer's text, cut so that it cannot fill the memory.
pub fn shortened(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A question as a line. `command` is one of ours and needs no escaping.
pub fn question(command: &str, id: u64) -> String {
    format!("{{\"execute\":\"{command}\",\"id\":{id}}}\n")
}

#[cfg(test)]
mod tests {
    use super::{parse, question, shortened, Event, Garbage, Message};
    use proptest::prelude::{any, prop, proptest};
    use serde_json::{json, Value};

    #[test]
    fn messages_of_qemu_7_2() {
        let greeting = include_bytes!("../../../../tests/data/qmp/7.2/greeting.json");
        assert_eq!(parse(greeting), Ok(Message::Greeting));
        let none = include_bytes!("../../../../tests/data/qmp/7.2/migrate-none.json");
        assert_eq!(parse(none), Ok(Message::Answer { id: Some(1), value: json!({}) }));
        let error = include_bytes!("../../../../tests/data/qmp/7.2/error.json");
        let reason = "The command no-such-command has not been found".to_owned();
        assert_eq!(parse(error), Ok(Message::Refusal { id: Some(1), reason }));
        let events = include_str!("../../../../tests/data/qmp/7.2/events.jsonl");
        let pass = events.lines().nth(1).expect("a second event");
        let wall_ns = Some(1_795_369_035_396_189_000);
        let pass_event = Event { name: "MIGRATION_PASS".into(), data: json!({"pass": 1}), wall_ns };
        assert_eq!(parse(pass.as_bytes()), Ok(Message::Event(pass_event)));
    }

    #[test]
    fn what_is_wrong_is_left_out() {
        let stop = |wall_ns| Ok(Message::Event(Event { name: "STOP".into(), data: Value::Null, wall_ns }));
        assert_eq!(parse(br#"{"event":"STOP"}"#), stop(None));
        let unread = br#"{"event":"STOP","timestamp":{"seconds":-1,"microseconds":-1}}"#;
        assert_eq!(parse(unread), stop(None));
        let huge = br#"{"event":"STOP","timestamp":{"seconds":18446744073709551615,"microseconds":1}}"#;
        assert_eq!(parse(huge), stop(None));
        assert_eq!(parse(br#"{"event":7}"#), Ok(Message::Other));
        assert_eq!(parse(br#"{"return":1,"id":"mine"}"#), Ok(Message::Answer { id: None, value: json!(1) }));
        assert_eq!(parse(br#"{"error":[]}"#), Ok(Message::Refusal { id: None, reason: String::new() }));
    }

    #[test]
    fn garbage_is_garbage() {
        for line in [&b""[..], b"HTTP/1.1 200 OK", b"[]", b"{\"a\":", b"\xff\xfe", b"{} {}"] {
            assert_eq!(parse(line), Err(Garbage));
        }
        assert_eq!(parse("[".repeat(100_000).as_bytes()), Err(Garbage));
        let deep = format!("{{\"return\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(parse(deep.as_bytes()), Err(Garbage));
    }

    #[test]
    fn a_question_is_a_line_of_json() {
        let line = question("query-migrate", 7);
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value, json!({"execute": "query-migrate", "id": 7}));
        assert!(line.ends_with('\n'));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            parse(&bytes).ok();
        }

        #[test]
        fn no_text_is_cut_within_a_letter(text in "\\PC{0,600}") {
            assert!(text.starts_with(&shortened(&text)));
        }
    }
}
