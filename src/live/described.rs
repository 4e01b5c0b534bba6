//! What a service of gRPC told of itself: kept beside its endpoints, and read by every core.

use super::moment::Moment;
use crate::rpc::transcode::Services;
use arc_swap::ArcSwapOption;
use std::{sync::Arc, time::Duration};

/// After so long a description is asked for anew, while the old one goes on.
pub const FRESH: Duration = Duration::from_secs(60);
/// So long nobody asks again after a service told nothing.
pub const REST: Duration = Duration::from_secs(5);

/// What a service told of itself last.
#[derive(Debug, Default)]
pub struct Described(ArcSwapOption<Told>);

/// One answer, good or not.
#[derive(Debug)]
struct Told {
    at: Moment,
    /// The endpoints that there were.
    of: usize,
    services: Option<Arc<Services>>,
    refusal: Option<Arc<str>>,
}

/// What is known of a service.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing yet, or it may be asked again.
    Nothing,
    /// Its methods.
    Fresh(Arc<Services>),
    /// Its methods as they were: other endpoints may tell of more.
    Old(Arc<Services>),
    /// It told nothing a moment ago, and why.
    Refused(Arc<str>),
}

impl Described {
    /// What is known now. `of` tells sets of endpoints apart.
    #[must_use]
    pub fn known(&self, of: usize, now: Moment) -> Known {
        let told = self.0.load();
        let Some(told) = &*told else { return Known::Nothing };
        let age = now.since(told.at);
        match (&told.services, &told.refusal) {
            (Some(services), None) if told.of == of && age < FRESH => Known::Fresh(Arc::clone(services)),
            // Who fails to tell anew is asked again after a rest.
            (Some(services), Some(_)) if age < REST => Known::Fresh(Arc::clone(services)),
            (Some(services), _) => Known::Old(Arc::clone(services)),
            (None, Some(refusal)) if age < REST => Known::Refused(Arc::clone(refusal)),
            (None, _) => Known::Nothing,
        }
    }

    /// Keeps an answer. What was told before outlives a refusal.
    pub fn tell(&self, of: usize, at: Moment, answer: Result<Arc<Services>, Arc<str>>) {
        let told = match answer {
            Ok(services) => Told { at, of, services: Some(services), refusal: None },
            Err(refusal) => {
                let services = self.0.load().as_ref().and_then(|old| old.services.clone());
                Told { at, of, services, refusal: Some(refusal) }
            }
        };
        self.0.store(Some(Arc::new(told)));
    }

    /// Why it told nothing last, if it did not.
    #[must_use]
    pub fn refusal(&self) -> Option<Arc<str>> {
        self.0.load().as_ref().and_then(|told| told.refusal.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::transcode::shop_set;

    fn at(seconds: u64) -> Moment {
        Moment::after(Duration::from_secs(seconds))
    }

    fn word(known: &Known) -> &'static str {
        match known {
            Known::Nothing => "nothing",
            Known::Fresh(_) => "fresh",
            Known::Old(_) => "old",
            Known::Refused(_) => "refused",
        }
    }

    #[test]
    fn a_description_grows_old_and_a_refusal_is_asked_again_after_a_rest() {
        let described = Described::default();
        let word_at = |of, seconds| word(&described.known(of, at(seconds)));
        assert_eq!(word_at(1, 0), "nothing");
        described.tell(1, at(0), Err("no".into()));
        assert_eq!((word_at(1, 4), word_at(1, 5)), ("refused", "nothing"));
        described.tell(1, at(10), Ok(Arc::new(Services::of_set(&shop_set()).unwrap())));
        assert_eq!((word_at(1, 69), word_at(1, 70), word_at(2, 11)), ("fresh", "old", "old"));
        assert_eq!(described.refusal(), None);
        described.tell(1, at(70), Err("gone".into()));
        assert_eq!((word_at(1, 74), word_at(1, 75)), ("fresh", "old"), "what was told goes on");
        assert_eq!(described.refusal().as_deref(), Some("gone"));
    }
}
