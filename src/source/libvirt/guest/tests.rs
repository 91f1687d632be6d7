//! One guest, told what libvirt tells, moment by moment.

use super::{Answer, Guest, Question, CLOSELY, GRACE, HANGING, IDLE, PAUSED, RARELY, RECEIVING};
use crate::sample::migration::{Direction, Event, Progress, Status, Unavailable, What};
use crate::sample::monotonic::Monotonic;
use crate::source::transport::libvirt::notice;
use crate::source::transport::libvirt::procedure::{Domain, Job, Refusal};
use crate::source::transport::libvirt::xdr::{Parameters, Value};
use std::time::Duration;

const ARRIVING: (i32, i32) = (2, 1);
const STOPPED: (i32, i32) = (3, 1);
const POSTCOPY: (i32, i32) = (3, 7);
const RESUMED: (i32, i32) = (4, 1);
const RESUMED_POSTCOPY: (i32, i32) = (4, 3);
const LEFT: (i32, i32) = (5, 3);
const FAILED: (i32, i32) = (5, 5);
const RUNNING: (i32, i32) = (1, 1);

/// A guest and the time.
struct Scene {
    guest: Guest,
    now: Monotonic,
}

impl Scene {
    fn new() -> Self {
        let domain = Domain { name: "vm".into(), uuid: [1; 16], id: 1 };
        Self { guest: Guest::new(domain, Monotonic::default()), now: Monotonic::default() }
    }

    /// One that the agent asks for.
    fn wanted() -> Self {
        let mut scene = Self::new();
        scene.guest.want(true, false, scene.now);
        scene
    }

    /// Waits until it is to be asked; gives the question.
    fn asks(&mut self) -> Question {
        self.now = self.now.max(self.guest.due().expect("nothing under way"));
        self.guest.question(self.now)
    }

    fn passes(&mut self, time: Duration) {
        self.now = Monotonic(self.now.0 + time);
        self.guest.tick(self.now);
    }

    /// It asks this, and is answered.
    fn answers(&mut self, question: Question, answer: Answer) {
        assert_eq!(self.asks(), question);
        self.guest.answer(question, Ok(answer), self.now);
    }

    fn refuses(&mut self, code: i32) {
        let question = self.asks();
        self.guest.answer(question, Err(Refusal { code, message: String::new() }), self.now);
    }

    fn lifecycle(&mut self, event: (i32, i32)) {
        self.guest.notice(&notice::What::Lifecycle(event.0, event.1), self.now);
    }

    fn says(&mut self) -> Vec<What> {
        self.guest.take_told().into_iter().map(|told| told.what).collect()
    }

    /// The events that were told, and the statuses of what was told of its progress.
    fn tells(&mut self) -> (Vec<Event>, Vec<Status>) {
        let (mut events, mut statuses) = (Vec::new(), Vec::new());
        for what in self.says() {
            match what {
                What::Event { event, .. } => events.push(event),
                What::Progress(progress) => statuses.push(progress.status),
                _ => {}
            }
        }
        (events, statuses)
    }

    /// It is being copied, and its limits are known.
    fn leaving() -> Self {
        let mut scene = Self::wanted();
        scene.answers(Question::Job, copying());
        scene.answers(Question::Limits, Answer::MaxDowntime(300));
        scene.says();
        scene
    }
}

fn parameters(list: &[(&str, u64)]) -> Parameters {
    list.iter().map(|(name, number)| ((*name).to_owned(), Value::Unsigned(*number))).collect()
}

fn job(kind: i32, list: &[(&str, u64)]) -> Answer {
    Answer::Job(Job { kind, parameters: parameters(list) })
}

fn copying() -> Answer {
    job(2, &[("operation", 5), ("setup_time", 1), ("memory_processed", 7)])
}

fn nothing() -> Answer {
    job(0, &[])
}

#[test]
fn a_guest_that_leaves_is_asked_ten_times_a_second_and_twenty_while_it_stands_still() {
    let mut scene = Scene::wanted();
    assert_eq!(scene.asks(), Question::Job);
    assert_eq!(scene.guest.due(), None, "one question at a time");
    scene.guest.answer(Question::Job, Ok(copying()), scene.now);
    let limits = scene.asks();
    assert_eq!(limits, Question::Limits, "the source may be asked for its limits");
    scene.guest.answer(limits, Ok(Answer::MaxDowntime(300)), scene.now);
    scene.answers(Question::Job, copying());
    assert_eq!(scene.guest.due(), Some(Monotonic(scene.now.0 + CLOSELY)));
    scene.lifecycle(STOPPED);
    scene.answers(Question::Job, copying());
    assert_eq!(scene.guest.due(), Some(Monotonic(scene.now.0 + PAUSED)));
    let (events, statuses) = scene.tells();
    assert_eq!(events, [Event::Stopped]);
    assert_eq!(statuses, [Status::Active, Status::Active, Status::Device]);
}

#[test]
fn a_guest_that_is_received_is_never_asked_what_takes_its_lock() {
    for by_event in [true, false] {
        let mut scene = Scene::wanted();
        if by_event {
            scene.lifecycle(ARRIVING);
        }
        for _ in 0..50 {
            let question = scene.asks();
            assert_eq!(question, Question::Job);
            let refusal = Refusal { code: 84, message: String::new() };
            scene.guest.answer(question, Err(refusal), scene.now);
            assert_eq!(scene.guest.due(), Some(Monotonic(scene.now.0 + RECEIVING)));
        }
        let incoming = scene.says().into_iter().filter_map(|what| match what {
            What::Progress(progress) => Some((progress.direction, progress.transferred)),
            _ => None,
        });
        assert_eq!(
            incoming.collect::<Vec<_>>(),
            [(Some(Direction::Incoming), None)],
            "said once, no figures"
        );
    }
}

#[test]
fn what_was_received_has_its_record_read_when_the_job_is_gone() {
    let mut scene = Scene::new();
    scene.lifecycle(ARRIVING);
    scene.answers(Question::Job, nothing());
    scene.refuses(84);
    scene.lifecycle(RESUMED);
    scene.answers(Question::Job, nothing());
    scene.answers(Question::LastJob, nothing());
    // The record of an earlier departure is not this arrival's.
    scene.answers(Question::LastJob, job(3, &[("operation", 5)]));
    scene.answers(Question::LastJob, job(3, &[("operation", 4), ("downtime", 30)]));
    let (events, _) = scene.tells();
    let [Event::Arriving, Event::Resumed, Event::Completed(last)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((last.direction, last.downtime), (Some(Direction::Incoming), Some(Duration::from_millis(30))));
    assert!(!scene.guest.is_followed());
}

#[test]
fn a_migration_that_vanishes_while_the_guest_runs_on_was_called_off() {
    let mut scene = Scene::leaving();
    scene.answers(Question::Job, nothing());
    scene.answers(Question::State, Answer::State(RUNNING.0, RUNNING.1));
    assert_eq!(scene.tells(), (vec![], vec![Status::Cancelled]));
    scene.answers(Question::Job, nothing());
    assert_eq!(scene.guest.due(), Some(Monotonic(scene.now.0 + IDLE)));
    assert!(scene.says().is_empty(), "said once");
}

#[test]
fn whether_it_failed_or_was_cancelled_is_chance_and_its_zeros_are_no_figures() {
    for kind in [4, 5] {
        let mut scene = Scene::leaving();
        let record = || job(kind, &[("operation", 5), ("memory_total", 0)]);
        scene.answers(Question::Job, record());
        scene.answers(Question::State, Answer::State(RUNNING.0, RUNNING.1));
        scene.answers(Question::Job, record());
        assert_eq!(scene.tells(), (vec![], vec![Status::Cancelled]), "once");
        scene.answers(Question::Job, copying());
        assert_eq!(scene.tells(), (vec![], vec![Status::Active]), "the next try");
    }
}

#[test]
fn a_guest_that_still_stands_for_the_migration_has_not_been_given_back() {
    let mut scene = Scene::leaving();
    scene.answers(Question::Job, nothing());
    scene.answers(Question::State, Answer::State(3, 2));
    assert_eq!(scene.tells(), (vec![], vec![]));
    scene.answers(Question::Job, copying());
    assert_eq!(scene.tells(), (vec![], vec![Status::Active]), "it was between two phases");
}

#[test]
fn events_end_it_in_either_order() {
    let done = notice::What::JobCompleted(parameters(&[("operation", 5), ("downtime", 9)]));
    for completed_first in [true, false] {
        let mut scene = Scene::leaving();
        scene.lifecycle(STOPPED);
        if completed_first {
            scene.guest.notice(&done, scene.now);
        }
        scene.refuses(42);
        scene.lifecycle(LEFT);
        if !completed_first {
            scene.guest.notice(&done, scene.now);
        }
        scene.refuses(42);
        scene.passes(GRACE * 2);
        let (mut events, statuses) = scene.tells();
        assert!(statuses.is_empty(), "nothing is left to be inferred: {statuses:?}");
        let last = events.iter().position(|event| matches!(event, Event::Completed(_))).unwrap();
        let Event::Completed(last) = events.remove(last) else { panic!() };
        assert_eq!((last.status, last.downtime), (Status::Completed, Some(Duration::from_millis(9))));
        assert_eq!(events, [Event::Stopped, Event::Left]);
    }
}

#[test]
fn an_end_that_nobody_saw_is_not_guessed() {
    let mut scene = Scene::leaving();
    scene.refuses(42);
    scene.passes(GRACE + Duration::from_millis(1));
    assert_eq!(scene.tells(), (vec![], vec![Status::None]));
}

#[test]
fn an_end_during_an_outage_is_read_from_a_persistent_guests_record() {
    let mut scene = Scene::leaving();
    scene.guest.disconnected();
    scene.guest.connected(scene.now);
    scene.refuses(55);
    scene.answers(Question::LastJob, job(3, &[("operation", 5), ("downtime", 9)]));
    let (events, statuses) = scene.tells();
    assert!(matches!(events.as_slice(), [Event::Completed(_)]) && statuses.is_empty(), "{events:?}");
}

#[test]
fn a_guest_that_vanished_between_the_list_and_the_question_is_no_fault() {
    let mut scene = Scene::wanted();
    scene.refuses(42);
    scene.passes(GRACE * 2);
    assert!(scene.says().is_empty());
}

#[test]
fn a_save_is_no_migration_though_it_has_iterations() {
    let mut scene = Scene::new();
    scene.guest.notice(&notice::What::Iteration(1), scene.now);
    assert!(scene.guest.is_followed());
    scene.answers(Question::Job, job(2, &[("operation", 2)]));
    scene.guest.notice(&notice::What::JobCompleted(parameters(&[("operation", 2)])), scene.now);
    assert!(scene.says().is_empty() && !scene.guest.is_followed());
    assert_eq!(scene.guest.due().map(|due| due.since(scene.now)), Some(CLOSELY));
    scene.guest.want(true, false, scene.now);
    scene.answers(Question::Job, job(2, &[("operation", 8)]));
    assert_eq!(scene.guest.due(), Some(Monotonic(scene.now.0 + RARELY)));
}

#[test]
fn an_iteration_before_the_first_answer_is_told_when_it_is_known_to_be_a_migrations() {
    let mut scene = Scene::new();
    scene.passes(Duration::from_millis(70));
    let heard = scene.now;
    scene.guest.notice(&notice::What::Iteration(1), heard);
    assert!(scene.says().is_empty());
    scene.passes(Duration::from_millis(30));
    scene.answers(Question::Job, copying());
    let first = &scene.guest.take_told()[0];
    assert_eq!(first.at, heard, "when it came, not when it was understood");
    assert_eq!(first.what, What::Event { event: Event::Iteration(1), wall_ns: None });
}

#[test]
fn postcopy_on_both_sides() {
    let mut source = Scene::leaving();
    source.lifecycle(POSTCOPY);
    source.answers(Question::Job, copying());
    let (events, statuses) = source.tells();
    assert_eq!(events, [Event::Stopped, Event::Status(Status::Postcopy)]);
    assert_eq!(statuses, [Status::Postcopy]);
    let mut destination = Scene::new();
    for event in [ARRIVING, RESUMED_POSTCOPY, RESUMED] {
        destination.lifecycle(event);
    }
    destination.answers(Question::Job, nothing());
    destination.answers(Question::LastJob, nothing());
    let (mut events, _) = destination.tells();
    let Some(Event::Completed(last)) = events.pop() else { panic!("{events:?}") };
    assert_eq!(
        (last.status, last.direction),
        (Status::Completed, Some(Direction::Incoming)),
        "without a record"
    );
    assert_eq!(events, [Event::Arriving, Event::Resumed, Event::Status(Status::Postcopy)], "it goes on once");
}

#[test]
fn what_does_not_arrive_has_failed_and_what_is_destroyed_while_it_leaves_has_too() {
    let mut destination = Scene::new();
    destination.lifecycle(ARRIVING);
    destination.refuses(84);
    destination.lifecycle(FAILED);
    assert_eq!(destination.tells().0, [Event::Arriving, Event::Failed]);
    let mut source = Scene::leaving();
    source.lifecycle((5, 1));
    assert_eq!(source.tells(), (vec![], vec![Status::Failed]));
    let mut idle = Scene::wanted();
    idle.lifecycle(FAILED);
    assert_eq!(idle.tells(), (vec![], vec![]), "a guest that ends is no migration");
}

#[test]
fn the_lock_of_a_guest_that_leaves_is_waited_for_and_a_longer_one_is_told_once() {
    let mut scene = Scene::leaving();
    scene.asks();
    scene.passes(Duration::from_millis(1200));
    assert!(scene.says().is_empty());
    scene.passes(HANGING);
    scene.passes(HANGING);
    assert_eq!(scene.says(), [What::Unavailable(Unavailable::Silent)]);
    scene.guest.answer(Question::Job, Ok(copying()), scene.now);
    assert_eq!(scene.tells().1, [Status::Active], "a late answer is as good as any");
}

#[test]
fn a_refusal_is_told_once_until_there_is_an_answer() {
    let mut scene = Scene::wanted();
    for _ in 0..3 {
        scene.refuses(38);
    }
    assert_eq!(scene.says(), [What::Unavailable(Unavailable::Refused)]);
    scene.answers(Question::Job, nothing());
    scene.refuses(38);
    assert_eq!(scene.says(), [What::Unavailable(Unavailable::Refused)]);
}

#[test]
fn the_first_seconds_zeros_are_setup() {
    let mut scene = Scene::wanted();
    scene.answers(Question::Job, job(2, &[("operation", 5), ("memory_total", 0)]));
    let What::Progress(progress) = &scene.says()[0] else { panic!() };
    let direction = Some(Direction::Outgoing);
    let expected = Progress { status: Status::Setup, direction, ..Progress::default() };
    assert_eq!(**progress, expected);
}
