//! One libvirt daemon: a connection for events and questions about guests, and one for the list of domains, which a
//! dying guest can hold up for more than a second. Both are made again when they break.

use super::board::Board;
use super::guest::{Answer, Question};
use super::watch::Watch;
use super::Orders;
use crate::sample::migration::Unavailable;
use crate::sample::monotonic::Monotonic;
use crate::source::contract::Now;
use crate::source::transport::libvirt::conversation::{Broken, Conversation};
use crate::source::transport::libvirt::procedure::{self, Domain, Refusal, Uuid};
use crate::source::transport::libvirt::session::Happening;
use crate::source::transport::libvirt::{notice, ProtocolError};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{watch, Notify};
use tokio::time::{sleep, timeout};

/// The connection with the events, as problems call it.
pub const EVENTS: &str = "events and jobs";
/// The connection with the list.
const LIST: &str = "list of domains";

/// The first wait before a connection is tried again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest while a guest is followed.
const LONGEST_WAIT_NEEDED: Duration = Duration::from_secs(2);
/// A connection that lived so long was a good one: waits begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// How long all requests may hang before the connection is replaced.
const STUCK: Duration = Duration::from_secs(10);
/// How often the list is read without a reason.
const LIST_EVERY: Duration = Duration::from_secs(10);
/// How often at most.
const LIST_AT_MOST: Duration = Duration::from_secs(1);

/// `VIR_ERR_OPERATION_DENIED`, `VIR_ERR_AUTH_FAILED`, `VIR_ERR_AUTH_CANCELLED`, `VIR_ERR_AUTH_UNAVAILABLE` and
/// `VIR_ERR_ACCESS_DENIED`.
const DENIALS: [i32; 5] = [29, 45, 79, 80, 88];

/// What a call of the first connection is for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Of(Uuid, Question),
    Setup,
}

/// A daemon that is watched.
pub struct Daemon {
    path: PathBuf,
    clock: Now,
    board: Board,
    watch: RefCell<Watch>,
    /// The list is to be read, or can be again.
    list: Notify,
    /// The list has come: guests may be there to be asked.
    listed: Notify,
}

impl Daemon {
    /// One of which nothing is known.
    pub fn new(path: PathBuf, clock: Now, board: Board) -> Self {
        Self { path, clock, board, watch: RefCell::default(), list: Notify::new(), listed: Notify::new() }
    }

    /// Watches it until the orders end.
    pub async fn run(&self, mut orders: watch::Receiver<Orders>) {
        self.take_orders(&mut orders);
        tokio::select! {
            () = self.follow(&mut orders) => {}
            () = self.keep_list() => {}
        }
    }

    fn take_orders(&self, orders: &mut watch::Receiver<Orders>) {
        let now = self.clock.get();
        self.watch.borrow_mut().want(&orders.borrow_and_update().followed, now);
        self.publish();
    }

    /// Gives away what was told, and wakes the other connection if the list is old.
    fn publish(&self) {
        let mut watch = self.watch.borrow_mut();
        self.board.tell(watch.take_told());
        if watch.is_connected() && watch.take_list_is_old() {
            self.list.notify_one();
        }
    }

    async fn follow(&self, orders: &mut watch::Receiver<Orders>) {
        let mut wait = FIRST_WAIT;
        loop {
            let began = self.clock.get();
            let broken = match Conversation::open(&self.path, &self.clock, Asked::Setup).await {
                Ok(conversation) => match self.converse(conversation, orders).await {
                    Some(broken) => broken,
                    None => return,
                },
                Err(broken) => broken,
            };
            let now = self.clock.get();
            self.watch.borrow_mut().disconnected(unavailable(&broken), now);
            self.board.trouble(&self.path, EVENTS, Some(broken.to_string()));
            self.publish();
            if now.since(began) > GOOD {
                wait = FIRST_WAIT;
            }
            if !self.wait(wait, orders).await {
                return;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Waits before the next attempt; false if the orders have ended. A guest that is followed cannot wait long.
    async fn wait(&self, wait: Duration, orders: &mut watch::Receiver<Orders>) -> bool {
        let began = self.clock.get();
        loop {
            let most = if self.watch.borrow().is_needed() { LONGEST_WAIT_NEEDED } else { LONGEST_WAIT };
            let left = wait.min(most).saturating_sub(self.clock.get().since(began));
            if left.is_zero() {
                return true;
            }
            match timeout(left, orders.changed()).await {
                Ok(Ok(())) => self.take_orders(orders),
                Ok(Err(_)) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Talks until the connection breaks, which is the answer, or the orders end.
    async fn converse(
        &self,
        mut conversation: Conversation<Asked>,
        orders: &mut watch::Receiver<Orders>,
    ) -> Option<Broken> {
        self.board.trouble(&self.path, EVENTS, None);
        let now = self.clock.get();
        self.watch.borrow_mut().connected(now);
        for event in [notice::LIFECYCLE, notice::ITERATION, notice::JOB_COMPLETED] {
            conversation.session().call(procedure::REGISTER, &procedure::register(event), Asked::Setup, now);
        }
        loop {
            let rest = match self.ask(&mut conversation) {
                Ok(rest) => rest,
                Err(broken) => return Some(broken),
            };
            self.publish();
            tokio::select! {
                happened = conversation.exchange(rest) => {
                    if let Err(broken) = happened.and_then(|list| self.take_in(list)) {
                        return Some(broken);
                    }
                }
                changed = orders.changed() => match changed {
                    Ok(()) => self.take_orders(orders),
                    Err(_) => return None,
                },
                () = self.listed.notified() => {}
            }
        }
    }

    /// Asks what is due; gives how long nothing else is.
    fn ask(&self, conversation: &mut Conversation<Asked>) -> Result<Duration, Broken> {
        let now = self.clock.get();
        let mut watch = self.watch.borrow_mut();
        let session = conversation.session();
        if session.stuck_since().is_some_and(|since| now.since(since) > STUCK) {
            return Err(Broken::Stuck);
        }
        if session.is_silent(now) {
            watch.tell_all(Unavailable::Silent, now);
        }
        watch.tick(now);
        while session.has_room() {
            let Some((domain, question)) = watch.question(now) else { return Ok(watch.rest(now)) };
            let (procedure, body) = request(&domain, question);
            session.call(procedure, &body, Asked::Of(domain.uuid, question), now);
        }
        // An answer makes room; until then there is nothing to do but to look for what hangs.
        Ok(Duration::from_millis(200))
    }

    fn take_in(&self, happened: Vec<Happening<Asked>>) -> Result<(), Broken> {
        let now = self.clock.get();
        let mut watch = self.watch.borrow_mut();
        for happening in happened {
            match happening {
                Happening::Answer(Asked::Of(uuid, question), answer) => {
                    watch.answer(uuid, question, understand(question, answer)?, now);
                }
                Happening::Notice(notice) => watch.notice(notice, now),
                // An old libvirt does not know every event: then there are fewer.
                Happening::Answer(Asked::Setup, _) | Happening::Late(_) => {}
            }
        }
        Ok(())
    }

    /// Keeps the list of domains, on a connection of its own.
    async fn keep_list(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            while !self.watch.borrow().is_connected() {
                self.list.notified().await;
            }
            let began = self.clock.get();
            let broken = match Conversation::open(&self.path, &self.clock, ()).await {
                Ok(conversation) => self.read_lists(conversation).await,
                Err(broken) => broken,
            };
            if self.clock.get().since(began) > GOOD {
                wait = FIRST_WAIT;
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            // If the whole daemon is gone, the other connection says so.
            let trouble = self.watch.borrow().is_connected().then(|| broken.to_string());
            self.board.trouble(&self.path, LIST, trouble);
        }
    }

    async fn read_lists(&self, mut conversation: Conversation<()>) -> Broken {
        let mut last: Option<Monotonic> = None;
        let (mut under_way, mut wanted) = (false, true);
        loop {
            let now = self.clock.get();
            let since = last.map(|last| now.since(last));
            let due = since.is_none_or(|since| since >= LIST_EVERY || (wanted && since >= LIST_AT_MOST));
            if due && !under_way {
                conversation.session().call(procedure::LIST_DOMAINS, &procedure::list_domains(), (), now);
                (under_way, wanted, last) = (true, false, Some(now));
            }
            let wait = if wanted { LIST_AT_MOST } else { LIST_EVERY };
            let happened = tokio::select! {
                happened = conversation.exchange(wait) => happened,
                () = self.list.notified(), if !wanted => { wanted = true; continue }
            };
            match happened.and_then(|list| self.take_list(list)) {
                Ok(answered) => under_way &= !answered,
                Err(broken) => return broken,
            }
        }
    }

    /// Takes in a list; false if none came.
    fn take_list(&self, happened: Vec<Happening<()>>) -> Result<bool, Broken> {
        let mut answered = false;
        for happening in happened {
            let trouble = match happening {
                Happening::Answer((), Ok(body)) => {
                    self.watch.borrow_mut().list(procedure::domains(&body)?, self.clock.get());
                    self.listed.notify_one();
                    answered = true;
                    None
                }
                Happening::Answer((), Err(refusal)) => {
                    answered = true;
                    Some(refusal.message)
                }
                Happening::Late(()) => Some("no answer within the deadline".to_owned()),
                Happening::Notice(_) => continue,
            };
            self.board.trouble(&self.path, LIST, trouble);
        }
        Ok(answered)
    }
}

fn request(domain: &Domain, question: Question) -> (i32, Vec<u8>) {
    match question {
        Question::Job => (procedure::JOB_STATS, procedure::job_stats(domain, false)),
        Question::LastJob => (procedure::JOB_STATS, procedure::job_stats(domain, true)),
        Question::State => (procedure::STATE, procedure::of_domain(domain)),
        Question::Limits => (procedure::MAX_DOWNTIME, procedure::of_domain(domain)),
    }
}

fn understand(
    question: Question,
    answer: Result<Vec<u8>, Refusal>,
) -> Result<Result<Answer, Refusal>, ProtocolError> {
    let body = match answer {
        Ok(body) => body,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(Ok(match question {
        Question::Job | Question::LastJob => Answer::Job(procedure::job(&body)?),
        Question::State => {
            let (state, reason) = procedure::state(&body)?;
            Answer::State(state, reason)
        }
        Question::Limits => Answer::MaxDowntime(procedure::max_downtime(&body)?),
    }))
}

/// What it means for a guest.
fn unavailable(broken: &Broken) -> Unavailable {
    match broken {
        Broken::Io(error) if error.kind() == ErrorKind::PermissionDenied => Unavailable::Denied,
        Broken::Io(_) | Broken::Closed => Unavailable::Gone,
        Broken::Silent | Broken::Stuck => Unavailable::Silent,
        Broken::Protocol(_) => Unavailable::Garbage,
        Broken::Refused(refusal) if DENIALS.contains(&refusal.code) => Unavailable::Denied,
        Broken::Authentication => Unavailable::Denied,
        Broken::Refused(_) => Unavailable::Refused,
    }
}
