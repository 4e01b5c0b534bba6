//! Turns: work that takes long enough for others to notice is done a little at a time.
//!
//! A core does one thing after the other, in the order in which it became ready. A thousand handshakes that
//! became ready together would come before a request that is ready after them. Here the most of them wait
//! outside of that order, and a few go on in each round.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many do some of such work in one round.
const AT_ONCE: usize = 4;

/// Hands out turns, first come first served.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

/// The right to do some work now. Dropping it hands the turn on.
#[derive(Debug)]
pub(crate) struct Turn<'t>(#[expect(dead_code, reason = "it is there to be dropped")] SemaphorePermit<'t>);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    /// A turn, if nobody has to wait for it.
    pub(crate) fn at_once(&self) -> Option<Turn<'_>> {
        self.0.try_acquire().ok().map(Turn)
    }

    /// Waits for a turn.
    pub(crate) async fn wait(&self) -> Turn<'_> {
        Turn(self.0.acquire().await.expect("nobody must close it"))
    }
}

impl Turn<'_> {
    /// Hands the turn on when everybody else has had a round.
    pub(crate) async fn end(self) {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, rc::Rc};
    use tokio::task::LocalSet;

    #[tokio::test(flavor = "current_thread")]
    async fn others_get_their_round_between_turns() {
        let (turns, order) = (Rc::new(Turns::default()), Rc::new(RefCell::new(Vec::new())));
        let local = LocalSet::new();
        for number in 0..AT_ONCE * 3 {
            let (turns, order) = (Rc::clone(&turns), Rc::clone(&order));
            local.spawn_local(async move {
                let turn = match turns.at_once() {
                    Some(turn) => turn,
                    None => turns.wait().await,
                };
                order.borrow_mut().push(number);
                turn.end().await;
            });
        }
        let other = Rc::clone(&order);
        local.spawn_local(async move { other.borrow_mut().push(usize::MAX) });
        local.await;
        let order = order.borrow();
        let expected: Vec<_> = (0..AT_ONCE).chain([usize::MAX]).chain(AT_ONCE..AT_ONCE * 3).collect();
        assert_eq!(*order, expected, "who came last is before those who wait");
    }
}
