//! A coarse clock and alarms for one core.
//!
//! Every request and connection has a limit in time and almost none is ever reached. So an alarm
//! is moved by writing one number; the wheel looks at it when its old time comes, and only then
//! puts it where it now belongs. Ticks are 100 ms: a limit is never early and at most a tick late.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// The length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const SLOTS: u64 = 1024;
const NEVER: u64 = u64::MAX;

/// Alarms to look at in one tick of a turn of the wheel, each with the tick that is meant.
type Slot = Vec<(u64, Rc<Alarm>)>;

/// The wheel of one core.
#[derive(Debug)]
pub(crate) struct Clock {
    now: Cell<u64>,
    slots: RefCell<Vec<Slot>>,
    spare: RefCell<Vec<Rc<Alarm>>>,
}

/// A tick by which something must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

/// One limit in time.
#[derive(Debug)]
pub(crate) struct Alarm {
    due: Cell<u64>,
    /// The tick at which the wheel will look at this alarm next.
    visit: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self { now: Cell::new(0), slots: RefCell::new(slots), spare: RefCell::default() }
    }

    /// Moves the clock forward, tick by tick. Runs as long as the core.
    pub(crate) async fn run(&self) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        interval.tick().await;
        loop {
            interval.tick().await;
            self.tick();
        }
    }

    /// The current tick.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    fn tick(&self) {
        let now = self.now.get() + 1;
        self.now.set(now);
        let visited = std::mem::take(&mut self.slots.borrow_mut()[slot(now)]);
        for (visit, alarm) in visited {
            self.look_at(visit, alarm, now);
        }
    }

    fn look_at(&self, visit: u64, alarm: Rc<Alarm>, now: u64) {
        if visit > now {
            // A later turn of the wheel.
            self.slots.borrow_mut()[slot(visit)].push((visit, alarm));
        } else if alarm.visit.get() != visit {
            // Moved to an earlier slot since: that entry counts, this one is stale.
        } else if alarm.due.get() <= now {
            alarm.visit.set(NEVER);
            alarm.wake();
        } else if Rc::strong_count(&alarm) == 1 || alarm.due.get() == NEVER {
            alarm.visit.set(NEVER);
        } else {
            self.schedule(alarm);
        }
    }

    fn schedule(&self, alarm: Rc<Alarm>) {
        let due = alarm.due.get();
        alarm.visit.set(due);
        self.slots.borrow_mut()[slot(due)].push((due, alarm));
    }

    /// An alarm that is not set.
    pub(crate) fn alarm(&self) -> Rc<Alarm> {
        self.spare.borrow_mut().pop().unwrap_or_else(|| {
            Rc::new(Alarm { due: Cell::new(NEVER), visit: Cell::new(NEVER), waker: RefCell::new(None) })
        })
    }

    /// Gives an alarm back for another use.
    pub(crate) fn put_back(&self, alarm: Rc<Alarm>) {
        const MOST: usize = 1024;
        alarm.clear();
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MOST {
            spare.push(alarm);
        }
    }

    /// Sets an alarm to ring after a time, in place of what it was set to.
    pub(crate) fn set(&self, alarm: &Rc<Alarm>, after: Duration) {
        self.set_until(alarm, self.deadline(after));
    }

    /// Sets an alarm to ring at a deadline, in place of what it was set to.
    pub(crate) fn set_until(&self, alarm: &Rc<Alarm>, deadline: Deadline) {
        alarm.due.set(deadline.0);
        if deadline.0 < alarm.visit.get() {
            self.schedule(Rc::clone(alarm));
        }
    }

    /// The deadline after a time.
    pub(crate) fn deadline(&self, after: Duration) -> Deadline {
        Self::deadline_from(self.now.get(), after)
    }

    /// The deadline after a time that began at a tick.
    pub(crate) fn deadline_from(tick: u64, after: Duration) -> Deadline {
        Deadline(tick + ticks(after) + 1)
    }

    /// Whether a deadline has come.
    pub(crate) fn is_past(&self, deadline: Deadline) -> bool {
        deadline.0 <= self.now.get()
    }

    /// Sets an alarm to ring a time after an earlier tick; false when that is over already.
    pub(crate) fn set_since(&self, alarm: &Rc<Alarm>, tick: u64, after: Duration) -> bool {
        let left = after.checked_sub(self.since(tick));
        left.inspect(|left| self.set(alarm, *left)).is_some_and(|left| !left.is_zero())
    }

    /// How long ago a tick was.
    pub(crate) fn since(&self, tick: u64) -> Duration {
        length(self.now.get() - tick)
    }
}

/// The length of so many ticks.
pub(crate) fn length(ticks: u64) -> Duration {
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

fn slot(tick: u64) -> usize {
    usize::try_from(tick % SLOTS).expect("a slot number must fit")
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(NEVER / 2).min(NEVER / 2)
}

impl Alarm {
    /// Turns the alarm off, for who will set it again.
    pub(crate) fn rest(&self) {
        self.due.set(NEVER);
    }

    /// Turns the alarm off, and forgets whom it would wake.
    pub(crate) fn clear(&self) {
        self.rest();
        self.waker.replace(None);
    }

    /// Whether its time has come.
    pub(crate) fn has_rung(&self, clock: &Clock) -> bool {
        self.due.get() <= clock.now()
    }

    /// Has the task of this context woken when the alarm rings.
    pub(crate) fn register(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &*waker {
            Some(known) if known.will_wake(context.waker()) => {}
            _ => *waker = Some(context.waker().clone()),
        }
    }

    /// Wakes the task that waits for this alarm, whether or not it rings.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The time was up before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeIsUp;

/// Runs a future until its end or until the alarm rings.
pub(crate) async fn race<F: Future>(clock: &Clock, alarm: &Alarm, future: F) -> Result<F::Output, TimeIsUp> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| poll_race(clock, alarm, future.as_mut(), context)).await
}

fn poll_race<F: Future>(
    clock: &Clock,
    alarm: &Alarm,
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, TimeIsUp>> {
    if let Poll::Ready(output) = future.poll(context) {
        return Poll::Ready(Ok(output));
    }
    if alarm.has_rung(clock) {
        return Poll::Ready(Err(TimeIsUp));
    }
    alarm.register(context);
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    async fn with_clock<T>(test: impl AsyncFnOnce(Rc<Clock>) -> T) -> T {
        let clock = Rc::new(Clock::new());
        let local = tokio::task::LocalSet::new();
        let runner = Rc::clone(&clock);
        local.spawn_local(async move { runner.run().await });
        local.run_until(test(clock)).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_within_two_ticks_of_its_time() {
        with_clock(async |clock| {
            for seconds in [1, 30, 200] {
                let (start, alarm) = (Instant::now(), clock.alarm());
                clock.set(&alarm, Duration::from_secs(seconds));
                assert_eq!(race(&clock, &alarm, std::future::pending::<()>()).await, Err(TimeIsUp));
                let late = start.elapsed().checked_sub(Duration::from_secs(seconds)).expect("never early");
                assert!(late <= 2 * TICK, "{late:?} late after {seconds} s");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_can_be_moved_later_and_earlier() {
        with_clock(async |clock| {
            let (start, alarm) = (Instant::now(), clock.alarm());
            clock.set(&alarm, Duration::from_secs(1));
            clock.set(&alarm, Duration::from_secs(60));
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(!alarm.has_rung(&clock), "it was moved to later");
            clock.set(&alarm, Duration::from_secs(2));
            assert_eq!(race(&clock, &alarm, std::future::pending::<()>()).await, Err(TimeIsUp));
            assert!(start.elapsed() < Duration::from_secs(8));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_was_given_back_does_not_ring_for_its_next_user() {
        with_clock(async |clock| {
            let alarm = clock.alarm();
            clock.set(&alarm, Duration::from_secs(1));
            clock.put_back(alarm);
            let again = clock.alarm();
            clock.set(&again, Duration::from_secs(10));
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(!again.has_rung(&clock));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_ready_in_time_wins() {
        with_clock(async |clock| {
            let alarm = clock.alarm();
            clock.set(&alarm, Duration::from_secs(1));
            assert_eq!(race(&clock, &alarm, async { 7 }).await, Ok(7));
        })
        .await;
    }
}
