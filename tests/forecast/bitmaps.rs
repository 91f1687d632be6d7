//! QEMU's pre-copy page by page (migration/ram.c): two bitmaps, a guest that writes, a migration thread that sends in the
//! order of addresses and looks every 50 ms whether the rest is small enough.

/// A guest.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Pages of memory, 4096 bytes each.
    pub pages: usize,
    /// Pages that it writes, from a quarter of its memory on.
    pub working_set: usize,
    /// Bytes of pages that it writes a second, the same one twice counted twice.
    pub rate: f64,
    /// One after the other instead of here and there.
    pub sweeps: bool,
    /// Of its choice.
    pub seed: u64,
}

/// How it ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ended {
    /// It did.
    pub done: bool,
    /// Seconds until the guest was stopped.
    pub copy: f64,
    /// Seconds that it stood still.
    pub pause: f64,
}

/// What a monitor would tell.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Seconds since the beginning.
    pub time: f64,
    /// Dirty pages.
    pub remaining: usize,
    /// How often they were collected.
    pub collected: u64,
    /// Pages a second, as of the last telling.
    pub dirty_rate: u64,
    /// Bytes sent.
    pub sent: f64,
}

/// A migration that is played.
pub struct Precopy {
    guest: Guest,
    rate: f64,
    limit: f64,
    dirty: Vec<bool>,
    log: Vec<bool>,
    remaining: usize,
    cursor: usize,
    written: f64,
    next: usize,
    random: u64,
    collected: u64,
    /// When a rate was told last, and pages dirtied since.
    told: (f64, usize),
    dirty_rate: u64,
    time: f64,
    budget: f64,
    sent: f64,
    ended: Option<Ended>,
}

const PAGE: f64 = 4096.0;
const WIRE: f64 = 4104.0;
const STEP: f64 = 0.05;

impl Precopy {
    /// Everything is to be sent, at so many bytes a second, with so many seconds of pause allowed.
    pub fn new(guest: Guest, rate: f64, limit: f64) -> Self {
        let (pages, random) = (guest.pages, guest.seed);
        Self {
            guest,
            rate,
            limit,
            dirty: vec![true; pages],
            log: vec![false; pages],
            remaining: pages,
            cursor: 0,
            written: 0.0,
            next: 0,
            random,
            collected: 1,
            told: (0.0, 0),
            dirty_rate: 0,
            time: 0.0,
            budget: 0.0,
            sent: 0.0,
            ended: None,
        }
    }

    /// Goes on to the end, or to so many seconds.
    pub fn run(mut self, most: f64) -> Ended {
        while self.step(most).is_some() {}
        self.ended()
    }

    /// How it ended.
    pub fn ended(&self) -> Ended {
        self.ended.unwrap_or_default()
    }

    /// 50 ms of sending, after a look whether it is over; `None` once it is, or at `most` seconds.
    pub fn step(&mut self, most: f64) -> Option<Seen> {
        let threshold = self.rate * self.limit;
        if (self.remaining as f64) * PAGE < threshold {
            self.collect();
        }
        if (self.remaining as f64) * PAGE < threshold {
            let pause = self.remaining as f64 * WIRE / self.rate;
            self.ended = Some(Ended { done: true, copy: self.time, pause });
            return None;
        }
        if self.time >= most {
            return None;
        }
        // The guest writes while pages are sent.
        for _ in 0..10 {
            self.write(STEP / 10.0);
            self.send(STEP / 10.0);
        }
        self.time += STEP;
        let (remaining, collected, dirty_rate) = (self.remaining, self.collected, self.dirty_rate);
        Some(Seen { time: self.time, remaining, collected, dirty_rate, sent: self.sent })
    }

    fn write(&mut self, time: f64) {
        self.written += self.guest.rate * time / PAGE;
        let first = self.guest.pages / 4;
        while self.written >= 1.0 {
            self.written -= 1.0;
            let page = if self.guest.sweeps {
                self.next += 1;
                self.next % self.guest.working_set
            } else {
                // xorshift64: any sequence that visits all alike will do.
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                (self.random % self.guest.working_set as u64) as usize
            };
            self.log[(first + page) % self.guest.pages] = true;
        }
    }

    fn send(&mut self, time: f64) {
        self.budget += self.rate * time;
        while self.budget >= WIRE && self.remaining > 0 {
            while !self.dirty[self.cursor] {
                self.cursor = (self.cursor + 1) % self.guest.pages;
            }
            self.dirty[self.cursor] = false;
            self.remaining -= 1;
            self.budget -= WIRE;
            self.sent += WIRE;
        }
        if self.remaining == 0 {
            self.budget = 0.0;
        }
    }

    fn collect(&mut self) {
        let mut fresh = 0;
        for (dirty, log) in self.dirty.iter_mut().zip(&mut self.log) {
            let written = std::mem::take(log);
            fresh += usize::from(written && !*dirty);
            *dirty |= written;
        }
        self.remaining += fresh;
        self.collected += 1;
        self.told.1 += fresh;
        let since = self.time - self.told.0;
        if since > 1.0 {
            self.dirty_rate = (self.told.1 as f64 / since) as u64;
            self.told = (self.time, 0);
        }
    }
}
