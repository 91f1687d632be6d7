//! A round of questions that goes out in one write, and the answers that come back in whatever order, between events.
//! Pure.

use super::answers;
use crate::sample::migration::{Event, Status, Unavailable, What};
use crate::source::transport::qmp::message::{self, Message};
use serde_json::Value;

/// What a monitor is asked. None of it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Ends the greeting; enables nothing.
    Negotiate,
    /// How far the migration is.
    Progress,
    /// Whether the guest runs.
    RunState,
    /// What the migration keeps to.
    Parameters,
    /// What is switched on.
    Capabilities,
}

impl Question {
    const ALL: [Self; 5] =
        [Self::Negotiate, Self::RunState, Self::Progress, Self::Parameters, Self::Capabilities];

    fn command(self) -> &'static str {
        match self {
            Self::Negotiate => "qmp_capabilities",
            Self::Progress => "query-migrate",
            Self::RunState => "query-status",
            Self::Parameters => "query-migrate-parameters",
            Self::Capabilities => "query-migrate-capabilities",
        }
    }
}

/// Which questions a round has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The session is new.
    pub negotiate: bool,
    /// Status and progress.
    pub progress: bool,
    /// Parameters and capabilities.
    pub limits: bool,
}

impl Scope {
    fn has(self, question: Question) -> bool {
        match question {
            Question::Negotiate => self.negotiate,
            Question::Progress | Question::RunState => self.progress,
            Question::Parameters | Question::Capabilities => self.limits,
        }
    }
}

/// One round.
#[derive(Debug)]
pub struct Round {
    first: u64,
    open: Vec<Question>,
    refusals: usize,
    answers: usize,
    parameters: Option<Value>,
    capabilities: Option<Value>,
}

impl Round {
    /// A round with the number `number`; answers to other rounds of the same session are not taken for its own.
    pub fn new(number: u64, scope: Scope) -> Self {
        let open = Question::ALL.into_iter().filter(|question| scope.has(*question)).collect();
        let first = number.wrapping_mul(Question::ALL.len() as u64) % (1 << 53);
        Self { first, open, refusals: 0, answers: 0, parameters: None, capabilities: None }
    }

    /// Its questions as lines.
    pub fn lines(&self) -> String {
        self.open.iter().map(|question| message::question(question.command(), self.id(*question))).collect()
    }

    /// Whether all is answered or refused.
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether it is over and nothing was answered.
    pub fn was_refused(&self) -> bool {
        self.is_done() && self.refusals > 0 && self.answers == 0
    }

    /// Takes a message in; gives what it tells, if it tells something now.
    pub fn take(&mut self, message: Message) -> Option<What> {
        match message {
            Message::Event(event) => what_happened(&event),
            Message::Answer { id, value } => {
                let question = self.close(id)?;
                self.answers += usize::from(question != Question::Negotiate);
                self.answered(question, value)
            }
            Message::Refusal { id, .. } => {
                let question = self.close(id)?;
                self.refusals += 1;
                let told = self.answered(question, Value::Null);
                told.filter(|what| !matches!(what, What::Progress(_)))
                    .or_else(|| self.was_refused().then_some(What::Unavailable(Unavailable::Refused)))
            }
            Message::Greeting | Message::Other => None,
        }
    }

    fn id(&self, question: Question) -> u64 {
        self.first + question as u64
    }

    fn close(&mut self, id: Option<u64>) -> Option<Question> {
        let at = self.open.iter().position(|question| Some(self.id(*question)) == id)?;
        Some(self.open.remove(at))
    }

    fn answered(&mut self, question: Question, value: Value) -> Option<What> {
        match question {
            Question::Negotiate => None,
            Question::Progress => Some(What::Progress(Box::new(answers::progress(&value)))),
            Question::RunState => answers::run_state(&value).map(What::Run),
            Question::Parameters => {
                self.parameters = Some(value);
                self.limits()
            }
            Question::Capabilities => {
                self.capabilities = Some(value);
                self.limits()
            }
        }
    }

    /// Both answers make one: how memory is compressed depends on both.
    fn limits(&mut self) -> Option<What> {
        let (parameters, capabilities) = (self.parameters.as_ref()?, self.capabilities.as_ref()?);
        if parameters.is_null() && capabilities.is_null() {
            return None;
        }
        Some(What::Limits(Box::new(answers::limits(parameters, capabilities))))
    }
}

/// The status of the migration, if that is what was told.
pub fn migration_status(what: &What) -> Option<Status> {
    match what {
        What::Progress(progress) => Some(progress.status),
        _ => None,
    }
}

/// An event in this program's words, if it is one that matters.
pub fn what_happened(event: &message::Event) -> Option<What> {
    let meaning = match event.name.as_str() {
        "STOP" => Event::Stopped,
        "RESUME" => Event::Resumed,
        "MIGRATION" => Event::Status(answers::status(event.data.get("status")?.as_str()?)),
        "MIGRATION_PASS" => Event::Iteration(event.data.get("pass")?.as_u64()?),
        _ => return None,
    };
    Some(What::Event { event: meaning, wall_ns: event.wall_ns })
}

#[cfg(test)]
mod tests {
    use super::{what_happened, Round, Scope};
    use crate::sample::migration::{Event, Limits, RunState, Status, Unavailable, What};
    use crate::source::transport::qmp::message::{parse, Message};
    use serde_json::{json, Value};

    const ALL: Scope = Scope { negotiate: true, progress: true, limits: true };

    fn ids(round: &Round) -> Vec<(String, u64)> {
        let lines: Vec<Value> =
            round.lines().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let name = |line: &Value| line["execute"].as_str().expect("a command").to_owned();
        lines.iter().map(|line| (name(line), line["id"].as_u64().expect("a number"))).collect()
    }

    fn answer(id: u64, value: Value) -> Message {
        Message::Answer { id: Some(id), value }
    }

    #[test]
    fn a_round_takes_its_answers_in_any_order() {
        let mut round = Round::new(3, ALL);
        let ids = ids(&round);
        let id = |name: &str| ids.iter().find(|(command, _)| command == name).expect("asked").1;
        assert_eq!(ids[0].0, "qmp_capabilities");
        assert_eq!(round.take(answer(id("query-migrate-capabilities"), json!([]))), None);
        assert_eq!(round.take(answer(id("qmp_capabilities"), json!({}))), None);
        let run = round.take(answer(id("query-status"), json!({"status": "running"})));
        assert_eq!(run, Some(What::Run(RunState::Running)));
        let Some(What::Progress(progress)) =
            round.take(answer(id("query-migrate"), json!({"status": "active"})))
        else {
            panic!("progress")
        };
        assert_eq!(progress.status, Status::Active);
        assert!(!round.is_done());
        let limits = round.take(answer(id("query-migrate-parameters"), json!({"downtime-limit": 1})));
        assert!(matches!(limits, Some(What::Limits(_))));
        assert!(round.is_done() && !round.was_refused());
    }

    #[test]
    fn the_answers_of_other_rounds_are_not_its_own() {
        let mut round = Round::new(2, ALL);
        for (_, id) in ids(&Round::new(1, ALL)) {
            assert_eq!(round.take(answer(id, json!({"status": "active"}))), None);
        }
        assert_eq!(round.take(Message::Answer { id: None, value: json!({}) }), None);
        assert!(!round.is_done());
    }

    #[test]
    fn a_refusal_costs_its_own_answer_only() {
        let scope = Scope { negotiate: false, progress: false, limits: true };
        let mut round = Round::new(1, scope);
        let ids = ids(&round);
        assert_eq!(round.take(Message::Refusal { id: Some(ids[1].1), reason: String::new() }), None);
        let told = round.take(answer(ids[0].1, json!({"multifd-channels": 2})));
        let expected = Limits { multifd_channels: Some(2), ..Limits::default() };
        assert_eq!(told, Some(What::Limits(Box::new(expected))));
    }

    #[test]
    fn only_refusals_are_a_refusal() {
        let mut round = Round::new(1, ALL);
        let ids = ids(&round);
        let told: Vec<_> = ids
            .iter()
            .filter_map(|(_, id)| round.take(Message::Refusal { id: Some(*id), reason: String::new() }))
            .collect();
        assert_eq!(told, [What::Unavailable(Unavailable::Refused)]);
    }

    #[test]
    fn events_of_qemu_7_2_have_their_meaning() {
        let events = include_str!("../../../tests/data/qmp/7.2/events.jsonl");
        let told: Vec<_> = events
            .lines()
            .filter_map(|line| match parse(line.as_bytes()) {
                Ok(Message::Event(event)) => what_happened(&event),
                other => panic!("{other:?}"),
            })
            .map(|what| match what {
                What::Event { event, wall_ns } => (event, wall_ns.expect("a time")),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told[0], (Event::Status(Status::Setup), 1_795_369_035_394_847_000));
        assert_eq!(told[1].0, Event::Iteration(1));
        assert_eq!(told[6].0, Event::Stopped);
        assert_eq!(told[9].0, Event::Resumed);
        assert!(told.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        let other = parse(br#"{"event":"BALLOON_CHANGE","data":{"actual":1}}"#);
        assert!(matches!(other, Ok(Message::Event(event)) if what_happened(&event).is_none()));
    }
}
