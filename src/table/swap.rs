//! The swap: one publisher hands values to every core and learns when all of them run the newest.
//!
//! Newest wins: a core that was busy installs the last value only. A value counts as installed
//! when every core has said so.

use std::sync::Arc;
use tokio::sync::watch;

/// A value with its number; numbers only grow.
#[derive(Debug)]
pub struct Numbered<T> {
    /// The number, from 1.
    pub number: u64,
    /// The value.
    pub value: T,
}

/// The side that puts values in place.
#[derive(Debug)]
pub struct Publisher<T> {
    newest: watch::Sender<Option<Arc<Numbered<T>>>>,
    number: u64,
}

/// The side that learns what all cores run.
#[derive(Clone, Debug)]
pub struct Acknowledgements(Vec<watch::Receiver<u64>>);

/// The side of one core.
#[derive(Debug)]
pub struct Subscriber<T> {
    newest: watch::Receiver<Option<Arc<Numbered<T>>>>,
    installed: watch::Sender<u64>,
}

/// The publisher is gone, or a core is: the process is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side of the table swap has stopped")]
pub struct Closed;

/// A publisher, one subscriber for each of `cores`, and what they acknowledge.
#[must_use]
pub fn channel<T>(cores: usize) -> (Publisher<T>, Vec<Subscriber<T>>, Acknowledgements) {
    let (newest, receiver) = watch::channel(None);
    let (subscribers, installed) = (0..cores)
        .map(|_| {
            let (sender, acknowledged) = watch::channel(0);
            (Subscriber { newest: receiver.clone(), installed: sender }, acknowledged)
        })
        .unzip();
    (Publisher { newest, number: 0 }, subscribers, Acknowledgements(installed))
}

impl<T> Publisher<T> {
    /// Offers a value to every core and returns it with its number.
    pub fn publish(&mut self, value: T) -> Arc<Numbered<T>> {
        self.number += 1;
        let numbered = Arc::new(Numbered { number: self.number, value });
        self.newest.send_replace(Some(Arc::clone(&numbered)));
        numbered
    }
}

impl Acknowledgements {
    /// Waits until every core runs the value with this number or a later one.
    ///
    /// # Errors
    /// [`Closed`] when a core has stopped.
    pub async fn installed(&mut self, number: u64) -> Result<(), Closed> {
        for core in &mut self.0 {
            core.wait_for(|at| *at >= number).await.map_err(|_| Closed)?;
        }
        Ok(())
    }
}

impl<T> Subscriber<T> {
    /// The newest value, once there is one that this core has not seen.
    ///
    /// # Errors
    /// [`Closed`] when the publisher has stopped.
    pub async fn next(&mut self) -> Result<Arc<Numbered<T>>, Closed> {
        loop {
            self.newest.changed().await.map_err(|_| Closed)?;
            if let Some(value) = self.newest.borrow_and_update().clone() {
                return Ok(value);
            }
        }
    }

    /// Says that this core runs the value with this number.
    pub fn acknowledge(&self, number: u64) {
        self.installed.send_replace(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn installed_means_that_every_core_said_so() {
        let (mut publisher, mut cores, mut installed) = channel::<&str>(2);
        let number = publisher.publish("first").number;
        for core in &mut cores {
            assert_eq!(core.next().await.unwrap().value, "first");
        }
        cores[0].acknowledge(number);
        let early = tokio::time::timeout(Duration::from_secs(1), installed.installed(number)).await;
        assert!(early.is_err(), "one core has not installed it yet");
        cores[1].acknowledge(number);
        assert_eq!(installed.installed(number).await, Ok(()));
    }

    #[tokio::test]
    async fn a_busy_core_installs_only_the_newest() {
        let (mut publisher, mut cores, mut installed) = channel::<u8>(1);
        publisher.publish(1);
        let last = publisher.publish(2).number;
        assert_eq!(cores[0].next().await.unwrap().number, last);
        cores[0].acknowledge(last);
        assert_eq!(installed.installed(1).await, Ok(()));
    }

    #[tokio::test]
    async fn a_core_that_stopped_is_reported() {
        let (mut publisher, cores, mut installed) = channel::<u8>(1);
        let number = publisher.publish(1).number;
        drop(cores);
        assert_eq!(installed.installed(number).await, Err(Closed));
    }
}
