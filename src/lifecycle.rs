//! The life of the process as probes see it: started, ready, draining.

pub mod vital;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

/// Why the process is not ready yet, by what it waits for. Shared by all who wait for something
/// and the probes that tell.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is waited for, with the reason; done ones have none.
    parts: BTreeMap<String, Option<String>>,
    draining: bool,
}

impl Readiness {
    /// Says that a part is waited for, and why.
    pub fn waits(&self, part: &str, reason: &str) {
        self.state().parts.insert(part.to_owned(), Some(reason.to_owned()));
    }

    /// Says that a part is ready. Once ready it stays so: what is lost later does not stop traffic.
    pub fn done(&self, part: &str) {
        self.state().parts.insert(part.to_owned(), None);
    }

    /// Says that the process is stopping.
    pub fn drain(&self) {
        self.state().draining = true;
    }

    /// Whether the process is ready to take traffic.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let state = self.state();
        !state.draining && state.parts.values().all(Option::is_none)
    }

    /// Every part in a line of its own, as Kubernetes' own probes print them.
    #[must_use]
    pub fn describe(&self) -> String {
        let state = self.state();
        let mut text = String::new();
        for (part, waiting) in &state.parts {
            // Writing to a String cannot fail.
            let _ = match waiting {
                None => writeln!(text, "[+] {part} ok"),
                Some(reason) => writeln!(text, "[-] {part} waiting: {reason}"),
            };
        }
        if state.draining {
            text.push_str("[-] draining: the process is stopping\n");
        }
        text
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_part_is_done_and_never_while_draining() {
        let readiness = Readiness::default();
        readiness.waits("table", "not installed yet");
        assert!(!readiness.is_ready());
        assert_eq!(readiness.describe(), "[-] table waiting: not installed yet\n");
        readiness.done("table");
        assert!(readiness.is_ready());
        readiness.drain();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.describe(), "[+] table ok\n[-] draining: the process is stopping\n");
    }
}
