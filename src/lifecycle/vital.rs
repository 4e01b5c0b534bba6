//! Vital parts: the tasks and threads without which the process must not go on. Whatever ends one
//! of them, a panic too, is told to the one who stops the process.

use std::fmt;
use tokio::sync::mpsc;

/// Marks parts as vital. All clones tell the same [`Losses`].
#[derive(Clone, Debug)]
pub struct Vitals(mpsc::Sender<Lost>);

/// The first vital part that ends. Later ones are not kept: most are its consequences. Where a
/// panic ends several, any of them may be first; the panic itself is on standard error.
#[derive(Debug)]
pub struct Losses(mpsc::Receiver<Lost>);

/// A vital part that has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Lost {
    /// The part, as in `the controller`.
    pub part: String,
    /// Whether a panic ended it.
    pub panicked: bool,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.panicked { "panicked" } else { "ended" };
        write!(f, "{} has {how}, and nothing can be served reliably without it", self.part)
    }
}

/// A part that lives. Dropping it says that the part has ended.
#[derive(Debug)]
pub struct Vital {
    part: String,
    vitals: Vitals,
}

impl Vitals {
    /// No parts yet.
    #[must_use]
    pub fn new() -> (Self, Losses) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), Losses(receiver))
    }

    /// Marks a part that lives for as long as what is returned.
    #[must_use]
    pub fn guard(&self, part: &str) -> Vital {
        Vital { part: part.to_owned(), vitals: self.clone() }
    }

    /// Marks the work as vital, from now to its end.
    pub fn hold<F: Future>(&self, part: &str, work: F) -> impl Future<Output = F::Output> + use<F> {
        let vital = self.guard(part);
        async move {
            let _vital = vital;
            work.await
        }
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        let lost = Lost { part: std::mem::take(&mut self.part), panicked: std::thread::panicking() };
        // The first one is told already, or the process is stopping.
        let _ = self.vitals.0.try_send(lost);
    }
}

impl Losses {
    /// The first vital part that ends, however long that takes.
    pub async fn next(&mut self) -> Lost {
        match self.0.recv().await {
            Some(lost) => lost,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_part_that_ends_is_told_however_it_ends() {
        let (vitals, mut losses) = Vitals::new();
        let stays = vitals.guard("a part that stays");
        tokio::spawn(vitals.hold("a task", async { panic!("as it must") }));
        assert_eq!(losses.next().await, Lost { part: "a task".to_owned(), panicked: true });
        let guard = vitals.guard("a thread");
        std::thread::spawn(move || drop(guard)).join().unwrap();
        drop(stays);
        let lost = losses.next().await;
        assert_eq!(lost, Lost { part: "a thread".to_owned(), panicked: false });
        assert_eq!(lost.to_string(), "a thread has ended, and nothing can be served reliably without it");
    }
}
