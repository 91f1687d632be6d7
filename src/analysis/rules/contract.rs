//! What a rule is: it looks at one window of one migration and says whether its cause limits it, alone and without
//! knowing the other rules.

use super::window::Window;
use crate::analysis::migrations::migration::Phase;

/// What a rule says of a window.
#[derive(Debug)]
pub enum Judgement<'w> {
    /// Its cause holds the migration up for this share of its pool's time, between 0 and 1; with the numbers.
    Limiting(f64, Evidence<'w>),
    /// Its cause does not; with the numbers.
    RuledOut(Evidence<'w>),
    /// It cannot tell; what is missing.
    Unknown(&'static str),
}

/// The numbers behind a judgement. They become words only when somebody asks for them: all rules judge every migration
/// four times a second, and nearly all that they say is that a cause is ruled out.
pub struct Evidence<'w>(Box<dyn Fn() -> String + 'w>);

impl<'w> Evidence<'w> {
    /// What will be said if somebody asks; `evidence!` is the short way.
    pub fn new(words: impl Fn() -> String + 'w) -> Self {
        Self(Box::new(words))
    }

    /// In words.
    pub fn words(&self) -> String {
        (self.0)()
    }
}

impl From<&'static str> for Evidence<'_> {
    fn from(words: &'static str) -> Self {
        Self::new(move || words.to_owned())
    }
}

impl std::fmt::Debug for Evidence<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.words())
    }
}

/// `format!` for evidence: takes what it names with it, and is written when it is asked.
macro_rules! evidence {
    ($($words:tt)*) => {
        $crate::analysis::rules::contract::Evidence::new(move || format!($($words)*))
    };
}
pub(crate) use evidence;

/// Which part of a window's time a cause can explain. The parts add up to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// All of it.
    Whole,
    /// Nothing was on its way and nothing waited to be sent.
    Idle,
    /// The peer's window held the sender back.
    Window,
    /// The own send buffer did.
    Buffer,
    /// The network did: congestion control, queues, shapers.
    Network,
    /// Idle and Network: a sender that cannot keep up shows as either, because on a long way what was sent is still under
    /// way while the next is made (science of the calibration: a slow writer over 20 ms was busy 52 % of the time).
    Sender,
}

impl Pool {
    /// Whether a rule of this pool can explain a part of the time.
    pub fn explains(self, part: Self) -> bool {
        self == part || (self == Self::Sender && matches!(part, Self::Idle | Self::Network))
    }
}

/// One cause.
#[derive(Debug)]
pub struct Rule {
    /// Its name in metrics.
    pub cause: &'static str,
    /// When it limits, in one sentence.
    pub meaning: &'static str,
    /// How its evidence reads.
    pub reading: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// The commands that mend it, or show more of it; `{device}` is the link that the migration's packets leave by,
    /// `{wire}` the one beneath it, `{vm}` the guest. Words in capitals are for the reader to choose.
    pub mend: &'static [&'static str],
    /// What it can explain.
    pub pool: Pool,
    /// The phases in which it can hold.
    pub phases: &'static [Phase],
    /// Looks at a window.
    pub judge: fn(&Window) -> Judgement<'_>,
}

/// Both phases in which bytes are moved for a guest that is not yet, or no longer, running here.
pub const BOTH: &[Phase] = &[Phase::MemoryCopy, Phase::StateTransfer];
/// The copy of memory alone.
pub const COPY: &[Phase] = &[Phase::MemoryCopy];
